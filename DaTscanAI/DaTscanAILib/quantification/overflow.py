"""Numbers that outgrew their type: above 65,535 (or 32,767) sixteen bits begin again at the bottom.

A camera blurs over centimeters, so no voxel with nearly the highest value lies beside one with nearly the lowest.
Where a hot spot has holes of that kind its hottest part has wrapped round, and every ratio would be wrong.
"""

import numpy as np

from ..mni.geometry import voxel_spacing
from ..reading.not_covered import from_the_border
from ..reading.scan_record import Scan

_JUMP = 0.8  # of the range of values, from one voxel to the next; sharp scans reach 0.7
_DEPTH = 0.6  # of a hole, of the range of values
_FEWEST_JUMPS = 3
_SAME = 1e-5  # of the range of values
_PLATEAU = 1.0  # ml at the highest value: there it was cut off, which has a sentence of its own
_WIDEST_HOLE = 30.0  # mm: a striatum that has wrapped round as a whole


def overflow_of(scan: Scan, name: str) -> str | None:
    """One sentence where a scan's hot spots have holes, else None.

    Args:
        scan: as read.
        name: of it, with which the sentence begins.
    """
    if not _has_holes(scan.voxels, voxel_spacing(scan.affine), scan.covered):
        return None
    return (
        f"{name} drops from its highest to its lowest values inside a hot spot, as where numbers outgrow their type: "
        "export it again with a rescale slope that fits, or as float32."
    )


def _has_holes(voxels, spacing, covered):
    highest = float(voxels.max())
    extent = highest - float(voxels.min())
    if (voxels >= highest - _SAME * extent).sum() * float(np.prod(spacing)) / 1000 > _PLATEAU:
        return False
    jumps = [np.abs(np.diff(voxels, axis=axis)) > _JUMP * extent for axis in range(3)]
    if sum(int(found.sum()) for found in jumps) < _FEWEST_JUMPS:
        return False
    from scipy import ndimage

    measured = ~_outside(voxels, covered)
    if sum(_between(found, measured, axis) for axis, found in enumerate(jumps)) < _FEWEST_JUMPS:
        return False
    size = [2 * int(_WIDEST_HOLE / 2 / edge) + 1 for edge in spacing]
    # Beyond the image all is low: empty planes beside a gland that the field of view cuts are no hole.
    closed = ndimage.grey_closing(voxels, size=size, mode="constant", cval=float(voxels.min()))
    return bool(((closed - voxels > _DEPTH * extent) & measured).any())


def _outside(voxels, covered):
    """What a mask has emptied: the lowest value, or not covered, from the borders of the image on."""
    empty = voxels == voxels.min()
    return from_the_border(empty if covered is None else empty | ~covered)


def _between(jumps, measured, axis):
    """How many of the jumps along an axis are from one measured voxel to another."""
    first, last = (np.take(measured, range(start, start + jumps.shape[axis]), axis) for start in (0, 1))
    return int((jumps & first & last).sum())
