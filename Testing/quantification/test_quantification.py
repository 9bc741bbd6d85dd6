"""Scaling, hottest voxels, SBR: against counted examples and invariances."""

import numpy as np
import pytest

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.mni.atlas import GRID_AFFINE, GRID_SHAPE, load_atlas
from DaTscanAILib.mni.geometry import scaling_and_translation
from DaTscanAILib.quantification.hottest_voxels import hottest_voxels_mask, hottest_voxels_mean
from DaTscanAILib.quantification.mirroring import ipsilateral_left, mirror
from DaTscanAILib.quantification.sbr import quantify
from DaTscanAILib.quantification.scaling import Normalized, normalize

ATLAS = load_atlas()
EVERYWHERE = np.ones(GRID_SHAPE, bool)


def striatal_image(left=(3.0, 2.0), right=(4.0, 3.0)):
    """Brain of 1 with caudate and putamen values (multiples of the reference) in the AAL outlines of each side."""
    image = ATLAS.brain.astype(np.float32)
    for side, values in (("left", left), ("right", right)):
        for nucleus, value in zip(("caudate", "putamen"), values, strict=True):
            image[ATLAS.hottest_voxels_region(nucleus, side)] = value
    return image


@pytest.mark.parametrize(
    ("volume_ml", "voxel_ml", "expected"),
    [
        (5.0, 1.0, (10 + 9 + 8 + 7 + 6) / 5),
        (2.5, 1.0, (10 + 9 + 0.5 * 8) / 2.5),  # half of the third voxel
        (0.5, 1.0, 10.0),
        (10.0, 1.0, 5.5),
        (0.3, 0.1, 9.0),  # 0.3 / 0.1 is 2.9999999999999996 in floating point
    ],
)
def test_hottest_voxels_fill_a_volume(volume_ml, voxel_ml, expected):
    values = np.random.default_rng(0).permutation(np.arange(1.0, 11.0))
    assert hottest_voxels_mean(values, volume_ml, voxel_ml) == pytest.approx(expected, abs=1e-12)


def test_hottest_voxels_need_a_large_enough_region():
    with pytest.raises(ValueError, match="cannot hold"):
        hottest_voxels_mean(np.ones(9), 10.0, 1.0)


def test_hottest_voxels_are_625_1250_1875_at_2_mm():
    image = np.random.default_rng(1).random(GRID_SHAPE)
    region = ATLAS.hottest_voxels_region("striatum", "left")
    for millilitres, count in ((5, 625), (10, 1250), (15, 1875)):
        mask = hottest_voxels_mask(image, region, millilitres)
        assert mask.sum() == count
        assert region[mask].all()
        assert image[mask].mean() == pytest.approx(hottest_voxels_mean(image[region], millilitres), abs=1e-9)


def test_sbr_of_a_known_image():
    result = quantify(Normalized(striatal_image(), EVERYWHERE, 1.0), ATLAS)
    assert result.sbr == pytest.approx(
        {
            "caudate_left": 2.0,
            "putamen_left": 1.0,
            "striatum_left": 2.0,
            "caudate_right": 3.0,
            "putamen_right": 2.0,
            "striatum_right": 3.0,
        },
        abs=1e-6,
    )
    assert result.asymmetry_percent == pytest.approx({"putamen": 100 / 1.5, "caudate": 100 / 2.5})
    assert result.caudate_putamen_ratio == pytest.approx({"left": 2.0, "right": 1.5})
    assert not result.mirrored
    assert result.lower_side == "left"
    assert result.warnings == ()


def test_the_lower_putamen_comes_to_the_left():
    image = mirror(striatal_image())
    result = quantify(Normalized(image, EVERYWHERE, 1.0), ATLAS)
    assert result.mirrored
    np.testing.assert_array_equal(ipsilateral_left(image, True), striatal_image())
    np.testing.assert_array_equal(ipsilateral_left(ipsilateral_left(image, True), True), image)


def test_mirroring_only_exchanges_the_sides():
    image = striatal_image() + np.random.default_rng(2).random(GRID_SHAPE).astype(np.float32)
    original, mirrored = (quantify(Normalized(voxels, EVERYWHERE, 1.0), ATLAS) for voxels in (image, mirror(image)))
    for nucleus in ("caudate", "putamen", "striatum"):
        for side, other in (("left", "right"), ("right", "left")):
            assert original.sbr[f"{nucleus}_{side}"] == pytest.approx(mirrored.sbr[f"{nucleus}_{other}"], rel=1e-6)
    assert original.asymmetry_percent == pytest.approx(mirrored.asymmetry_percent, rel=1e-6)


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e6])
def test_scaling_does_not_depend_on_the_units(factor):
    image = striatal_image() + np.random.default_rng(3).random(GRID_SHAPE).astype(np.float32)
    plain = normalize(image, GRID_AFFINE, np.eye(4), ATLAS)
    scaled = normalize(image * np.float32(factor), GRID_AFFINE, np.eye(4), ATLAS)
    assert scaled.reference_level == pytest.approx(factor * plain.reference_level, rel=1e-6)
    np.testing.assert_allclose(scaled.voxels, plain.voxels, rtol=1e-5)
    assert np.percentile(plain.voxels[ATLAS.reference], 75) == pytest.approx(1.0, abs=1e-6)


def test_normalization_follows_the_affine():
    """A scan stored on another grid, turned and in another voxel order, gives the same image in MNI space."""
    image = striatal_image()
    turned = np.ascontiguousarray(image.transpose(1, 0, 2)[:, ::-1])
    affine = GRID_AFFINE @ np.array([[0, -1, 0, 90], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    shift = scaling_and_translation(1.0, (12.0, -30.0, 500.0))
    normalized = normalize(turned, shift @ affine, shift, ATLAS)
    np.testing.assert_allclose(normalized.voxels, image, atol=1e-4)


def test_a_cut_field_of_view_withholds_what_it_lacks():
    covered = EVERYWHERE.copy()
    covered[:, :, :38] = False  # everything below z = 4 mm
    result = quantify(Normalized(striatal_image(), covered, 1.0), ATLAS)
    assert result.sbr["putamen_left"] is None
    assert result.asymmetry_percent["putamen"] is None
    assert result.caudate_putamen_ratio["right"] is None
    assert any("left putamen" in warning for warning in result.warnings)


def test_no_reference_no_numbers():
    with pytest.raises(DaTscanError, match="40 %"):
        normalize(np.ones((20, 20, 20), np.float32), GRID_AFFINE, np.eye(4), ATLAS)
    with pytest.raises(DaTscanError, match="no counts"):
        normalize(np.zeros(GRID_SHAPE, np.float32), GRID_AFFINE, np.eye(4), ATLAS)


def test_ratios_of_almost_nothing_are_not_given():
    result = quantify(Normalized(striatal_image((1.05, 1.05), (1.05, 1.05)), EVERYWHERE, 1.0), ATLAS)
    assert result.caudate_putamen_ratio == {"left": None, "right": None}
    assert result.asymmetry_percent == {"putamen": None, "caudate": None}
