"""Axial slices of a prepared scan as 8-bit pictures, the way a person sees them on a screen."""

import numpy as np

from ..base.errors import DaTscanError
from ..mni.atlas import GRID_AFFINE, Atlas
from ..quantification.mirroring import ipsilateral_left
from ..training.preparation import Prepared

WINDOW = (0.0, 5.0)  # multiples of the reference level, as in this software's own pictures
SLICE_COLUMN = "slice_z"  # of a manifest: MNI z in mm of the slice that a person has chosen


def unmirrored(one: Prepared) -> np.ndarray:
    """The scan with the patient's left on the left: float32 `(91, 109, 91)`."""
    return ipsilateral_left(one.load(), one.facts["mirrored"])


def axial_picture(voxels: np.ndarray, index: int) -> np.ndarray:
    """uint8 `(109, 91)`: front above, the patient's right on the left, `WINDOW` from black to white.

    Args:
        voxels: `(91, 109, 91)` normalized.
        index: of the axial slice, counted from 0 below.
    """
    low, high = WINDOW
    gray = np.clip((voxels[:, :, index] - low) * (255 / (high - low)), 0, 255)
    return np.ascontiguousarray(np.rint(gray.T[::-1, ::-1]).astype(np.uint8))


def representative_slice(voxels: np.ndarray, atlas: Atlas) -> int:
    """Index of the axial slice with most specific uptake (above the reference level) in both striatal regions."""
    striatum = (atlas.regions >= 1) & (atlas.regions <= 4)
    specific = np.where(striatum, np.maximum(voxels - 1, 0), 0)
    return int(specific.sum(axis=(0, 1)).argmax())


def random_slice(random: np.random.Generator, atlas: Atlas) -> int:
    """Index of any axial slice that holds part of both striatal regions, each as likely as the others."""
    left, right = (np.isin(atlas.regions, codes).any(axis=(0, 1)) for codes in ((1, 3), (2, 4)))
    return int(random.choice(np.flatnonzero(left & right)))


def chosen_slice(one: Prepared, voxels: np.ndarray, atlas: Atlas) -> int:
    """The slice that the manifest's column `slice_z` names (mm, MNI), else the representative one.

    Raises:
        DaTscanError: the column holds something else than a place inside the volume.
    """
    text = one.case.other.get(SLICE_COLUMN, "").strip()
    if not text:
        return representative_slice(voxels, atlas)
    try:
        index = round((float(text.replace(",", ".")) - GRID_AFFINE[2, 3]) / GRID_AFFINE[2, 2])
    except (ValueError, OverflowError):
        index = -1
    if not 0 <= index < voxels.shape[2]:
        raise DaTscanError(f"{one.case.name}: {SLICE_COLUMN} is {text!r}: give the slice's MNI z in mm, -72 to 108.")
    return index
