"""Pictures of the batch page: layers of one geometry that a browser lays over each other.

A sheet holds the axial slices of the overview in its first row, a coronal and two sagittal ones in its second. Each
layer has the 256 colors of one table, so its file is small, and the browser does what `paint_over` does.
"""

import io
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from ..mni.atlas import GRID_AFFINE, REFERENCE_CODE, load_atlas, load_mri, read_grid
from .colors import ENTRIES, look_up, relevance_table, scan_table
from .lettering import draw_text
from .outlines import LINE_OPACITY, OUTLINED_CODES, REFERENCE_COLOR, STRIATUM_COLOR, outline
from .overview import scan_ticks
from .panels import (
    AXIAL_POSITIONS,
    CORONAL_POSITION,
    EXTENT,
    GAP,
    PUTAMEN_X,
    RELEVANCE_OPACITY,
    RELEVANCE_THRESHOLD,
    SCAN_LIMIT_AT_LEAST,
    Cut,
    Volume,
    gray_slice,
    relevance_limit,
    sample,
    scan_limit,
)
from .result_files import MAP_FILE, SLICES_FILE, THUMBNAIL_FILE

_AXIAL_SCALE, _VIEW_SCALE, _THUMBNAIL_SCALE = 1.25, 2.44, 0.75  # pixels per mm
_THUMBNAIL_POSITION = 3.0  # mm, through both putamina and the heads of the caudate nuclei
_TEMPLATE_LEVEL = 1000.0  # of the reference region in the template's file
_BAR_WIDTH, _BAR_MARGIN = 18, 12
_BINS = np.arange(ENTRIES, dtype=np.uint8)
_WHITE = ENTRIES - 1  # of the scan's colors
_CLEAR = ENTRIES // 2  # of the relevance's: nothing is painted
_STRIATUM_ENTRY, _REFERENCE_ENTRY = 1, 2


def case_pictures(normalized: np.ndarray, relevance: np.ndarray | None) -> dict[str, bytes]:
    """PNG files of one case.

    Args:
        normalized: `(91, 109, 91)` on the 2 mm MNI grid, 1 in the reference region.
        relevance: on the same grid, in the patient's own orientation, or None.

    Returns:
        `slices.png`, the scan; `map.png`, the relevance with nothing behind it, where there is any; `thumbnail.png`,
        one axial slice of the scan.
    """
    limit = scan_limit(normalized)
    uptake = _bins_of(normalized, 0.0, limit)
    pictures = {SLICES_FILE: _png(_with_scale(_sheet(uptake), limit), scan_table())}
    if relevance is not None:
        largest = relevance_limit(relevance)
        bins = _sheet(_bins_of(relevance, -largest, largest), _CLEAR)
        pictures[MAP_FILE] = _png(bins, relevance_table(RELEVANCE_THRESHOLD, RELEVANCE_OPACITY))
    pictures[THUMBNAIL_FILE] = _png(uptake(Cut("axial", _THUMBNAIL_POSITION), _THUMBNAIL_SCALE), scan_table())
    return pictures


@lru_cache(maxsize=1)
def shared_pictures() -> dict[str, bytes]:
    """PNG files that are the same for all cases, in the geometry of their sheets.

    Returns:
        `template`, the mean normal scan in a scan's colors; `mri`, what lies under the relevance; `outlines` of the
        regions, and `letters` of sides and places, both with nothing behind them.
    """
    limit = SCAN_LIMIT_AT_LEAST
    uptake = _bins_of(read_grid("fpcit_template_2mm.nii.gz"), 0.0, _TEMPLATE_LEVEL * limit)
    mri, regions = Volume(*load_mri()), load_atlas().regions

    def lines(cut, scale):
        drawn = np.zeros(_shape(cut, scale), np.uint8)
        for code in OUTLINED_CODES:
            entry = _REFERENCE_ENTRY if code == REFERENCE_CODE else _STRIATUM_ENTRY
            drawn[outline(regions, code, cut, scale)] = entry
        return drawn

    grays = np.repeat(_BINS[:, None], 3, axis=1)
    line = round(255 * LINE_OPACITY)
    line_colors = np.array([(0, 0, 0, 0), (*STRIATUM_COLOR, line), (*REFERENCE_COLOR, line)], np.uint8)
    return {
        "template": _png(_with_scale(_sheet(uptake), limit), scan_table()),
        "mri": _png(_sheet(lambda cut, scale: gray_slice(mri, cut, scale)[..., 0]), grays),
        "outlines": _png(_sheet(lines), line_colors),
        "letters": _png(_letters(), np.column_stack([grays * 0 + 255, _BINS])),
    }


def sheet_size() -> tuple[int, int]:
    """Width and height of the layers in pixels."""
    return _places()[0][::-1]


def _bins_of(voxels, low, high) -> Callable[[Cut, float], np.ndarray]:
    """Makes `(rows, columns)` entries of a color table from low to high."""
    volume = Volume(voxels, GRID_AFFINE)
    return lambda cut, scale: look_up(sample(volume, cut, scale), _BINS, low, high)


def _rows():
    """Cuts of both rows with their scales."""
    axial = [Cut("axial", position) for position in AXIAL_POSITIONS]
    views = [Cut("coronal", CORONAL_POSITION), Cut("sagittal", PUTAMEN_X), Cut("sagittal", -PUTAMEN_X)]
    return (axial, _AXIAL_SCALE), (views, _VIEW_SCALE)


@lru_cache(maxsize=1)
def _places() -> tuple[tuple[int, int], tuple[tuple[Cut, float, int, int, int, int], ...]]:
    """Rows and columns of a sheet; each cut with its scale, left, top, width and height in it."""
    places, top, right = [], 0, 0
    for cuts, scale in _rows():
        left = 0
        for cut in cuts:
            height, width = _shape(cut, scale)
            places.append((cut, scale, left, top, width, height))
            left += width + GAP
        right, top = max(right, left - GAP), top + height + GAP
    return (top - GAP, right), tuple(places)


def _shape(cut, scale):
    """Rows and columns of a slice."""
    across, up = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}[cut.orientation]
    return tuple(round((EXTENT[axis][1] - EXTENT[axis][0]) * scale) for axis in (up, across))


def _sheet(paint: Callable[[Cut, float], np.ndarray], empty: int = 0) -> np.ndarray:
    """All slices of a layer: uint8 `(rows, columns)`, entries of its table."""
    shape, places = _places()
    sheet = np.full(shape, empty, np.uint8)
    for cut, scale, left, top, width, height in places:
        sheet[top : top + height, left : left + width] = paint(cut, scale)
    return sheet


def _with_scale(sheet, limit):
    """The sheet with its color bar in the room that the second row leaves: multiples of the reference region."""
    *_, (_, _, left, top, width, height) = _places()[1]
    left, top, height = left + width + GAP + _BAR_MARGIN, top + _BAR_MARGIN, height - 2 * _BAR_MARGIN
    sheet[top : top + height, left : left + _BAR_WIDTH] = np.linspace(255, 0, height).astype(np.uint8)[:, None]
    image = Image.fromarray(sheet)
    draw = ImageDraw.Draw(image)
    for text, place in scan_ticks(limit):
        y = top + round((1 - place) * (height - 1))
        draw_text(draw, (left + _BAR_WIDTH + 8, y), text, 16, _WHITE, anchor="lm")
    return np.asarray(image)


def _letters() -> np.ndarray:
    """Sides and places of all slices: uint8 opacity of white."""
    shape, places = _places()
    image = Image.new("L", shape[::-1])
    draw = ImageDraw.Draw(image)
    for cut, _, left, top, width, height in places:
        for letter, x, anchor in zip(cut.sides, (left + 5, left + width - 5), ("lt", "rt"), strict=True):
            draw_text(draw, (x, top + 6), letter, 16, 255, anchor=anchor)
        draw_text(draw, (left + width // 2, top + height - 5), cut.name, 14, 200, anchor="ms")
    return np.asarray(image)


def _png(entries: np.ndarray, table: np.ndarray) -> bytes:
    """The bytes of a PNG file of table entries; a table with four columns has alpha in the last."""
    image, data = Image.fromarray(entries, "P"), io.BytesIO()
    image.putpalette(np.ascontiguousarray(table[:, :3]).tobytes())
    alpha = {"transparency": table[:, 3].tobytes()} if table.shape[1] == 4 and table[:, 3].min() < 255 else {}
    image.save(data, "PNG", compress_level=4, **alpha)
    return data.getvalue()
