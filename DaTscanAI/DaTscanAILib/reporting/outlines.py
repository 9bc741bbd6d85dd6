"""Outlines of the regions in which SBRs are measured, drawn on slices of the scan."""

from functools import lru_cache

import numpy as np

from ..mni.atlas import CAUDATE_CODE, GRID_AFFINE, PUTAMEN_CODE, REFERENCE_CODE

STRIATUM_COLOR, REFERENCE_COLOR = (255, 255, 255), (96, 224, 160)
LINE_OPACITY = 0.7  # of a line: the scan stays visible under it
_COLORS = {
    REFERENCE_CODE: REFERENCE_COLOR,
    **dict.fromkeys((*CAUDATE_CODE.values(), *PUTAMEN_CODE.values()), STRIATUM_COLOR),
}
OUTLINED_CODES = tuple(_COLORS)


def draw_outlines(pixels: np.ndarray, regions: np.ndarray, cut, scale: float) -> np.ndarray:
    """A painted slice with the regions' outlines on it.

    Args:
        pixels: RGB `(rows, columns, 3)`.
        regions: uint8 `(91, 109, 91)`, codes of `mni.atlas`.
        cut: which slice it is, `panels.Cut`.
        scale: pixels per mm.
    """
    drawn = pixels.astype(np.float32)
    for code, color in _COLORS.items():
        line = outline(regions, code, cut, scale)
        drawn[line] += LINE_OPACITY * (np.array(color, np.float32) - drawn[line])
    return np.rint(drawn).astype(np.uint8)


def outline(regions: np.ndarray, code: int, cut, scale: float) -> np.ndarray:
    """The innermost pixels of a region in a slice: bool `(rows, columns)`."""
    from .panels import Volume, sample

    inside = sample(Volume(_mask(regions.tobytes(), regions.shape, code), GRID_AFFINE), cut, scale) > 0.5
    core = inside.copy()
    core[1:] &= inside[:-1]
    core[:-1] &= inside[1:]
    core[:, 1:] &= inside[:, :-1]
    core[:, :-1] &= inside[:, 1:]
    return inside & ~core


@lru_cache(maxsize=8)
def _mask(regions, shape, code):
    return (np.frombuffer(regions, np.uint8).reshape(shape) == code).astype(np.float32)
