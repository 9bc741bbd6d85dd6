"""Chang's first-order correction of attenuation (1978, IEEE Trans Nucl Sci 25:638)."""

import numpy as np
from scipy import special

from .rotation import box, near

_PIXELS_AT_ONCE = 256  # in all slices, so that what is worked on stays in the processor's cache


def chang_factors(outline: np.ndarray, pixel: float, attenuation: float, directions: int = 24) -> np.ndarray:
    """Factors that correct the attenuation of a uniform head.

    Args:
        outline: `(size, size, slices)` head mask.
        pixel: mm.
        attenuation: effective (broad-beam) coefficient, 1/mm.
        directions: evenly around the head, in which the way out is averaged.

    Returns:
        Factors >= 1 of the same shape, 1 outside.
    """
    total = np.zeros(outline.shape, np.float32)
    mask, inside = outline.astype(np.float32), outline.any(axis=2)  # factors are asked for inside alone
    for angle in np.arange(directions) * 360 / directions:
        passing = _passing(mask, inside, angle, pixel, attenuation)
        total[inside] += rotated(passing, -angle, inside, 1.0)
    return np.where(outline, directions / np.maximum(total, 1e-3), 1.0).astype(np.float32, copy=False)


def _passing(mask, inside, angle, pixel, attenuation):
    """Share of photons that passes from each pixel to the high end of the rows of the turned mask."""
    reached = near(inside, *_sources(inside.shape, angle, np.ones_like(inside))).reshape(inside.shape)
    rows, columns = box(reached)
    turned = np.zeros_like(mask[rows, columns])
    turned[reached[rows, columns]] = rotated(mask, angle, reached, 0.0)
    within = np.cumsum(turned[::-1], axis=0)[::-1]
    share = np.exp(-attenuation * ((within - turned / 2) * pixel))
    passing = np.ones(mask.shape, share.dtype)
    passing[: rows.start, columns] = np.exp(-attenuation * (within[0] * pixel))
    passing[rows, columns] = share
    return passing


def rotated(volume: np.ndarray, angle: float, wanted: np.ndarray, outside: float) -> np.ndarray:
    """What `ndimage.rotate(volume, angle, axes=(0, 1), reshape=False, order=1, cval=outside)` gives, to the bit.

    That works slice by slice; here a pixel's weights, the same in all slices, are found once.

    Args:
        volume: `(rows, columns, slices)`, floats, two rows and columns or more.
        angle: degrees.
        wanted: bool `(rows, columns)`, m true: the pixels of the result that are needed.
        outside: value of what comes from outside the volume.

    Returns:
        `(m, slices)` of the volume's type.
    """
    shape = volume.shape[:2]
    row, column = _sources(shape, angle, wanted)
    beyond = (row < 0) | (row > shape[0] - 1) | (column < 0) | (column > shape[1] - 1)
    (row, row_weights), (column, column_weights) = (
        _neighbors(places, n) for places, n in zip((row, column), shape, strict=True)
    )
    flat = volume.reshape(-1, volume.shape[2])
    out = np.empty((len(row), volume.shape[2]), volume.dtype)
    for first in range(0, len(row), _PIXELS_AT_ONCE):
        part = slice(first, first + _PIXELS_AT_ONCE)
        total, term = np.zeros((2, *out[part].shape))
        # In this order and in double precision, as ndimage adds them.
        for i, j in np.ndindex(2, 2):
            term[:] = flat[(row[part] + i) * shape[1] + column[part] + j]
            term *= row_weights[i, part, None]
            term *= column_weights[j, part, None]
            total += term
        out[part] = total
    out[beyond] = outside
    return out


def _sources(shape, angle, wanted):
    """Row and column from which each wanted pixel comes, two `(m,)`."""
    cosine, sine = special.cosdg(angle), special.sindg(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    middle = (np.array(shape) - 1) / 2
    offset = middle - turn @ middle
    i, j = np.nonzero(wanted)
    return i * turn[0, 0] + j * turn[0, 1] + offset[0], i * turn[1, 0] + j * turn[1, 1] + offset[1]


def _neighbors(places, size):
    """Index of the sample below each place, at most the last but one; weights of it and of the next, `(2, m)`."""
    below = np.clip(np.floor(places), 0, size - 2)
    weight = 1 - (places - below)
    return below.astype(np.intp), np.stack([weight, 1 - weight])
