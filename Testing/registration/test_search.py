"""What is tried when the first fit does not convince, and images that have broken fits before."""

import numpy as np
import pytest

from DaTscanAILib.mni.atlas import GRID_AFFINE, GRID_SHAPE, load_atlas
from DaTscanAILib.mni.geometry import apply_affine, resample
from DaTscanAILib.reading.scan import Scan, checked_scan
from DaTscanAILib.registration import search as searching
from DaTscanAILib.registration.affine import WITHOUT_SURROUNDINGS, register
from DaTscanAILib.registration.landmarks import landmark_error
from DaTscanAILib.registration.quality import ACCEPTED_FROM, SURE_FROM
from DaTscanAILib.registration.search import search
from DaTscanAILib.registration.smooth_scan import SmoothScan, center_of_head
from DaTscanAILib.registration.template import load_template
from DaTscanAILib.registration.template_fit import _Level
from DaTscanAILib.simulation.pose import MIDDLE
from DaTscanAILib.simulation.simulator import Settings, simulate_scan

# Parotid and submandibular glands: MNI mm, share of the peak; standard deviations in mm.
GLANDS = (((62, -20, -58), 1.0), ((-62, -20, -58), 1.0), ((24, 20, -82), 0.8), ((-24, 20, -82), 0.8))
RADII = np.array((9.0, 13.0, 16.0))


@pytest.fixture(scope="module")
def scan():
    """A normal scan with neck in the field of view."""
    settings = Settings(label="normal", families=("butterworth",), pose="moderate", field="camera")
    return simulate_scan(700_001, settings)


def found_in(voxels, affine):
    return register(Scan(np.ascontiguousarray(voxels, np.float32), affine, path=None, format="NIfTI"))


def error_of(found, scan):
    return landmark_error(found.scanner_from_mni, scan.pose.scanner_from_mni)


def mni_points(scan):
    index = np.moveaxis(np.indices(scan.voxels.shape), 0, -1)
    return apply_affine(np.linalg.inv(scan.pose.scanner_from_mni) @ scan.affine, index)


def background(voxels):
    return np.percentile(voxels[voxels > 0.1 * voxels.max()], 50)


@pytest.mark.parametrize("peak", [4, 6])
def test_hot_glands_do_not_pull_the_fit(scan, peak):
    points = mni_points(scan)
    glands = sum(a * np.exp(-0.5 * (((points - c) / RADII) ** 2).sum(axis=-1)) for c, a in GLANDS)
    found = found_in(scan.voxels + peak * background(scan.voxels) * glands, scan.affine)
    assert found.accepted
    assert error_of(found, scan) < 4


@pytest.mark.parametrize("outside", [0.0, np.nan])
def test_a_brain_without_surroundings_is_registered(scan, outside):
    """Zeros are air to whoever reads them as measured; NaN says that nothing was."""
    brain = load_atlas().brain.astype(np.float32)
    mask = resample(brain, np.linalg.inv(scan.pose.scanner_from_mni @ GRID_AFFINE) @ scan.affine, scan.voxels.shape)
    found = found_in(np.where(mask > 0.5, scan.voxels, outside), scan.affine)
    assert found.accepted
    assert error_of(found, scan) < 4


def test_what_is_not_covered_is_no_air(scan):
    """The reader puts zeros where NaN was; the fit must see them as not measured."""
    mask = resample(
        load_atlas().brain.astype(np.float32),
        np.linalg.inv(scan.pose.scanner_from_mni @ GRID_AFFINE) @ scan.affine,
        scan.voxels.shape,
    )
    with_nan = np.where(mask > 0.5, scan.voxels, np.nan).astype(np.float32)
    read = checked_scan("nan.nii", Scan(with_nan, scan.affine, path=None, format="NIfTI"))
    assert read.covered is not None
    found = register(read)
    assert found.accepted
    assert WITHOUT_SURROUNDINGS not in found.warnings
    assert error_of(found, scan) < 4
    as_nan = found_in(with_nan, scan.affine)
    assert landmark_error(found.scanner_from_mni, as_nan.scanner_from_mni) < 0.5


@pytest.mark.parametrize("cut", [20.0, 50.0])
def test_a_field_of_view_cut_from_below_is_answered_or_refused_for_that(scan, cut):
    """50 mm take most of the cerebellum."""
    heights = (np.linalg.inv(scan.pose.scanner_from_mni) @ scan.affine)[2]
    middle = (np.array(scan.voxels.shape[:2]) - 1) / 2
    slices = np.arange(scan.voxels.shape[2])
    kept = np.flatnonzero(heights[:2] @ middle + heights[2] * slices + heights[3] > -70 + cut)
    affine = scan.affine.copy()
    affine[:3, 3] += kept[0] * affine[:3, 2]
    found = found_in(scan.voxels[:, :, kept], affine)
    if found.accepted:
        assert error_of(found, scan) < 5
    else:
        assert found.reason == "part of the brain lies outside the field of view"
    assert found.accepted or cut == 50.0


def test_a_masked_scan_in_mni_space_is_registered(scan):
    voxel_from_grid = np.linalg.inv(scan.affine) @ scan.pose.scanner_from_mni @ GRID_AFFINE
    voxels = resample(scan.voxels, voxel_from_grid, GRID_SHAPE)
    x, y, z = np.moveaxis(apply_affine(GRID_AFFINE, np.moveaxis(np.indices(GRID_SHAPE), 0, -1)), -1, 0)
    ellipsoid = (x / 72) ** 2 + ((y + 18) / 92) ** 2 + ((z - 6) / 72) ** 2 < 1
    found = found_in(np.where(ellipsoid, voxels, 0), GRID_AFFINE)
    assert found.accepted
    assert landmark_error(found.scanner_from_mni, np.eye(4)) < 4


def test_the_head_is_sought_on_top_of_shoulders():
    """Neck, shoulders and chest are several times the head's volume."""
    grid = np.stack(np.meshgrid(*[np.arange(n) * 6.0 for n in (80, 60, 80)], indexing="ij"), axis=-1)
    head = (((grid - (240, 180, 380)) / (75, 95, 80)) ** 2).sum(axis=-1) < 1
    body = (((grid - (240, 180, 60)) / (200, 110, 230)) ** 2).sum(axis=-1) < 1
    middle = center_of_head(SmoothScan((head | body).astype(np.float32), np.diag([6.0, 6, 6, 1])))
    np.testing.assert_allclose(middle, (240, 180, 380), atol=15)


def test_the_start_of_a_long_field_of_view_lies_in_the_head():
    scans = [simulate_scan(seed, Settings(field="wide")) for seed in (700_103, 700_104)]
    template = load_template()
    for scan in scans:
        smooth = SmoothScan(scan.voxels, scan.affine).smoothed(template.fwhm).smoothed(12.0, every=2)
        truth = apply_affine(scan.pose.scanner_from_mni, MIDDLE)
        assert np.linalg.norm(center_of_head(smooth) - truth) < 35


def test_the_best_of_all_starts_is_taken(scan, monkeypatch):
    """The first fit is doubtful, the third sure: the search must not stop at the first that is acceptable."""
    qualities = iter([0.6, 0.55, 0.9, *[0.1] * 20])
    monkeypatch.setattr(searching, "quality_of", lambda fit, template: next(qualities))
    monkeypatch.setattr(searching, "_SAME_PLACE", -1.0)  # every start is finished
    found = search(scan.voxels, scan.affine, load_template())
    assert found.quality == 0.9


@pytest.mark.parametrize(("first", "taken"), [(0.6, 0.6), (0.4, 0.9)])
def test_an_accepted_fit_gives_way_to_none_that_explains_the_scan_much_worse(first, taken, scan, monkeypatch):
    """A fit 20 mm off was taken for the sure one in place of the right one, which was doubtful (noisy image)."""
    qualities, costs = iter([first, 0.1, 0.9, *[0.1] * 20]), iter([1.0, 1.0, 1.3, *[1.0] * 20])
    monkeypatch.setattr(searching, "quality_of", lambda fit, template: next(qualities))
    monkeypatch.setattr(searching, "_SAME_PLACE", -1.0)  # every start is finished
    monkeypatch.setattr(_Level, "cost", lambda *_: next(costs))
    assert search(scan.voxels, scan.affine, load_template()).quality == taken


def test_a_fit_elsewhere_costs_more(scan):
    fitter = searching._plain(scan.voxels, scan.affine, load_template())
    right = fitter.fit(searching._start(fitter))
    for shift in (8.0, 16.0):
        held = fitter.held(right.parameters + shift * np.eye(12)[1])
        assert held.cost > (1 + shift / 40) * right.cost


def test_a_sure_fit_needs_no_other_start(scan, monkeypatch):
    monkeypatch.setattr(searching, "_from_other_starts", lambda *_: pytest.fail("another start was tried"))
    assert search(scan.voxels, scan.affine, load_template()).quality >= SURE_FROM


def test_a_doubtful_fit_is_to_be_checked_by_eye(scan, monkeypatch):
    monkeypatch.setattr(searching, "quality_of", lambda fit, template: 0.63)
    found = found_in(scan.voxels, scan.affine)
    assert found.accepted
    assert any("doubtful (quality 0.63): check it by eye" in warning for warning in found.warnings)


def test_a_burnt_in_frame_does_not_disturb(scan):
    """Two outermost planes as bright as the striatum: the head is untouched, so there is an answer."""
    voxels = scan.voxels.copy()
    voxels[:2] = voxels.max()
    found = found_in(voxels, scan.affine)
    assert found.quality >= ACCEPTED_FROM
    assert error_of(found, scan) < 4
