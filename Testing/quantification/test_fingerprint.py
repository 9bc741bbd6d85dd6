"""Smoothness, attenuation and fingerprints measured on images whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.mni.atlas import GRID_SHAPE, GRID_SPACING, load_atlas
from DaTscanAILib.mni.geometry import FWHM_PER_SIGMA
from DaTscanAILib.quantification.fingerprint import Fingerprint, fingerprint_of, middle_to_rim
from DaTscanAILib.quantification.site_fingerprint import same_camera, site_fingerprint
from DaTscanAILib.quantification.smoothness import measure_smoothness, widening
from DaTscanAILib.reading.scan import Camera, Scan

ATLAS = load_atlas()


def brain(putamen=6.0, caudate=6.5, noise=0.0, seed=0) -> np.ndarray:
    """Sharp uptake in the atlas's own outlines, the fluid nearly empty."""
    image = ATLAS.brain.astype(np.float32)
    image[ATLAS.tissue == 1] = 0.2
    for side in ("left", "right"):
        image[ATLAS.anatomical_region("caudate", side)] = caudate
        image[ATLAS.anatomical_region("putamen", side)] = putamen
    return image * (1 + noise * np.random.default_rng(seed).standard_normal(GRID_SHAPE).astype(np.float32))


def blurred(image, fwhm):
    return gaussian_filter(image, fwhm / FWHM_PER_SIGMA / GRID_SPACING)


@pytest.mark.parametrize("fwhm", [9.0, 12.0, 16.0, 21.0])
@pytest.mark.parametrize(("putamen", "caudate"), [(6.0, 6.5), (1.8, 3.0)])
def test_a_known_blur_is_measured(fwhm, putamen, caudate):
    image = blurred(brain(putamen, caudate, noise=1.0), fwhm)
    assert measure_smoothness(image) == pytest.approx(fwhm, abs=0.6)


def test_further_blur_adds_in_squares():
    image = blurred(brain(), 10.0)
    for more in (6.0, 10.0):
        assert widening(measure_smoothness(image), measure_smoothness(blurred(image, more))) == pytest.approx(
            more, abs=0.5
        )
    assert widening(12.0, 10.0) == 0.0


def test_neither_units_nor_attenuation_change_it():
    image = blurred(brain(), 12.0)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in GRID_SHAPE], indexing="ij")
    darker = image * (1 - 0.35 * np.exp(-2 * sum(axis**2 for axis in axes))).astype(np.float32)
    assert measure_smoothness(7e4 * image) == pytest.approx(measure_smoothness(image), abs=1e-3)
    assert measure_smoothness(darker) == pytest.approx(measure_smoothness(image), abs=0.4)
    assert middle_to_rim(darker, ATLAS) < middle_to_rim(image, ATLAS) - 0.1


def scan(**camera):
    affine = np.diag([-3.9, 3.9, 4.2, 1.0])
    voxels = np.ones((64, 70, 40), np.float32)
    return Scan(voxels, affine, None, "DICOM NM", camera=Camera(**camera))


def test_the_fingerprint_holds_header_and_image():
    image = blurred(brain(), 12.0)
    found = fingerprint_of(scan(model="Symbia", corrections=("DECY", "ATTN", "SCAT")), image)
    assert found.stated == {"model": "Symbia"}
    assert found.corrections == "ATTN+SCAT"
    assert found.matrix == (64, 70)
    assert found.voxel_mm == (3.9, 3.9, 4.2)
    assert found.smoothness_mm == pytest.approx(12, abs=0.6)
    assert fingerprint_of(scan(corrections=("DECY",)), image).corrections == "none"
    assert fingerprint_of(scan(), image).corrections is None
    assert Fingerprint.from_json(found.to_json()) == found


def test_axes_are_the_patients_whatever_the_files():
    """The same scan stored with its slices first."""
    turned = Scan(
        np.ones((40, 64, 70), np.float32),
        np.array([[0, -3.9, 0, 0], [0, 0, 3.9, 0], [4.2, 0, 0, 0], [0, 0, 0, 1.0]]),
        None,
        "NIfTI",
    )
    found = fingerprint_of(turned, blurred(brain(), 12.0))
    assert found.matrix == (64, 70)
    assert found.voxel_mm == (3.9, 3.9, 4.2)


def test_scans_of_two_cameras_are_no_site():
    one = Fingerprint(stated={"model": "A"}, matrix=(128, 128), voxel_mm=(4, 4, 4), smoothness_mm=12, contrast=1.5)
    other = replace(one, stated={"model": "B"})
    with pytest.raises(DaTscanError, match="camera A / B"):
        site_fingerprint([one, other])
    assert site_fingerprint([one, other], several_cameras=True).stated == {"model": ["A", "B"]}
    assert site_fingerprint([one, replace(one, stated={})]).stated == {"model": ["A"]}
    assert same_camera(one, one) == []
    assert same_camera(one, other) == ["its camera is B, the first scan's A"]


def test_a_site_tolerates_what_its_own_scans_spread_over():
    prints = [
        Fingerprint(matrix=(128, 128), voxel_mm=(4, 4, 4), smoothness_mm=width, contrast=1.5) for width in (8, 12, 16)
    ]
    low, high = site_fingerprint(prints).smoothness_mm
    assert high - 12 == pytest.approx(3 * np.std([8, 12, 16]), abs=1e-3)
    assert low < 8
