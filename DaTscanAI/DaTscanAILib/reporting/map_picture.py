"""The relevance map alone, larger than in the overview, for viewers that show one picture at a time."""

import numpy as np
from PIL import Image, ImageDraw

from ..mni.atlas import GRID_AFFINE
from .lettering import WHITE, draw_text
from .overview import MARGIN, RELEVANCE_HEADING, RELEVANCE_TICKS, WIDTH, relevance_bar
from .panels import (
    AXIAL_POSITIONS,
    RELEVANCE_THRESHOLD,
    Strip,
    Volume,
    axial_mosaic,
    relevance_limit,
    relevance_slice,
)
from .unknown_sides import sides_are_unknown, strip_without_letters
from .wording import ORIENTATION_STATEMENT, RESEARCH_STATEMENT, answer_of, reference_of

_SCALE, _SLICES_A_ROW = 2.2, 4  # pixels per mm
_GRAY = (168, 168, 168)
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
        _draw_row(image, draw, row, _TITLE + number * (height + _LABELS))
    _draw_bar(image, draw, _TITLE + 50, height - 100)
    for line, text in enumerate((ORIENTATION_STATEMENT, RESEARCH_STATEMENT)):
        draw_text(draw, (MARGIN, image.height - 44 + 22 * line), text, 16, _GRAY if line == 0 else WHITE)
    return image


def _draw_title(draw, result):
    answer = answer_of(result)
    draw_text(draw, (MARGIN, 34), result.get("case") or "Unnamed case", 30, anchor="lm", bold=True, width=WIDTH // 2)
    said = f"{answer.heading}. {answer.probability}"
    draw_text(draw, (WIDTH - MARGIN, 34), said, 22, anchor="rm", width=WIDTH // 2 - 3 * MARGIN)
    heading = RELEVANCE_HEADING.format(100 * RELEVANCE_THRESHOLD)
    draw_text(draw, (MARGIN, 66), heading, 18, _GRAY)
    draw_text(draw, (MARGIN, 92), reference_of(result), 18, _GRAY, width=WIDTH - 2 * MARGIN)


def _draw_row(image, draw, strip: Strip, top):
    image.paste(strip.image, (MARGIN, top))
    for cut, (left, width) in zip(strip.cuts, strip.spans, strict=True):
        left += MARGIN
        for letter, place, anchor in zip(cut.sides, (left + 4, left + width - 4), ("lt", "rt"), strict=True):
            draw_text(draw, (place, top + 6), letter, 16, anchor=anchor)
        draw_text(draw, (left + width // 2, top + strip.image.height + 18), cut.name, 16, anchor="ms")


def _draw_bar(image, draw, top, height):
    bar, left = relevance_bar(RELEVANCE_THRESHOLD, height), WIDTH - MARGIN - 92
    image.paste(bar, (left, top))
    for text, place in RELEVANCE_TICKS:
        y = top + round((1 - place) * (bar.height - 1))
        draw.line((left + bar.width, y, left + bar.width + 5, y), fill=_GRAY)
        draw_text(draw, (left + bar.width + 10, y), text, 16, anchor="lm")
    for y, words in ((top - 46, ("argues for", "reduced")), (top + height + 10, ("argues for", "normal"))):
        for line, word in enumerate(words):
            draw_text(draw, (left, y + 18 * line), word, 16)
