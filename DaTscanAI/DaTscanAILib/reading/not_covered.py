"""Voxels that are no number (NaN) around an image: where a resampling program had nothing to take values from.

SPM writes them outside the field of view. They are "not covered", which is not the same as "no uptake": whole planes
of them are cut off, those in between are marked.
"""

from dataclasses import replace

import numpy as np

from ..base.errors import DaTscanError
from .scan_checks import check_shape
from .scan_record import Scan

NOT_COVERED_WARNING = (
    "Voxels that are no number (NaN) at the border of the image are taken as outside the field of view."
)


def without_uncovered(name: str, scan: Scan) -> Scan:
    """The scan without planes of NaN around it, other NaN that reach the border marked as not covered and set to 0.

    Args:
        name: for the error sentences.
        scan: as read; returned as it is where all voxels are numbers, or all none.

    Raises:
        DaTscanError: NaN inside the image, or too few slices without.
    """
    numbers = ~np.isnan(scan.voxels)
    if numbers.all() or not numbers.any():
        return scan
    box = tuple(slice(found.min(), found.max() + 1) for found in np.nonzero(numbers))
    voxels, covered, affine = scan.voxels[box], numbers[box], scan.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    inside = _enclosed(~covered)
    if inside:
        raise DaTscanError(
            f"{name} holds values that are not finite (NaN or infinity) inside the image, {inside} voxels: set them "
            "to 0 where nothing was measured, or export it again."
        )
    check_shape(name, voxels.shape)
    return replace(
        scan,
        voxels=np.where(covered, voxels, np.float32(0)),
        affine=affine,
        covered=None if covered.all() else covered,
        warnings=(*scan.warnings, NOT_COVERED_WARNING),
    )


def _enclosed(missing):
    """How many of the missing voxels have no way to the border through missing ones."""
    return int(np.count_nonzero(missing & ~from_the_border(missing)))


def from_the_border(mask: np.ndarray) -> np.ndarray:
    """The parts of a mask that reach the border of the image, corner to corner too, bool as `mask`.

    The ragged edge of a resampled mask has single voxels that touch the outside by an edge or a corner alone.
    """
    from scipy import ndimage

    if not mask.any():
        return mask
    labels, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    ends = [labels.take(end, axis).ravel() for axis in range(3) for end in (0, -1)]
    return mask & np.isin(labels, np.unique(np.concatenate(ends)))
