"""From projections to an image: filtered back-projection with the Shepp-Logan filter.

Projections are `(views, detector columns, slices)`, by default equally spaced over 360 degrees; in view 0 the
detector stands where the image's column index is high, at 90 degrees where its row index is low. In view 0 the
projections' column index rises with the image's row index. In a patient (rows to the right, columns to the front)
view 0 is from the front, and the detector then goes to the patient's left.
"""

from functools import lru_cache

import numpy as np
from scipy import sparse

SHEPP_LOGAN_CUTOFF = 0.125  # cycles/mm: the 1.25 cycles/cm of Nazari 2021
_PIXELS_AT_ONCE = 256  # of a matrix in the making, so that they stay in the processor's cache
_VIEWS_AT_ONCE = 16  # bounds the memory of a matrix for angles that no later scan will share


def filtered_back_projection(
    projections: np.ndarray, pixel: float, cutoff: float = SHEPP_LOGAN_CUTOFF, angles: np.ndarray | None = None
) -> np.ndarray:
    """FBP with the Shepp-Logan filter, no corrections (the papers' first step).

    Args:
        projections: `(views, columns, slices)`.
        pixel: mm.
        cutoff: cycles/mm, where the filter ends; beyond the Nyquist frequency it is the Nyquist frequency.
        angles: `(views,)` degrees, in any order and with any gaps, that together cover 180; None for equal steps over
            360 from view 0.

    Returns:
        Image `(columns, columns, slices)`, counts per pixel, negative values kept.
    """
    views, size, _ = projections.shape
    filtered = _shepp_logan_filtered(projections, pixel, cutoff)
    if angles is None:
        image = back_projection_matrix(size, views) @ filtered.reshape(views * size, -1)
        return image.reshape(size, size, -1) * np.float32(np.pi / views)
    angles = np.deg2rad(angles)
    filtered *= view_weights(angles).astype(np.float32)[:, None, None]
    image = np.zeros((size**2, projections.shape[2]), np.float32)
    for first in range(0, views, _VIEWS_AT_ONCE):
        part = slice(first, first + _VIEWS_AT_ONCE)
        image += _back_projection_matrix(size, angles[part]) @ filtered[part].reshape(-1, image.shape[1])
    return image.reshape(size, size, -1)


def _shepp_logan_filtered(projections, pixel, cutoff):
    """Projections times ramp and Shepp-Logan window along the columns, float32."""
    size = projections.shape[1]
    padded = 2 ** int(np.ceil(np.log2(2 * size)))
    frequency = np.abs(np.fft.rfftfreq(padded, d=pixel))
    # The ramp as the transform of its band-limited kernel (Kak and Slaney, eq. 3.61): no offset of the mean.
    n = np.fft.fftfreq(padded, 1 / padded)
    kernel = np.zeros(padded)
    kernel[0] = 0.25
    odd = n.astype(int) % 2 == 1
    kernel[odd] = -1 / (np.pi * n[odd]) ** 2
    ramp = np.fft.rfft(kernel).real * np.sinc(frequency / (2 * cutoff)) * (frequency <= cutoff)
    filtered = np.fft.irfft(np.fft.rfft(projections, padded, axis=1) * ramp[None, :, None], padded, axis=1)[:, :size]
    return np.ascontiguousarray(filtered, np.float32)


def view_weights(angles: np.ndarray) -> np.ndarray:
    """Share of the half circle that each view stands for, radians; they add up to pi.

    Opposite views see the same rays of a source without attenuation, so angles count modulo 180 degrees, and views at
    the same angle share their part.

    Args:
        angles: `(views,)` radians.
    """
    # Rounding puts 0 and 180 degrees together, whatever the last digit of an angular step.
    folded = np.round(np.mod(angles, np.pi), 6) % np.round(np.pi, 6)
    distinct, place, copies = np.unique(folded, return_inverse=True, return_counts=True)
    before = np.diff(distinct, prepend=distinct[-1] - np.pi)
    return ((before + np.roll(before, -1)) / 2 / copies)[place]


@lru_cache(maxsize=6)
def back_projection_matrix(size: int, views: int) -> sparse.csr_matrix:
    """Sparse `(size*size, views*size)` matrix: each pixel inside the circle takes, in each view, its ray's value."""
    return _back_projection_matrix(size, 2 * np.pi * np.arange(views) / views)


def _back_projection_matrix(size, angles):
    centre = (size - 1) / 2
    row, column = np.meshgrid(np.arange(size) - centre, np.arange(size) - centre, indexing="ij")
    inside = (row**2 + column**2).ravel() <= centre**2
    row, column = row.ravel()[inside], column.ravel()[inside]
    # Two neighbouring columns of each view, in the matrix's own order, so that nothing need be sorted.
    weights = np.empty((len(row), len(angles), 2), np.float32)
    columns = np.empty(weights.shape, np.int32)
    first_column = size * np.arange(len(angles), dtype=np.int32)
    for first in range(0, len(row), _PIXELS_AT_ONCE):
        part = slice(first, first + _PIXELS_AT_ONCE)
        u = np.cos(angles) * row[part, None] + np.sin(angles) * column[part, None] + centre
        low = np.clip(np.floor(u).astype(np.int32), 0, size - 2)
        weights[part, :, 0], weights[part, :, 1] = low + 1 - u, u - low
        low += first_column
        columns[part, :, 0], columns[part, :, 1] = low, low + 1
    ends = np.concatenate([[0], np.cumsum(inside * (2 * len(angles)))])
    return sparse.csr_matrix((weights.ravel(), columns.ravel(), ends), shape=(size**2, len(angles) * size))
