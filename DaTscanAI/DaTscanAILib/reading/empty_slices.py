"""Slices of zeros between measured ones: lost on the way, and filled in."""

import itertools

import numpy as np

from ..base.errors import DaTscanError

# Of what a plane usually holds: beside a lost slice lies a whole one, beside the gap of a threshold hardly anything.
_WHOLE = 0.5


def check_no_empty_slices(name: str, voxels: np.ndarray) -> None:
    """Refuse a scan with slices of nothing but zeros between whole ones.

    Args:
        name: for the error sentence.
        voxels: `(x, y, z)`.

    Raises:
        DaTscanError: there are some, along any axis.
    """
    used = voxels != 0
    most = max(_empty_between(used.mean(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3))
    if most:
        raise DaTscanError(
            f"{name} has {most} empty slice(s) between others: copy or export it again, with all its slices."
        )


def _empty_between(shares):
    """How many planes hold nothing, where both neighbours of the gap are whole; `shares` of non-zero voxels."""
    filled = np.flatnonzero(shares)
    whole = _WHOLE * np.median(shares[filled])
    return sum(
        int(after - before - 1)
        for before, after in itertools.pairwise(filled)
        if after - before > 1 and min(shares[before], shares[after]) > whole
    )
