"""The same scan through every format, and the samples against their truth."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from scan_oracles import AFFINES, assert_marker
from volume_factory import itk_image, marker_volume

from DaTscanAILib.mni.geometry import resample
from DaTscanAILib.reading.scan import read_scan, write_volume

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
TEMPLATES = Path(__file__).resolve().parents[2] / "Resources" / "Templates"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not part of the repository")


@pytest.mark.parametrize("name", [name for name in AFFINES if name != "sheared"])
def test_the_same_scan_in_every_format(name, tmp_path):
    affine = AFFINES[name]
    voxels = marker_volume(affine)
    write_volume(tmp_path / "ours.nii.gz", voxels, affine)
    write_volume(tmp_path / "ours.nrrd", voxels, affine)
    for suffix in (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"):
        SimpleITK.WriteImage(itk_image(voxels, affine), tmp_path / f"itk{suffix}")
    paths = [*tmp_path.glob("ours*"), *tmp_path.glob("itk.[nm]*")]
    assert len(paths) == 8
    for path in paths:
        scan = read_scan(path)
        np.testing.assert_array_equal(scan.voxels, voxels)
        np.testing.assert_allclose(scan.affine, affine, atol=2e-5)  # NIfTI keeps float32
        assert_marker(scan)


@needs_samples
def test_a_sample_resaved_in_every_format(tmp_path):
    scan = read_scan(SAMPLES / "sample02.dcm")
    for suffix in (".nii", ".nii.gz", ".nrrd"):
        write_volume(tmp_path / f"sample{suffix}", scan.voxels, scan.affine)
        again = read_scan(tmp_path / f"sample{suffix}")
        np.testing.assert_array_equal(again.voxels, scan.voxels)
        np.testing.assert_allclose(again.affine, scan.affine, rtol=1e-6, atol=1e-5)
    SimpleITK.WriteImage(itk_image(scan.voxels, scan.affine), tmp_path / "sample.mha")
    np.testing.assert_allclose(read_scan(tmp_path / "sample.mha").affine, scan.affine, atol=1e-6)


SAMPLE_FILES = sorted(path for path in SAMPLES.glob("sample*") if path.suffix != ".json")
FLIPS = [
    np.diag([1.0, -1, 1, 1]),
    np.diag([1.0, 1, -1, 1]),
]  # front to back, top to bottom: mirror symmetry hides x
PUTAMEN = {"left": 3, "right": 4}  # codes of quantification_regions_2mm.nii.gz


@needs_samples
@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.name)
def test_the_brain_of_a_sample_lies_where_the_truth_says(path):
    """Neither turned over nor 10 mm to any side does the scan fit the brain of the template as well."""
    scan, truth = read_scan(path), sample_truth(path)
    grid, brain, regions = template_grid()

    def likeness(moved):
        mni = on_mni_grid(scan, truth, moved @ grid)
        return np.corrcoef(np.minimum(mni, np.percentile(mni[brain], 75)).ravel(), brain.ravel())[0, 1]

    others = [*FLIPS, *(shift(axis, 10 * sign) for axis in range(3) for sign in (-1, 1))]
    assert likeness(np.eye(4)) > max(likeness(moved) for moved in others) + 0.01

    mni = on_mni_grid(scan, truth, grid)
    for code in (
        1,
        2,
        3,
        4,
    ):  # caudate and putamen, left and right: even in the worst sample hotter than the rest
        assert np.sort(mni[regions == code])[-625:].mean() > 1.5 * mni[regions == 5].mean()


@needs_samples
@pytest.mark.parametrize("name", ["sample05", "sample06", "sample10"])
def test_the_weaker_side_of_an_asymmetric_sample_is_the_one_the_truth_names(name):
    path = next(path for path in SAMPLE_FILES if path.name.startswith(name))
    truth = sample_truth(path)
    ratio = {
        side: sum(truth["true_specific_ratio"][f"put_{part}_{side}"] for part in ("ant", "post")) for side in "LR"
    }
    assert max(ratio.values()) > 1.3 * min(ratio.values())
    grid, _, regions = template_grid()
    mni = on_mni_grid(read_scan(path), truth, grid)
    left, right = (mni[regions == PUTAMEN[side]].mean() for side in ("left", "right"))
    assert (left > right) == (ratio["L"] > ratio["R"])


def sample_truth(path) -> dict:
    return json.loads((SAMPLES / f"{path.name.split('.')[0]}.json").read_text())


def on_mni_grid(scan, truth, grid):
    """The scan on the 2-mm MNI grid by the true registration."""
    return resample(
        scan.voxels,
        np.linalg.inv(scan.affine) @ np.array(truth["scanner_from_mni_ras"]) @ grid,
        (91, 109, 91),
    )


def shift(axis, distance) -> np.ndarray:
    matrix = np.eye(4)
    matrix[axis, 3] = distance
    return matrix


def template_grid():
    """Affine of the 2-mm MNI grid, brain and regions, all from the template files."""
    brain = nibabel.load(TEMPLATES / "brain_2mm.nii.gz")
    regions = nibabel.load(TEMPLATES / "quantification_regions_2mm.nii.gz")
    assert brain.shape == (91, 109, 91)
    np.testing.assert_array_equal(brain.affine @ [0, 0, 0, 1], [-90, -126, -72, 1])
    return brain.affine, np.asarray(brain.dataobj) > 0, np.asarray(regions.dataobj)
