"""From the reconstruction to the file: fields of view, turned grids, bodies, storage; geometry stays true."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from DaTscanAILib.cli.arguments import UNUSABLE
from DaTscanAILib.cli.main import main
from DaTscanAILib.mni.atlas import GRID_AFFINE, GRID_SHAPE, load_atlas
from DaTscanAILib.mni.geometry import apply_affine, resample, scaling_and_translation, voxel_spacing
from DaTscanAILib.simulation.anatomy import HELD_OUT, TRAINING_ANATOMIES, load_anatomy
from DaTscanAILib.simulation.deformation import COARSE, head_field, smaller_nuclei, widened_ventricles
from DaTscanAILib.simulation.field_of_view import LONGEST, SHORTEST, WIDEST, Field, add_body, draw_field, export
from DaTscanAILib.simulation.pose import Pose, draw_pose, rotation
from DaTscanAILib.simulation.storage import STORAGE_SHARES, STORAGES, store

PLAIN = Field(-60.0, 60.0, 0.0, 0.0, 0.0, 256.0, (0.0, 0.0), (0.0, 0.0, 0.0), 0.0, None, 4.0)
POSE = Pose(np.eye(4), 0.0, 1.0)
PLACE = np.array((20.0, -12.0, 16.0))  # mm, of the hot spot


def image_with_spot():
    """A smooth spot in a 4-mm image: voxels and affine."""
    affine = scaling_and_translation(4.0, (-126.0, -126.0, -58.0))
    points = apply_affine(affine, np.moveaxis(np.indices((64, 64, 30)), 0, -1).astype(float))
    return np.exp(-((points - PLACE) ** 2).sum(axis=-1) / (2 * 8.0**2)).astype(np.float32), affine


def spot_of(voxels, affine):
    return apply_affine(affine, np.array(ndimage.center_of_mass(voxels * (voxels > 0.2 * voxels.max()))))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"below": 120.0, "above": 40.0},
        {"across": 400.0, "shift": (12.0, -30.0)},
        {"turn": rotation(20, 5, -15), "spacing": 2.5},
        {"turn": np.eye(3), "spacing": 3.0, "across": 220.0, "origin": (5.0, -7.0, 31.0)},
    ],
)
def test_exporting_keeps_places(changes):
    field = replace(PLAIN, **changes)
    voxels, affine = export(*image_with_spot(), POSE, field, np.random.default_rng(1))
    np.testing.assert_allclose(spot_of(voxels, affine), PLACE + field.origin, atol=0.6)
    assert voxels.shape[0] * voxel_spacing(affine)[0] == pytest.approx(field.across, abs=8)
    assert np.linalg.det(affine[:3, :3]) > 0


def test_fields_keep_their_limits():
    random = np.random.default_rng(3)
    lengths, turned = {"usual": [], "wide": []}, 0
    for kind, drawn in lengths.items():
        for _ in range(400):
            pose = draw_pose(65.0, random, kind=kind)
            field = draw_field(pose, 3.6, 128, random, kind)
            drawn.append(field.top - field.bottom + field.below + field.above)
            assert 219 < field.across <= WIDEST
            turned += kind == "usual" and field.turn is not None and not np.allclose(field.turn, np.eye(3))
    assert min(lengths["usual"]) >= SHORTEST
    assert max(lengths["wide"]) <= LONGEST
    assert 200 < np.median(lengths["usual"]) < 330  # DaT-Park: 294
    assert turned / 400 == pytest.approx(0.40, abs=0.08)  # DaT-Park: 40 %


def test_a_body_is_added_below_and_the_head_stays():
    image, _ = image_with_spot()
    head = ndimage.gaussian_filter((np.hypot(*np.indices((64, 64)) - 31.5) < 22).astype(np.float32), 1)
    image = image + head[..., None]
    longer = add_body(image, 4.0, 50, 150.0, np.random.default_rng(3))
    assert longer.shape == (64, 64, 80)
    np.testing.assert_array_equal(longer[..., 54:], image[..., 4:])
    assert (longer[..., :10] == 0).all()
    across = [(longer[..., k].max(axis=1) > 0.3).sum() * 4 for k in (49, 15)]
    assert across[1] > across[0] + 40  # shoulders are wider than necks


def test_the_held_out_heads_are_not_for_training():
    assert set(HELD_OUT).isdisjoint(TRAINING_ANATOMIES)
    assert len(TRAINING_ANATOMIES) >= 10
    assert len(HELD_OUT) >= 1


def test_heads_have_strong_deformations_of_their_own():
    shape = (24, 29, 34)
    fields = {name: head_field(load_anatomy(name), shape) for name in ("colin27", "colin27_apart", "icbm152_apart")}
    assert (fields["colin27"] == 0).all()
    assert fields["colin27_apart"].std() == pytest.approx(3.5, rel=0.1)
    np.testing.assert_array_equal(fields["colin27_apart"], head_field(load_anatomy("colin27_apart"), shape))
    alike = np.corrcoef(fields["colin27_apart"].ravel(), fields["icbm152_apart"].ravel())[0, 1]
    assert abs(alike) < 0.5


def test_ventricles_open_outwards_and_nuclei_shrink_about_their_middles():
    """What is seen at p lies at p + displacement: walls move out, so that it lies further in."""
    walls = np.array([[[[16.0, 10.0, 9.0], [-16.0, 10.0, 9.0]]]])
    (right, left) = widened_ventricles(walls, 3.0)[:, 0, 0].T
    assert right[0] < -1.5
    assert left[0] > 1.5
    anatomy = load_anatomy("colin27")
    axes = [np.arange(-80, 80, COARSE)] * 3
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    field = smaller_nuclei(anatomy, points, 0.1)
    assert np.isfinite(field).all()
    assert 0.3 < np.abs(field).max() < 4
    assert (smaller_nuclei(anatomy, points, 0.0) == 0).all()


# ---- storage


@pytest.fixture(scope="module")
def scan():
    """A ball of brain level 1 with a spot of 3 at the origin of MNI, 4 mm, with faint air around."""
    affine = scaling_and_translation(4.0, (-150.0, -150.0, -90.0))
    points = apply_affine(affine, np.moveaxis(np.indices((76, 76, 46)), 0, -1).astype(float))
    distance = np.linalg.norm(points - (0, -18, 8), axis=-1)
    voxels = np.where(distance < 75, 1.0, 0.05) + 2 * (np.linalg.norm(points - (12, 4, 0), axis=-1) < 10)
    return voxels.astype(np.float32), affine, np.eye(4)


@pytest.mark.parametrize("storage", STORAGES)
def test_stored_scans_keep_the_brain_in_place(scan, storage):
    voxels, affine, truth = store(*scan, storage, np.random.default_rng(4))
    in_mni = resample(
        np.nan_to_num(voxels.astype(np.float32)), np.linalg.inv(affine) @ truth @ GRID_AFFINE, GRID_SHAPE
    )
    spot = apply_affine(
        GRID_AFFINE, np.array(np.unravel_index(ndimage.gaussian_filter(in_mni, 1.5).argmax(), GRID_SHAPE))
    )
    np.testing.assert_allclose(spot, (12, 4, 0), atol=5)
    level = in_mni[load_atlas().brain & (in_mni > 0)]
    assert level.size > 0.6 * load_atlas().brain.sum()
    if storage not in ("few_integers", "window_8_bit"):
        assert in_mni.max() / np.median(level) == pytest.approx(3, rel=0.1)


def test_each_kind_of_storage_does_what_it_says(scan):
    random = np.random.default_rng(5)
    kinds = {storage: store(*scan, storage, random)[0] for storage in STORAGES}
    assert kinds["plain"].dtype == np.int16
    assert kinds["plain"].max() == 32000
    assert kinds["window_8_bit"].dtype == np.uint8
    assert (kinds["zero_background"] == 0).mean() > (kinds["plain"] == 0).mean() + 0.3
    assert np.isnan(kinds["nan_outside_circle"]).any()
    assert np.isnan(kinds["nan_outside_brain"]).mean() > np.isnan(kinds["nan_outside_circle"]).mean()
    assert kinds["mni"].shape == GRID_SHAPE
    maxima = [store(*scan, "few_integers", random)[0].max() for _ in range(60)]
    assert 3 <= min(maxima) <= 8
    assert max(maxima) > 100
    assert STORAGE_SHARES["plain"] > 0.5
    assert sum(STORAGE_SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize("option", ["--subtype", "--label", "--pose", "--field", "--storage", "--anatomies"])
def test_names_that_are_not_known_are_refused_with_the_known_ones(option, tmp_path, capsys):
    assert main(["simulate", "--count", "1", "--output", str(tmp_path), option, "nobody"]) == UNUSABLE
    told = capsys.readouterr().err
    assert "'nobody': choose among" in told
    assert list(tmp_path.iterdir()) == []
