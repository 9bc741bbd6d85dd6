"""Turning of transaxial planes so that depth runs towards the detector, as one sparse matrix for each view."""

from functools import lru_cache

import numpy as np
from scipy import sparse

# Bilinear rotation blurs: at a fraction f between two samples its variance is f(1-f), 1/6 of a pixel squared on
# average.
ROTATION_VARIANCE = 1 / 6


@lru_cache(maxsize=4)
def rotation_matrices(size: int, views: int) -> list[sparse.csr_matrix]:
    """For each view a sparse `(size*size, size*size)` matrix that turns a transaxial plane.

    Row `depth * size + u` of the result is the pixel at `depth` (towards the detector) and detector column `u`.
    """
    centre = (size - 1) / 2
    depth, u = np.meshgrid(np.arange(size) - centre, np.arange(size) - centre, indexing="ij")
    return [
        _bilinear_matrix(
            np.cos(angle) * u - np.sin(angle) * depth + centre,
            np.sin(angle) * u + np.cos(angle) * depth + centre,
            size,
        )
        for angle in 2 * np.pi * np.arange(views) / views
    ]


def _bilinear_matrix(row, column, size):
    """Rows of up to four weights, written in the order of their columns, so that nothing need be sorted."""
    row0, row_weights, row_inside = _neighbors(row.ravel(), size)
    column0, column_weights, column_inside = _neighbors(column.ravel(), size)
    weight = row_weights[:, :, None] * column_weights[:, None, :]
    keep = row_inside[:, :, None] & column_inside[:, None, :] & (weight > 1e-6)
    source = (row0 * size + column0)[:, None, None] + np.array([[0, 1], [size, size + 1]], np.int32)
    ends = np.concatenate([[0], np.cumsum(keep.sum(axis=(1, 2)))])
    return sparse.csr_matrix((weight[keep].astype(np.float32), source[keep], ends), shape=(size**2, size**2))


def _neighbors(position, size):
    """Index of the sample below each position; weights of it and the next one, and whether they exist, `(n, 2)`."""
    below = np.floor(position).astype(np.int32)
    fraction = position - below
    index = np.stack([below, below + 1], axis=1)
    return below, np.stack([1 - fraction, fraction], axis=1), (index >= 0) & (index < size)
