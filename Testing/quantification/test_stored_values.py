"""Stored values that cannot carry a ratio are said: each copy of a scan whose SBR changes by more than 10 %."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from DaTscanAILib.analysis import Analyzer
from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.mni.atlas import load_atlas
from DaTscanAILib.quantification.overflow import overflow_of
from DaTscanAILib.quantification.sbr import quantify
from DaTscanAILib.quantification.scaling import normalize
from DaTscanAILib.quantification.stored_values import StoredValues, check_stored_values, fault_of_image
from DaTscanAILib.reading.scan import Scan, read_scan
from DaTscanAILib.registration.affine import Registration, register
from DaTscanAILib.simulation.cameras import FAMILIES
from DaTscanAILib.simulation.simulator import Settings, simulate_scan
from DaTscanAILib.simulation.storage import as_integers, store

PLAIN = StoredValues(0.1, 0.01, 0.1, 5000.0, 0.01, False, zeros_in_air=0.0, step_at_air=0.02)  # no air is seen


@pytest.fixture(scope="module", params=["normal", "reduced"])
def registered(request):
    """A bundled scan and its affine."""
    scan = read_scan(resource_path("Samples", f"{request.param}.dcm"))
    found = register(scan)
    assert found.accepted
    return scan, found.scanner_from_mni


def clipped(percentile):
    return lambda voxels: np.minimum(voxels, np.percentile(voxels, percentile))


def eight_bits(share_of_bright):
    """A window of 8 bits whose top lies at a share of the 99.95th percentile."""
    return lambda voxels: np.rint(255 * np.clip(voxels / (share_of_bright * np.percentile(voxels, 99.95)), 0, 1))


def window(voxels):
    """As `simulation.storage` has it: lowest values cut off, highest clipped."""
    return np.rint(255 * np.clip((voxels / voxels.max() - 0.05) / 0.8, 0, 1))


def below(share, kept=0.0):
    """Everything below a share of the maximum set to zero; `kept` 1 subtracts it from the rest too."""
    return lambda voxels: np.where(voxels < share * voxels.max(), 0, voxels - kept * share * voxels.max())


def integers(largest):
    return lambda voxels: as_integers(voxels, largest)


def added(share):
    return lambda voxels: voxels + share * voxels.max()


COPIES = {
    "clipped at 99.9 %": clipped(99.9),
    "clipped at 99.5 %": clipped(99.5),
    "clipped at 99 %": clipped(99),
    "8 bits, top at 60 %": eight_bits(0.6),
    "8 bits, top at 80 %": eight_bits(0.8),
    "window of a screen": window,
    **{f"zero below {share}": below(share) for share in (0.1, 0.2, 0.3, 0.4)},
    **{f"subtracted {share}": below(share, kept=1.0) for share in (0.02, 0.03, 0.05, 0.1, 0.15, 0.2)},
    **{f"integers to {largest}": integers(largest) for largest in (3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 30, 40, 50)},
    **{f"added {share}": added(share) for share in (-0.05, -0.03, 0.02, 0.05, 0.1)},
}


def counted(scan, affine):
    """SBRs, and what counting says; (None, None) where the chain refuses because the reference region is empty."""
    try:
        normalized = normalize(scan.voxels, scan.affine, affine, load_atlas())
    except DaTscanError:
        return None, None
    return quantify(normalized, load_atlas()).sbr, check_stored_values(scan, affine, normalized.reference_level)


def change_of(sbr, plain):
    """Largest relative change of an SBR, of those above 0.1."""
    return max(abs(sbr[key] - value) / value for key, value in plain.items() if value > 0.1)


def test_whatever_changes_an_sbr_by_a_tenth_is_said(registered):
    scan, affine = registered
    plain, untouched = counted(scan, affine)
    assert untouched.warnings == ()
    assert untouched.refusal("x") is None
    changes, silent = {}, []
    for name, copy in COPIES.items():
        sbr, counts = counted(replace(scan, voxels=copy(scan.voxels).astype(np.float32)), affine)
        if sbr is None:
            continue
        changes[name] = change_of(sbr, plain)
        if changes[name] > 0.1 and not (counts.warnings or counts.refusal("x")):
            silent.append((name, changes[name], counts))
    assert silent == []
    assert sum(change > 0.1 for change in changes.values()) >= 12  # the copies are bad enough to test something
    assert changes["integers to 50"] < 0.05


@pytest.mark.parametrize("copy", ["integers to 50", "integers to 40"])
def test_what_changes_nothing_needs_no_refusal(registered, copy):
    scan, affine = registered
    sbr, counts = counted(replace(scan, voxels=COPIES[copy](scan.voxels).astype(np.float32)), affine)
    assert change_of(sbr, counted(scan, affine)[0]) < 0.1
    assert counts.refusal("x") is None


@pytest.mark.parametrize("number", range(1, 11))
def test_the_shared_samples_are_silent(samples, number):
    (path,) = [path for path in samples.glob(f"sample{number:02}.*") if path.suffix != ".json"]
    affine = np.array(json.loads((samples / f"sample{number:02}.json").read_text())["scanner_from_mni_ras"])
    assert_silent(read_scan(path), affine)


@pytest.mark.parametrize("family", FAMILIES)
def test_simulated_scans_stored_plainly_are_silent(family):
    made = simulate_scan(991_800, Settings(families=(family,)))
    voxels, affine, truth = store(
        made.voxels, made.affine, made.pose.scanner_from_mni, "plain", np.random.default_rng(0)
    )
    assert_silent(Scan(voxels.astype(np.float32), affine, Path("sim.nii"), "NIfTI"), truth)


def assert_silent(scan, affine):
    _, counts = counted(scan, affine)
    assert counts.warnings == ()
    assert counts.refusal("x") is None


def test_planes_that_scale_their_values_by_themselves_are_coarse_all_the_same(registered):
    """Some formats have a slope for each slice, so that the whole scan has many values."""
    scan, affine = registered
    levels = as_integers(scan.voxels, 8).astype(np.float32)
    slopes = np.linspace(1, 1.01, levels.shape[2], dtype=np.float32)
    _, counts = counted(replace(scan, voxels=levels * slopes), affine)
    assert counts.steps < 4


def test_what_is_not_covered_or_padding_is_not_counted(registered):
    scan, affine = registered
    padded = np.pad(scan.voxels, ((0, 0), (0, 0), (0, 12)))
    _, plain = counted(scan, affine)
    _, counts = counted(replace(scan, voxels=padded), affine)
    assert counts.zeros_around == plain.zeros_around
    covered = scan.voxels > 0
    _, counts = counted(replace(scan, covered=covered), affine)
    assert counts.zeros == 0
    assert counts.zeros_around < 0.001


SENTENCES = {
    "steps": (3.0, "stored in 3 grey levels only"),
    "at_ceiling_ml": (4.2, "4.2 ml of the striata share"),
    "zeros": (0.3, "30% of the reference region is exactly zero"),
    "zeros_around": (0.6, "60% of the head's surroundings are exactly zero"),
    "air": (0.12, "at 12% of the brain's background and should be near zero: the SBRs are too low"),
    "of_a_picture": (True, "run over 256 levels"),
    "zeros_in_air": (0.9, "90% of the air around the head is exactly zero and ends in a step"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_each_count_has_its_warning(name):
    value, words = SENTENCES[name]
    (warning,) = replace(PLAIN, **{name: value}).warnings
    assert words in warning
    assert replace(PLAIN, **{name: value}).refusal("x") is None


def test_zeros_that_fade_out_or_are_rounding_are_no_step():
    """Air of exactly zero alone is what some software makes; a step of one stored value is rounding."""
    assert replace(PLAIN, zeros_in_air=0.95, step_at_air=0.004).warnings == ()
    assert replace(PLAIN, zeros_in_air=0.95, step_at_air=0.03, steps=40.0).warnings == ()


def test_negative_values_cut_off_are_no_threshold():
    """Noise about zero leaves half of the air at zero, a threshold or a mask all of it."""
    assert replace(PLAIN, zeros_around=0.4, zeros_in_air=0.48).warnings == ()
    assert len(replace(PLAIN, zeros_around=0.4, zeros_in_air=0.9).warnings) == 1


def test_a_background_subtracted_inside_a_circle_alone_is_seen_in_the_air(registered):
    """The corners stay at zero, and the air around the head falls below it."""
    scan, affine = registered
    x, y = np.ogrid[: scan.voxels.shape[0], : scan.voxels.shape[1]]
    middle = np.array(scan.voxels.shape[:2]) / 2
    inside = (np.hypot(x - middle[0], y - middle[1]) < 0.45 * min(scan.voxels.shape[:2]))[..., None]
    copy = np.where(inside, scan.voxels - 0.04 * scan.voxels.max(), 0).astype(np.float32)
    sbr, counts = counted(replace(scan, voxels=copy), affine)
    assert change_of(sbr, counted(scan, affine)[0]) > 0.1
    assert any("and should be near zero: the SBRs are too high" in warning for warning in counts.warnings)


def wrapped(largest, modulus=2**16):
    """Stored in 16 bits without a scale that fits: what is larger begins again at zero."""

    def copy(voxels):
        return (np.rint(np.maximum(voxels, 0) * (largest / voxels.max())).astype(np.int64) % modulus).astype(
            np.uint16
        )

    return copy


@pytest.mark.parametrize("largest", [1.2 * 2**16, 1.7 * 2**16])
@pytest.mark.parametrize("signed", [False, True])
def test_numbers_that_outgrew_their_type_are_said(largest, signed, registered):
    scan, _ = registered
    assert overflow_of(scan, "x") is None
    copy = wrapped(largest / (2 if signed else 1))(scan.voxels)
    copy = copy.view(np.int16) if signed else copy
    sentence = overflow_of(replace(scan, voxels=copy.astype(np.float32)), "reduced.dcm")
    assert sentence.startswith("reduced.dcm drops from its highest to its lowest values inside a hot spot")


def test_a_gland_that_the_field_of_view_cuts_is_no_hole():
    """Empty planes lie between it and the end of the image, beside its highest values."""
    x, y, z = np.ogrid[:64, :64, :40]
    gland = np.exp(-((x - 20) ** 2 + (y - 30) ** 2 + (z - 3) ** 2) / 18).astype(np.float32)
    gland[:, :, :2] = 0
    scan = Scan(gland, np.diag([3.0, 3, 3, 1]), Path("cut.nii"), "NIfTI")
    assert (np.abs(np.diff(gland, axis=2)) > 0.8).sum() >= 3
    assert overflow_of(scan, "x") is None
    holed = np.where(gland > 0.9, 0, gland)
    holed[:, :, :3] = gland[:, :, :3]
    middle = replace(scan, voxels=np.roll(holed, 20, axis=2))
    assert overflow_of(middle, "x") is not None


@pytest.mark.parametrize("marked", [True, False])
def test_a_mask_that_runs_through_a_hot_spot_is_no_hole(marked):
    """A gland at the ragged edge of a brain's mask: what is cut away lies between its highest values."""
    x, y, z = np.ogrid[:64, :64, :40]
    gland = np.exp(-((x - 20) ** 2 + (y - 30) ** 2 + (z - 20) ** 2) / 200).astype(np.float32)
    covered = np.broadcast_to((np.abs(x - 21) > 1) | (y > 33), gland.shape)
    covered = covered & ~((x == 23) & (y == 34))  # a step further in, by a corner
    cut = np.where(covered, gland, 0).astype(np.float32)
    scan = Scan(cut, np.diag([3.0, 3, 3, 1]), Path("cut.nii"), "NIfTI", covered=covered if marked else None)
    assert sum((np.abs(np.diff(cut, axis=axis)) > 0.8).sum() for axis in range(3)) >= 3
    assert overflow_of(scan, "x") is None
    closed_in = np.where((np.abs(y - 30) < 4) & (np.abs(z - 20) < 4), cut, gland)  # the same without a way out
    assert overflow_of(replace(scan, voxels=closed_in, covered=None), "x") is not None


REFUSALS = {
    "stored in 1 grey levels, too few": integers(4),
    "share the scan's highest value, so the uptake was cut off": clipped(99.5),
    "so zero is not where it should be": added(0.15),
    "is exactly zero, as a display threshold leaves it": below(0.3),
}


@pytest.mark.parametrize("words", REFUSALS)
def test_the_chain_refuses_with_the_reason(words):
    scan = read_scan(resource_path("Samples", "reduced.dcm"))
    found = register(scan)
    copy = replace(scan, voxels=REFUSALS[words](scan.voxels).astype(np.float32))
    analyzed = Analyzer(None, "cpu").analyze(copy, "case", Registration(found.scanner_from_mni, 0.99, True, {}))
    assert words in analyzed.error
    assert analyzed.error.startswith("reduced.dcm: ")
    assert analyzed.result["refused"] is True
    assert analyzed.result["classification"]["label"] is None
    assert analyzed.result["quantification"]["stored_values"]["steps"] > 0


@pytest.mark.parametrize(
    ("copy", "words"),
    [
        (added(0.3), "corners are not near zero"),
        (clipped(99), "of the image share its highest value"),
        (below(0.3), "as after a display threshold or a mask"),
        (integers(5), None),
    ],
)
def test_what_is_wrong_with_a_scan_that_cannot_be_registered(copy, words):
    scan = read_scan(resource_path("Samples", "reduced.dcm"))
    assert fault_of_image(scan, "x") is None
    found = fault_of_image(replace(scan, voxels=copy(scan.voxels).astype(np.float32)), "reduced.dcm")
    assert found is None if words is None else words in found
