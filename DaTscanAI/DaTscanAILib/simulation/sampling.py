"""Maps of a head seen at scattered places; places far from everything are told apart first, for they hold zero."""

import numpy as np
from scipy import ndimage

_TRUNCATE = 4  # standard deviations after which a Gaussian ends


def filter_reach(sigma: float) -> int:
    """Voxels over which `smoothed` spreads a map."""
    return int(_TRUNCATE * sigma + 0.5)


def smoothed(volume: np.ndarray, sigma: float) -> np.ndarray:
    """A map `(x, y, z)` after a Gaussian of `sigma` voxels; only the box that holds something is worked on."""
    margin = 2 * filter_reach(sigma)
    box = tuple(
        slice(max(int(places[0]) - margin, 0), int(places[-1]) + margin + 1)
        for axis in range(3)
        if len(places := np.flatnonzero(volume.any(axis=tuple({0, 1, 2} - {axis}))))
    )
    out = np.zeros(volume.shape, np.float32)
    if box:
        out[box] = ndimage.gaussian_filter(volume[box], sigma, truncate=_TRUNCATE)
    return out


def may_be_near(occupied: np.ndarray, reach: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Whether positions lie within a reach of an occupied voxel; true for some that lie a little further off.

    Args:
        occupied: bool `(x, y, z)`.
        reach: (3,) voxels, along each axis.
        positions: `(3, n)` in voxels, inside or outside the map.

    Returns:
        bool `(n,)`.
    """
    even = np.pad(occupied, [(0, n % 2) for n in occupied.shape])
    cells = np.zeros([n // 2 for n in even.shape], np.uint8)
    for i, j, k in np.ndindex(2, 2, 2):
        cells |= even[i::2, j::2, k::2]
    cells = ndimage.maximum_filter(cells, 2 * np.ceil(np.asarray(reach) / 2).astype(int) + 1, mode="constant")
    index = np.zeros(positions.shape[1], np.int32)
    for place, n in zip(positions, cells.shape, strict=True):
        index *= n
        index += np.clip((place * 0.5).astype(np.int32), 0, n - 1)
    return cells.ravel()[index] > 0


def at(volume: np.ndarray, positions: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Trilinear values of a map; zero outside it and where not chosen.

    Args:
        volume: `(x, y, z)`.
        positions: `(3, m)` in voxels of those chosen.
        chosen: bool `(n,)`, m of them true.

    Returns:
        float32 `(n,)`.
    """
    out = np.zeros(chosen.shape, np.float32)
    out[chosen] = ndimage.map_coordinates(volume, positions, order=1)
    return out
