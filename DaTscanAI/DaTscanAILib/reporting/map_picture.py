"""The relevance map alone, larger than in the overview, for viewers that show one picture at a time."""

import numpy as np
from PIL import Image, ImageDraw

from ..mni.atlas import GRID_AFFINE
from .lettering import draw_text
from .overview import (
    GRAY,
    MARGIN,
    RELEVANCE_TICKS,
    WIDTH,
    draw_bar,
    draw_slices,
    draw_statements,
    relevance_bar,
    relevance_heading,
)
from .panels import (
    AXIAL_POSITIONS,
    RELEVANCE_THRESHOLD,
    Volume,
    axial_mosaic,
    relevance_limit,
    relevance_slice,
)
from .unknown_sides import sides_are_unknown, strip_without_letters
from .wording import answer_of, reference_of

_SCALE, _SLICES_A_ROW = 2.2, 4  # pixels per mm
_TITLE, _LABELS, _FOOTER = 124, 26, 62  # pixels


def map_picture(relevance: np.ndarray, mri: np.ndarray, mri_affine: np.ndarray, result: dict) -> Image.Image:
    """Axial slices of the relevance over the MRI template in two rows, with answer, legend and statement.

    Args:
        relevance: `(91, 109, 91)` on the 2 mm MNI grid, in the patient's own orientation.
        mri: uint8 template in MNI space with its affine `mri_affine`.
        result: the dictionary of `result.json`.

    Returns:
        RGB, 1600 pixels wide.
    """
    layers, limit = (Volume(relevance, GRID_AFFINE), Volume(mri, mri_affine)), relevance_limit(relevance)
    rows = [
        axial_mosaic(lambda cut, scale: relevance_slice(*layers, cut, limit, scale), places, _SCALE)
        for places in (AXIAL_POSITIONS[:_SLICES_A_ROW], AXIAL_POSITIONS[_SLICES_A_ROW:])
    ]
    if sides_are_unknown(result):
        rows = [strip_without_letters(row) for row in rows]
    height = rows[0].image.height
    image = Image.new("RGB", (WIDTH, _TITLE + len(rows) * (height + _LABELS) + _FOOTER))
    draw = ImageDraw.Draw(image)
    _draw_title(draw, result)
    for number, row in enumerate(rows):
        draw_slices(image, draw, row, _TITLE + number * (height + _LABELS))
    _draw_relevance_bar(image, draw, _TITLE + 50, height - 100)
    draw_statements(image, draw, not sides_are_unknown(result))
    return image


def _draw_title(draw, result):
    answer = answer_of(result)
    draw_text(draw, (MARGIN, 34), result.get("case") or "Unnamed case", 30, anchor="lm", bold=True, width=WIDTH // 2)
    said = f"{answer.heading}. {answer.probability}"
    draw_text(draw, (WIDTH - MARGIN, 34), said, 22, anchor="rm", width=WIDTH // 2 - 3 * MARGIN)
    draw_text(draw, (MARGIN, 66), relevance_heading(RELEVANCE_THRESHOLD), 18, GRAY)
    draw_text(draw, (MARGIN, 92), reference_of(result), 18, GRAY, width=WIDTH - 2 * MARGIN)


def _draw_relevance_bar(image, draw, top, height):
    draw_bar(image, draw, relevance_bar(RELEVANCE_THRESHOLD, height), top, RELEVANCE_TICKS)
    left = WIDTH - MARGIN - 92
    for y, words in ((top - 46, ("argues for", "reduced")), (top + height + 10, ("argues for", "normal"))):
        for line, word in enumerate(words):
            draw_text(draw, (left, y + 18 * line), word, 16)
