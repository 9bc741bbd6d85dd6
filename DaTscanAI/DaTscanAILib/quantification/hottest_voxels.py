"""The hottest voxels that fill a physical volume: mean and mask."""

import numpy as np

from ..mni.atlas import VOXEL_VOLUME_ML

HOTTEST_VOLUME_ML = {"caudate": 5.0, "putamen": 10.0, "striatum": 15.0}


def hottest_voxels_mean(values: np.ndarray, volume_ml: float, voxel_volume_ml: float = VOXEL_VOLUME_ML) -> float:
    """Mean of the highest values that fill a physical volume; the last voxel counts with the fraction that fits.

    Args:
        values: of the region's voxels, any shape.
        volume_ml: to fill; the region must be at least as large.
        voxel_volume_ml: of one voxel.

    Raises:
        ValueError: the region is smaller than the volume.
    """
    count = volume_ml / voxel_volume_ml
    whole = int(np.floor(count + 1e-9))
    fraction = max(count - whole, 0.0) if count - whole > 1e-9 else 0.0
    needed = whole + (fraction > 0)
    flat = np.ravel(values)
    if needed > flat.size:
        raise ValueError(f"a region of {flat.size * voxel_volume_ml:.1f} ml cannot hold {volume_ml} ml")
    top = np.sort(np.partition(flat, flat.size - needed)[flat.size - needed :])[::-1].astype(np.float64)
    return float((top[:whole].sum() + (fraction * top[whole] if fraction else 0.0)) / count)


def hottest_voxels_mask(
    values: np.ndarray, region: np.ndarray, volume_ml: float, voxel_volume_ml: float = VOXEL_VOLUME_ML
) -> np.ndarray:
    """The voxels of a region (bool mask) that `hottest_voxels_mean` averages, the last one included when in part."""
    count = int(np.ceil(volume_ml / voxel_volume_ml - 1e-9))
    index = np.flatnonzero(region)
    chosen = index[np.argsort(-values.ravel()[index], kind="stable")[:count]]
    mask = np.zeros(region.size, bool)
    mask[chosen] = True
    return mask.reshape(region.shape)
