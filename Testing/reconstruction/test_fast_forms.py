"""Fast turning, blurring, projecting and Chang's correction against the plain formulas, on small arrays."""

import numpy as np
import pytest
from camera_factory import CAMERA, cylinder
from scipy import ndimage

from DaTscanAILib.reconstruction import projector as projector_module
from DaTscanAILib.reconstruction.chang import chang_factors, rotated
from DaTscanAILib.reconstruction.distance_blur import DistanceBlur
from DaTscanAILib.reconstruction.filtered_back_projection import back_projection_matrix
from DaTscanAILib.reconstruction.osem import osem
from DaTscanAILib.reconstruction.projector import Projector
from DaTscanAILib.reconstruction.rotation import Rotations, box

SIZE, VIEWS = 13, 12


def plain_rotation(view, size=SIZE, views=VIEWS):
    """Dense `(size*size, size*size)`: each turned pixel's four weights, written one by one."""
    matrix, middle, angle = np.zeros((size, size, size, size), np.float32), (size - 1) / 2, 2 * np.pi * view / views
    for depth, u in np.ndindex(size, size):
        row = np.cos(angle) * (u - middle) - np.sin(angle) * (depth - middle) + middle
        column = np.sin(angle) * (u - middle) + np.cos(angle) * (depth - middle) + middle
        for i, j in np.ndindex(2, 2):
            r, c = int(np.floor(row)) + i, int(np.floor(column)) + j
            weight = (1 - abs(row - r)) * (1 - abs(column - c))
            if 0 <= r < size and 0 <= c < size and weight > 1e-6:
                matrix[depth, u, r, c] = weight
    return matrix.reshape(size**2, size**2)


@pytest.fixture
def random():
    return np.random.default_rng(20)


@pytest.mark.parametrize("view", range(VIEWS))
def test_turns_are_the_plain_ones_forwards_and_backwards(view):
    plain, turns = plain_rotation(view), Rotations(SIZE, VIEWS)
    np.testing.assert_allclose(turns.forward(view).toarray(), plain, atol=1e-7)
    np.testing.assert_array_equal(turns.backward(view).toarray(), turns.forward(view).toarray().T)
    alike_at_each_depth = plain.reshape(SIZE, SIZE, -1).sum(axis=0).T
    np.testing.assert_allclose(turns.spreading(view).toarray(), alike_at_each_depth, atol=1e-6)


def test_turns_of_a_part_hold_all_that_it_becomes(random):
    turns, occupied = Rotations(SIZE, VIEWS), np.zeros((SIZE, SIZE), bool)
    occupied[2:9, 5:13] = random.random((7, 8)) < 0.7
    plane = np.where(occupied, random.random((SIZE, SIZE)), 0).astype(np.float32).reshape(-1, 1)
    views = [1, 2, 3]
    depths, columns, matrices = turns.of_part(views, occupied)
    for view, matrix in zip(views, matrices, strict=True):
        whole = np.zeros((SIZE, SIZE), np.float32)
        shape = (depths.stop - depths.start, columns.stop - columns.start)
        whole[depths, columns] = (matrix @ plane).reshape(shape)
        np.testing.assert_array_equal(whole.reshape(-1, 1), turns.forward(view) @ plane)


def test_a_box_of_nothing_is_one_pixel():
    assert box(np.zeros((4, 5), bool)) == (slice(0, 1), slice(0, 1))
    hit = np.zeros((4, 5), bool)
    hit[1, 3] = hit[2, 2] = True
    assert box(hit) == (slice(1, 3), slice(2, 4))


@pytest.fixture
def head(random):
    """Activity and attenuation of something small and off the middle, four slices."""
    shape = np.zeros((SIZE, SIZE, 4), np.float32)
    shape[3:9, 4:11] = random.random((6, 7, 4))
    return shape, 0.02 * (shape > 0.1).astype(np.float32)


@pytest.mark.parametrize("attenuates", [True, False])
def test_what_is_empty_is_left_out_and_nothing_changes(head, attenuates, monkeypatch):
    activity, attenuation = head
    projections = []
    for largest in (0.0, 1.1):
        monkeypatch.setattr(projector_module, "_LARGEST_PART", largest)
        projections.append(Projector(CAMERA, SIZE, attenuation if attenuates else None).project(activity))
    np.testing.assert_array_equal(*projections)
    assert projections[0].max() > 1


def test_transmission_is_the_exponential_of_what_lies_before_a_voxel(head):
    """At view 0 depth runs along the columns, the detector where they end, and u along the rows."""
    _, attenuation = head
    share = Projector(CAMERA, SIZE, attenuation)._transmission(0)
    density = attenuation.transpose(1, 0, 2).astype(float)
    before = np.cumsum(density[::-1], axis=0)[::-1] - density / 2
    np.testing.assert_allclose(share, np.exp(-before * CAMERA.pixel), rtol=1e-6)
    assert share.min() < 0.9


def plain_collapse(variance, planes):
    """`(depths, u, slices)` float64, step by step towards the detector."""
    total = np.zeros(planes.shape[1:])
    steps = [*(variance[:-1] - variance[1:]), variance[-1]]
    for plane, step in zip(planes, steps, strict=True):
        total = total + plane
        for axis in (0, 1):
            padded = np.pad(total, [(1, 1) if k == axis else (0, 0) for k in (0, 1)], mode="edge")
            total = total + step / 2 * np.diff(padded, 2, axis=axis)
    return total


def test_the_blur_is_the_plain_one_and_a_box_gives_the_same_as_the_whole(random):
    variance = np.linspace(1.6, 0.3, 9)
    planes = np.zeros((9, 11, 2, 6), np.float32)
    planes[2:6, 3:8] = random.random((4, 5, 2, 6))
    blur = DistanceBlur(variance)
    whole = blur.collapse(planes, 11)
    np.testing.assert_array_equal(blur.collapse(planes[2:6, 3:8], 11, depth=2, column=3), whole)
    for view in (0, 1):
        np.testing.assert_allclose(whole[view], plain_collapse(variance, planes[:, :, view]), rtol=1e-5, atol=1e-6)


def test_spreading_is_the_transpose_of_collapsing(random):
    blur = DistanceBlur(np.linspace(1.6, 0.3, 9))
    planes = random.random((9, 11, 2, 6), dtype=np.float32)
    projections = random.random((2, 11, 6), dtype=np.float32)
    forwards = np.vdot(blur.collapse(planes, 11), projections)
    assert forwards == pytest.approx(np.vdot(planes, blur.spread(projections)), rel=1e-5)


def test_back_projection_without_corrections_is_the_plain_sum(random):
    projections, views = random.random((3, SIZE, 4)), [0, 5, 7]
    turns = [plain_rotation(view, views=CAMERA.views) for view in views]
    plain = sum(
        turn.T.astype(float) @ np.tile(projection, (SIZE, 1))
        for turn, projection in zip(turns, projections, strict=True)
    )
    back = Projector(CAMERA, SIZE, None, resolve=False).back_project(projections, views)
    np.testing.assert_allclose(back.reshape(SIZE**2, 4), plain, rtol=1e-5)


def test_one_slice_of_sensitivity_stands_for_all(head, monkeypatch):
    activity, _ = head
    projector = Projector(CAMERA, SIZE, None, resolve=False)
    counts = projector.project(activity)
    image = osem(counts, projector, iterations=2, subsets=4)
    monkeypatch.setattr(Projector, "slices_alike", False)
    np.testing.assert_array_equal(image, osem(counts, projector, iterations=2, subsets=4))
    assert not Projector(CAMERA, SIZE, None).slices_alike


def test_weights_of_filtered_back_projection_are_those_of_each_ray():
    matrix = back_projection_matrix(SIZE, VIEWS).toarray().reshape(SIZE, SIZE, VIEWS, SIZE)
    middle = (SIZE - 1) / 2
    for row, column, view in np.ndindex(SIZE, SIZE, VIEWS):
        angle, place = 2 * np.pi * view / VIEWS, np.array((row, column)) - middle
        u = np.cos(angle) * place[0] + np.sin(angle) * place[1] + middle
        expected = np.maximum(1 - np.abs(np.arange(SIZE) - u), 0) * (np.hypot(*place) <= middle)
        np.testing.assert_allclose(matrix[row, column, view], expected, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 15.0, -15.0, 45.0, 90.0, 187.3])
@pytest.mark.parametrize("shape", [(14, 14, 3), (13, 13, 2), (11, 14, 2)])
def test_a_turned_volume_is_that_of_ndimage(shape, angle, random):
    volume, wanted = random.random(shape, dtype=np.float32), random.random(shape[:2]) < 0.7
    expected = ndimage.rotate(volume, angle, axes=(0, 1), reshape=False, order=1, cval=1.0)[wanted]
    # A processor that fuses multiplication and addition may differ in the last digit.
    np.testing.assert_array_max_ulp(rotated(volume, angle, wanted, 1.0), expected, maxulp=1)


def test_chang_factors_are_those_of_whole_turned_volumes():
    outline = cylinder(40, (20, -12), 3) > 0.5
    outline[..., 2] = False
    total, mask = np.zeros(outline.shape, np.float32), outline.astype(np.float32)
    for angle in np.arange(24) * 15.0:
        turned = ndimage.rotate(mask, angle, axes=(0, 1), reshape=False, order=1)
        length = (np.cumsum(turned[::-1], axis=0)[::-1] - turned / 2) * 3.5
        total += ndimage.rotate(np.exp(-0.007 * length), -angle, axes=(0, 1), reshape=False, order=1, cval=1.0)
    expected = np.where(outline, 24 / total, 1)
    np.testing.assert_allclose(chang_factors(outline, 3.5, 0.007), expected, rtol=1e-6)
    assert expected.max() > 1.1
