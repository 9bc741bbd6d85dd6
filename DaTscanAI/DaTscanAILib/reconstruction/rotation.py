"""Turning of transaxial planes so that depth runs towards the detector, as one sparse matrix for each view."""

from functools import lru_cache

import numpy as np
from scipy import sparse

# Bilinear rotation blurs: at a fraction f between two samples its variance is f(1-f), 1/6 of a pixel squared on
# average.
ROTATION_VARIANCE = 1 / 6
_LEAST_WEIGHT = 1e-6


class Rotations:
    """The turns of all views of one matrix.

    Row `depth * size + u` of a turned plane is the pixel at `depth` (towards the detector) and detector column `u`.

    Args:
        size: rows and columns of the plane.
        views: over 360 degrees.
    """

    def __init__(self, size: int, views: int):
        self.size = size
        self.angles = 2 * np.pi * np.arange(views) / views
        self._forward, self._backward, self._spreading = {}, {}, {}

    def forward(self, view: int) -> sparse.csr_matrix:
        """`(size*size, size*size)`: turns a plane."""
        if view not in self._forward:
            row, column = _sources(self.size, self.angles[[view]])
            seen = _inside(row, self.size) & _inside(column, self.size)
            self._forward[view] = _bilinear_matrices(row, column, self.size, seen)[0]
        return self._forward[view]

    def backward(self, view: int) -> sparse.csr_matrix:
        """The transpose of `forward`, row by row too: in that form the product is faster."""
        if view not in self._backward:
            self._backward[view] = self.forward(view).T.tocsr()
        return self._backward[view]

    def spreading(self, view: int) -> sparse.csr_matrix:
        """`(size*size, size)`: the transpose for planes that are the same at each depth, as one of them."""
        if view not in self._spreading:
            back = self.backward(view)
            self._spreading[view] = sparse.csr_matrix(
                (back.data, back.indices % self.size, back.indptr), shape=(self.size**2, self.size)
            )
        return self._spreading[view]

    def of_part(self, views, occupied: np.ndarray) -> tuple[slice, slice, list[sparse.csr_matrix]]:
        """Turns of what is not zero, for views of which each is used once.

        Args:
            views: some.
            occupied: bool `(size, size)`; where it is false the plane is taken to be zero.

        Returns:
            (depths, columns, matrices): the box of turned planes that can hold something, and for each view the rows
            of `forward` inside it, `(depths * columns, size*size)`.
        """
        row, column = _sources(self.size, self.angles[list(views)])
        seen = near(occupied, row, column)
        depths, columns = box(seen.any(axis=0))
        row, column, seen = (values[:, depths, columns] for values in (row, column, seen))
        return depths, columns, _bilinear_matrices(row, column, self.size, seen)


@lru_cache(maxsize=2)
def rotations(size: int, views: int) -> Rotations:
    """The turns of a camera, kept for the next scan that it makes (some 60 MB where OSEM asks for all of them)."""
    return Rotations(size, views)


def box(hit: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns that hold every true pixel of `hit` (2D); one pixel where none is true."""
    ends = [np.flatnonzero(hit.any(axis=axis)) for axis in (1, 0)]
    return tuple(slice(int(some[0]), int(some[-1]) + 1) if len(some) else slice(0, 1) for some in ends)


def near(occupied: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Whether one of the four pixels around each position of a turned plane is occupied.

    Args:
        occupied: bool `(size, size)`, or nearly as many columns as rows.
        row, column: positions of one shape.

    Returns:
        bool of that shape.
    """
    margin = max(occupied.shape) // 4 + 2  # how far a turned corner lies outside
    around = np.pad(occupied, margin)
    around[:-1] |= around[1:]
    around[:, :-1] |= around[:, 1:]
    cell = np.floor(row).astype(np.int32)
    cell += margin
    cell *= around.shape[1]
    cell += np.floor(column).astype(np.int32)
    cell += margin
    return around.ravel()[cell]


def _sources(size, angles):
    """Row and column in the plane of each turned pixel, two `(views, depth, u)`."""
    middle = (size - 1) / 2
    place = np.arange(size) - middle
    along, across = np.cos(angles)[:, None] * place, np.sin(angles)[:, None] * place
    return along[:, None, :] - across[:, :, None] + middle, across[:, None, :] + along[:, :, None] + middle


def _inside(position, size):
    """Whether one of the two samples around a position exists."""
    return (position > -1) & (position < size)


def _bilinear_matrices(row, column, size, seen):
    """For each view a matrix whose rows take four weighted pixels around the positions that are seen, others nothing.

    Weights are written in the order of their columns, so that nothing need be sorted; those of pixels outside the
    plane, and those that are next to nothing, are zero.

    Args:
        row, column: of the positions, `(views, depths, columns)`.
        size: rows and columns of the plane.
        seen: bool of the same shape.
    """
    row_index, row_weight = _neighbors(row[seen], size)
    column_index, column_weight = _neighbors(column[seen], size)
    weight = (row_weight[:, None] * column_weight[None]).reshape(4, -1)
    weight[weight <= _LEAST_WEIGHT] = 0
    weight = weight.T.astype(np.float32, order="C").ravel()
    source = (row_index[:, None] * size + column_index[None]).reshape(4, -1).T.ravel()
    matrices, first = [], 0
    for rows in seen.reshape(len(seen), -1):
        ends = np.zeros(len(rows) + 1, np.int32)
        np.cumsum(rows, dtype=np.int32, out=ends[1:])
        ends *= 4
        part = slice(first, first + ends[-1])
        matrices.append(sparse.csr_matrix((weight[part], source[part], ends), shape=(len(rows), size**2)))
        first = part.stop
    return matrices


def _neighbors(position, size):
    """Index and weight, two `(2, n)`, of the samples below and above each position; zero for those that are not."""
    below = np.floor(position)
    fraction = position - below
    below = below.astype(np.int32)
    index = np.stack([below, below + 1])
    weight = np.stack([1 - fraction, fraction])
    weight[(index < 0) | (index >= size)] = 0
    return np.clip(index, 0, size - 1), weight
