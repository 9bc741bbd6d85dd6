"""A scan in MNI space, scaled so that the reference region's 75th percentile is 1 (Nazari 2021)."""

from dataclasses import dataclass

import numpy as np

from ..base.errors import DaTscanError
from ..mni.atlas import GRID_AFFINE, GRID_SHAPE, Atlas
from ..mni.geometry import resample

REFERENCE_PERCENTILE = 75.0
_LEAST_REFERENCE = 0.40


@dataclass(frozen=True)
class Normalized:
    """A scan in MNI space.

    Attributes:
        voxels: float32 `(91, 109, 91)`, reference region's 75th percentile = 1, zero outside the field of view.
        covered: bool, voxels inside the scan's field of view.
        reference_level: what the scan was divided by.
    """

    voxels: np.ndarray
    covered: np.ndarray
    reference_level: float


def normalize(
    voxels: np.ndarray,
    affine: np.ndarray,
    scanner_from_mni: np.ndarray,
    atlas: Atlas,
    measured: np.ndarray | None = None,
) -> Normalized:
    """Resample a scan to the MNI grid (trilinear) and scale it to the reference region.

    Args:
        voxels: `(x, y, z)`.
        affine: 4x4, voxel to scanner RAS mm.
        scanner_from_mni: 4x4, MNI to scanner RAS mm.
        measured: bool, as `voxels`: False where nothing was measured; None where everything was.

    Raises:
        DaTscanError: the reference region is mostly outside the field of view or holds no counts.
    """
    voxel_from_grid = np.linalg.inv(affine) @ scanner_from_mni @ GRID_AFFINE
    in_mni = resample(voxels, voxel_from_grid, GRID_SHAPE)
    covered = _inside(voxel_from_grid, voxels.shape)
    if measured is not None:  # a voxel that is interpolated from one that was not measured is too low
        covered &= resample(measured, voxel_from_grid, GRID_SHAPE) > 0.999
    reference = atlas.reference & covered
    if reference.sum() < _LEAST_REFERENCE * atlas.reference.sum():
        raise DaTscanError(
            "less than 40 % of the reference region lies in the field of view: no scaling is possible."
        )
    level = float(np.percentile(in_mni[reference], REFERENCE_PERCENTILE))
    if not level > 0:
        raise DaTscanError(
            "the reference region holds no counts: this is no brain, the registration failed, or a threshold was set."
        )
    return Normalized(in_mni / np.float32(level), covered, level)


def _inside(voxel_from_grid, shape):
    """Grid voxels whose center lies within the scan, by one axis of the scan at a time."""
    grid = np.ogrid[tuple(slice(0, n) for n in GRID_SHAPE)]
    inside = np.ones(GRID_SHAPE, bool)
    for row, size in zip(voxel_from_grid[:3], shape, strict=True):
        index = row[0] * grid[0] + row[1] * grid[1] + row[2] * grid[2] + row[3]
        inside &= (index >= -0.5) & (index <= size - 0.5)
    return inside
