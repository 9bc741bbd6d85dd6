"""The atlas: sizes, sides, symmetry, and that the files are the ones the build scripts made."""

import hashlib

import numpy as np
import pytest

from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.mni.atlas import (
    FULL_BOX,
    GRID_AFFINE,
    GRID_SHAPE,
    STRIATUM_BOX,
    VOXEL_VOLUME_ML,
    embed,
    load_atlas,
    load_mri,
)
from DaTscanAILib.mni.geometry import apply_affine
from DaTscanAILib.quantification.hottest_voxels import HOTTEST_VOLUME_ML

TEMPLATES = resource_path("Templates")


@pytest.fixture(scope="module")
def atlas():
    return load_atlas()


def center(mask):
    return apply_affine(GRID_AFFINE, np.argwhere(mask).mean(axis=0))


def test_every_file_is_the_one_that_was_built():
    listed = dict(line.split("  ")[::-1] for line in (TEMPLATES / "SHA256SUMS").read_text().splitlines())
    built = {path.name for path in TEMPLATES.iterdir() if path.suffix in (".gz", ".npz", ".csv", ".json")}
    assert set(listed) == built
    assert {name: hashlib.sha256((TEMPLATES / name).read_bytes()).hexdigest() for name in listed} == listed


def test_templates_stay_small():
    assert sum(path.stat().st_size for path in TEMPLATES.iterdir()) < 15e6


def test_grid_is_the_contract():
    np.testing.assert_allclose(apply_affine(GRID_AFFINE, np.zeros(3)), (-90, -126, -72))
    np.testing.assert_allclose(apply_affine(GRID_AFFINE, np.array(GRID_SHAPE) - 1), (90, 90, 108))


@pytest.mark.parametrize(("box", "shape"), [(FULL_BOX, (71, 90, 72)), (STRIATUM_BOX, (61, 44, 35))])
def test_boxes_have_the_published_sizes_and_are_symmetric(box, shape):
    assert tuple(part.stop - part.start for part in box) == shape
    assert box[0].start + box[0].stop - 1 == 2 * 45  # voxel 45 is x = 0
    volume = np.arange(np.prod(shape), dtype=float).reshape(shape)
    np.testing.assert_array_equal(embed(volume, box)[box], volume)


@pytest.mark.parametrize("number", [41, 42, 71, 72, 73, 74, 77, 78])
def test_striatum_box_holds_striatum_thalamus_and_amygdala(atlas, number):
    inside = np.zeros(GRID_SHAPE, bool)
    inside[STRIATUM_BOX] = True
    assert inside[atlas.labels == number].all()


@pytest.mark.parametrize(
    ("number", "millilitres"), [(71, 7.1), (72, 7.5), (73, 7.9), (74, 8.4), (77, 8.6), (117, 38.0)]
)
def test_region_volumes(atlas, number, millilitres):
    """AAL3's striatal volumes are 6.3-6.8 and 8.0-8.5 ml, its thalami 8.6 ml; a brain stem has 30 to 40 ml."""
    assert (atlas.labels == number).sum() * VOXEL_VOLUME_ML == pytest.approx(millilitres, rel=0.06)


@pytest.mark.parametrize("number", [*range(71, 79), 118, 119])
def test_left_regions_lie_left(atlas, number):
    name, _, hemisphere = atlas.names[number]
    x = center(atlas.labels == number)[0]
    assert hemisphere == ("left" if name.endswith("_L") else "right")
    assert (x < -5) if hemisphere == "left" else (x > 5)


@pytest.mark.parametrize("nucleus", ["caudate", "putamen", "striatum"])
def test_hottest_voxels_regions(atlas, nucleus):
    left, right = (atlas.hottest_voxels_region(nucleus, side) for side in ("left", "right"))
    np.testing.assert_array_equal(left, right[::-1])
    assert not (left & right).any()
    # Large: the region holds the volume of the method several times over, and the anatomical nucleus entirely.
    assert left.sum() * VOXEL_VOLUME_ML > 3 * HOTTEST_VOLUME_ML[nucleus]
    striatum = atlas.hottest_voxels_region("striatum", "left")
    assert striatum[atlas.anatomical_region(nucleus, "left")].all()
    assert left[atlas.anatomical_region(nucleus, "left")].mean() > 0.97


def test_caudate_and_putamen_part_the_striatum(atlas):
    caudate, putamen = (atlas.hottest_voxels_region(nucleus, "left") for nucleus in ("caudate", "putamen"))
    assert not (caudate & putamen).any()
    np.testing.assert_array_equal(caudate | putamen, atlas.hottest_voxels_region("striatum", "left"))


def test_reference_region_leaves_out_what_binds(atlas):
    reference = atlas.reference
    np.testing.assert_array_equal(reference, reference[::-1])
    assert atlas.brain[reference].all()
    assert not reference[np.isin(atlas.labels, [71, 72, 73, 74, 75, 76, 77, 78, *range(117, 123)])].any()
    assert 1300 < reference.sum() * VOXEL_VOLUME_ML < 1800


def test_tissue_fills_the_brain(atlas):
    np.testing.assert_array_equal(atlas.tissue > 0, atlas.brain)
    share = [(atlas.tissue == code).sum() / atlas.brain.sum() for code in (1, 2, 3)]
    assert share[1] == pytest.approx(0.55, abs=0.1)  # grey
    assert share[2] == pytest.approx(0.35, abs=0.1)  # white


def test_mri_shows_the_brain_of_the_atlas(atlas):
    """Thalamus is bright (grey among white matter), the ventricles are dark fluid: image and labels lie alike."""
    mri, affine = load_mri()
    for labels, low, high in (((77, 78), 85, 115), ((118, 119), 15, 55)):
        points = apply_affine(GRID_AFFINE, np.argwhere(np.isin(atlas.labels, labels)))
        index = np.rint(apply_affine(np.linalg.inv(affine), points)).astype(int)
        assert low < np.median(mri[tuple(index.T)]) < high
