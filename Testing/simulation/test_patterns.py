"""Patterns that are not Parkinson's order, planted lesions, pairs: what is lost is what the truth says."""

import numpy as np
import pytest

from DaTscanAILib.mni.atlas import load_atlas
from DaTscanAILib.quantification.sbr import quantify
from DaTscanAILib.quantification.scaling import normalize
from DaTscanAILib.simulation.anatomy import Region, load_anatomy
from DaTscanAILib.simulation.disease import (
    LOSS_COLUMNS,
    REDUCED_FROM_LOSS,
    Degeneration,
    draw_degeneration,
    with_lesion,
)
from DaTscanAILib.simulation.pairs import simulate_pair
from DaTscanAILib.simulation.patterns import ATYPICAL_SHARES, PARTS, Focus, Lesion, focal_loss, kept_around
from DaTscanAILib.simulation.simulator import Settings, draw_patient, simulate_scan, streams

INTACT = {(part, side): 1.0 for part in PARTS for side in "LR"}
ANATOMY = load_anatomy("colin27")


def cases(subtype, count=60):
    random = np.random.default_rng(1)
    return [draw_degeneration(subtype, random, ANATOMY) for _ in range(count)]


def parts(case):
    """Losses as `(6,)`: caudate, anterior, posterior putamen of the left, then of the right."""
    return np.array([case.losses[column] for column in LOSS_COLUMNS])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_share_of_atypical_patterns_is_that_of_the_settings(share):
    settings = Settings(label="reduced", atypical_share=share)
    subtypes = [draw_patient(streams(seed), settings).degeneration.subtype for seed in range(12)]
    assert [subtype in ATYPICAL_SHARES for subtype in subtypes] == [bool(share)] * 12


@pytest.mark.parametrize("subtype", ATYPICAL_SHARES)
def test_atypical_patterns_are_reduced_and_either_side_is_hit(subtype):
    drawn = cases(subtype)
    assert {case.label for case in drawn} == {"reduced"}
    assert {case.subtype for case in drawn} == {subtype}
    losses = np.array([parts(case) for case in drawn])
    assert ((losses >= 0) & (losses <= 1)).all()
    if subtype != "blocked_transporter":
        worse_left = losses[:, :3].sum(axis=1) > losses[:, 3:].sum(axis=1)
        assert 0.2 < worse_left.mean() < 0.8


def test_each_pattern_is_what_its_name_says():
    for case in cases("one_caudate"):
        caudates = sorted(case.loss("caudate", side) for side in "LR")
        assert caudates[1] >= 0.5
        assert caudates[0] <= 0.05
        assert max(case.loss(part, side) for part in PARTS[1:3] for side in "LR") < 0.1
    for case in cases("caudates_first"):
        for side in "LR":
            assert (
                case.loss("caudate", side)
                > case.loss("anterior_putamen", side)
                > case.loss("posterior_putamen", side)
            )
    for case in cases("vascular"):
        sides = np.sort(parts(case).reshape(2, 3).min(axis=1))
        assert sides[0] == 0
        assert sides[1] > 0.45
    for case in cases("blocked_transporter"):
        assert np.ptp(parts(case)) == pytest.approx(0)
        assert 0.35 <= case.severity <= 0.70
    for case in cases("posterior_putamen"):
        assert all(case.loss(part, side) == 0 for part in ("caudate", "anterior_putamen") for side in "LR")
    for case in cases("balanced"):
        left, right = parts(case).reshape(2, 3)
        assert (np.ptp(left) < 0.3) & (np.ptp(right) < 0.3)


def test_labels_follow_the_stated_limits():
    for part, least in REDUCED_FROM_LOSS.items():
        for loss, label in ((least - 0.01, "normal"), (least, "reduced")):
            case = with_lesion(Degeneration("normal", (0, 0), INTACT), Lesion({(part, "R"): loss}), None)
            assert case.label == label
            assert case.severity == pytest.approx(loss)
    for loss, label in ((0.34, "normal"), (0.35, "reduced")):
        even = Lesion(dict.fromkeys(INTACT, loss))
        assert with_lesion(Degeneration("normal", (0, 0), INTACT), even, None).label == label


def test_a_focus_takes_its_volume_of_each_part():
    """A ball that holds a whole caudate takes its depth of it; of others the share of their voxels inside."""
    codes = ANATOMY.codes == Region.CAUDATE_L
    points = np.argwhere(codes) + ANATOMY.origin
    center = points.mean(axis=0)
    focus = Focus(tuple(center), float(np.linalg.norm(points - center, axis=1).max()) + 1, 0.8)
    loss = focal_loss((focus,), ANATOMY)
    assert loss["caudate", "L"] == pytest.approx(0.8, abs=1e-6)
    small = Focus(tuple(center), 5.0, 1.0)
    inside = (np.linalg.norm(points - center, axis=1) <= 5).sum() / len(points)
    assert focal_loss((small,), ANATOMY)["caudate", "L"] == pytest.approx(inside, abs=1e-6)
    _, kept = kept_around((small,), ANATOMY)
    assert (kept == 0).sum() == pytest.approx(4 / 3 * np.pi * 125, rel=0.03)


def test_a_pair_differs_in_the_lesion_alone():
    """Person, head, pose, camera and grid are the same; SBR falls by about the loss there and nowhere else."""
    settings = Settings(families=("butterworth",), label="normal", anatomies=("icbm152",))
    lesion = Lesion({("caudate", "L"): 0.8})
    without, within = simulate_pair(3, settings, lesion)
    assert within.person == without.person
    assert within.camera == without.camera
    np.testing.assert_array_equal(within.affine, without.affine)
    np.testing.assert_array_equal(within.pose.scanner_from_mni, without.pose.scanner_from_mni)
    assert (without.truth()["loss_caudate_left"], without.degeneration.label) == (0, "normal")
    assert within.truth()["loss_caudate_left"] == pytest.approx(0.8)
    assert (within.truth()["loss_caudate_right"], within.degeneration.label) == (0, "reduced")
    ratio = within.uptake.specific_ratio
    healthy = without.uptake.specific_ratio
    assert ratio["caudate_l"] == pytest.approx(0.2 * healthy["caudate_l"])
    assert {name: value for name, value in ratio.items() if name != "caudate_l"} == pytest.approx(
        {name: value for name, value in healthy.items() if name != "caudate_l"}
    )
    atlas = load_atlas()
    before, after = (
        quantify(normalize(scan.voxels, scan.affine, scan.pose.scanner_from_mni, atlas), atlas).sbr
        for scan in (without, within)
    )
    assert after["caudate_left"] < 0.65 * before["caudate_left"]
    assert after["caudate_right"] == pytest.approx(before["caudate_right"], rel=0.12)
    assert after["putamen_right"] == pytest.approx(before["putamen_right"], rel=0.12)


def test_another_examination_of_the_same_person():
    settings = Settings(families=("papers",), label="reduced", anatomies=("colin27",))
    first, second = simulate_scan(5, settings, repeat=0), simulate_scan(5, settings, repeat=1)
    assert second.person == first.person
    assert second.degeneration == first.degeneration
    assert second.uptake.specific_ratio == first.uptake.specific_ratio
    assert second.camera == first.camera
    assert np.abs(second.pose.scanner_from_mni - first.pose.scanner_from_mni).max() > 0.05
    size = [np.linalg.det(scan.pose.scanner_from_mni[:3, :3]) for scan in (first, second)]
    assert size[0] == pytest.approx(size[1])
