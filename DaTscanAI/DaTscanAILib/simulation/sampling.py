"""Maps of a head seen at scattered places; places far from everything are told apart first, for they hold zero."""

import numpy as np
from scipy import ndimage

_TRUNCATE = 4  # standard deviations after which a Gaussian ends


def filter_reach(sigma: float) -> int:
    """Voxels over which `smoothed` spreads a map."""
    return int(_TRUNCATE * sigma + 0.5)


def smoothed(volume: np.ndarray, sigma: float, places: np.ndarray) -> np.ndarray:
    """A map `(x, y, z)` after a Gaussian of `sigma` voxels, as far as it matters to places `(3, n)` in voxels.

    Only the box that holds something and lies around the places is worked on; elsewhere the result is zero.
    """
    reach = filter_reach(sigma)
    box = tuple(
        _extent(volume.any(axis=tuple({0, 1, 2} - {axis})), place, reach) for axis, place in enumerate(places)
    )
    out = np.zeros(volume.shape, np.float32)
    if all(part.stop > part.start for part in box):
        out[box] = ndimage.gaussian_filter(volume[box], sigma, truncate=_TRUNCATE)
    return out


def _extent(occupied, places, reach):
    """Along one axis, what lies within two reaches of something, and one of the samples around the places."""
    filled = np.flatnonzero(occupied)
    if not len(filled) or not len(places):
        return slice(0, 0)
    low = max(int(filled[0]) - 2 * reach, int(np.floor(places.min())) - reach, 0)
    return slice(low, min(int(filled[-1]) + 2 * reach, int(np.floor(places.max())) + 1 + reach) + 1)


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
