"""The overview picture of one result, for a person to read."""

import io

import numpy as np
from PIL import Image, ImageDraw

from ..explanation.normal_difference import SPREAD_OF
from .colors import bin_centers, difference_table, look_up, paint_over, relevance_table, scan_table
from .language import ENGLISH, Language
from .lettering import WHITE, draw_text, font
from .panels import DIFFERENCE_FROM, DIFFERENCE_LIMIT, RELEVANCE_OPACITY, Panels, Strip
from .sentences import translated
from .unknown_sides import orientation_sentence
from .wording import WARNING_COLOR, answer_of, reference_of, registration_alarm

WIDTH, MARGIN = 1600, 24
RELEVANCE_TICKS = (("+1", 1.0), ("0", 0.5), ("-1", 0.0))
DIFFERENCE_TICKS = tuple(
    (f"{value:+g}" if value else "0", 0.5 + 0.5 * value / DIFFERENCE_LIMIT) for value in (-4, -2, 0, 2, 4)
)

GRAY = (168, 168, 168)
_HEADING_HEIGHT, _LABEL_HEIGHT = 34, 26
# The last two of eight bits cannot be seen here, and without them the PNG file is smaller by a third.
_SIX_BITS = [value & 0xFC | value >> 6 for value in range(256)] * 3
_BAR_GRAY = 170  # the gray of white matter in the pictures, seen through the relevance


def scan_heading(panels: Panels, words: Language = ENGLISH) -> str:
    """What the scan's slices show."""
    heading = words("pictures.scan")
    return f"{heading}; {words('pictures.outlines')}" if panels.outlined else heading


def relevance_heading(threshold: float, words: Language = ENGLISH) -> str:
    """What the relevance is shown over, and the fraction of its maximum below which it is not."""
    return words("pictures.relevance", percent=f"{100 * threshold:.0f}")


def difference_heading(words: Language = ENGLISH) -> str:
    """What the difference from the mean normal scan is."""
    spread, least = translated(SPREAD_OF, words), words.numbers_of(f"{DIFFERENCE_FROM:g}")
    return words("pictures.difference", spread=spread, least=least)


def compose_overview(panels: Panels, result: dict) -> Image.Image:
    """Scan, and relevance over the MRI, with title, legends and the research-use statement.

    Args:
        panels: of the normalized scan, painted.
        result: the dictionary of `result.json`; missing and null entries are shown as not available.

    Returns:
        RGB, 1600 pixels wide. The only text that identifies is the name of the case.
    """
    alarm = registration_alarm(result)
    title_height = 142 if alarm else 92
    strips = [strip for strip in (panels.scan, panels.relevance, panels.views, panels.difference) if strip]
    rows = sum(_HEADING_HEIGHT + strip.image.height + _LABEL_HEIGHT for strip in strips)
    missing = 0 if panels.relevance else _HEADING_HEIGHT
    image = Image.new("RGB", (WIDTH, title_height + rows + missing + 62))
    draw = ImageDraw.Draw(image)
    _draw_title(draw, result)
    if alarm:
        _draw_alarm(draw, 86, alarm)
    _draw_rows(image, draw, panels, title_height, reference_of(result))
    draw_statements(image, draw, panels.scan.cuts[0].sides_known)
    return image.point(_SIX_BITS)


def color_bar(table: np.ndarray, width: int, height: int) -> Image.Image:
    """A table as an upright bar, its high end on top, over the template's gray where it is transparent."""
    values = bin_centers(0.0, 1.0)[np.arange(height) * 256 // height]
    colors = look_up(values[::-1], table, 0.0, 1.0)
    column = paint_over(np.full((height, 3), _BAR_GRAY, np.uint8), colors)
    return Image.fromarray(np.ascontiguousarray(np.repeat(column[:, None], width, axis=1)))


def scan_bar(height: int) -> Image.Image:
    """The color bar of the scan."""
    return color_bar(scan_table(), 22, height)


def scan_ticks(limit: float) -> list[tuple[str, float]]:
    """Whole multiples of the reference region, nine at most, with their heights from 0 to 1 in the bar."""
    values = np.arange(0, limit + 0.5, np.ceil(limit / 8))
    return [(f"{value:g}", value / limit) for value in values]


def relevance_bar(threshold: float, height: int) -> Image.Image:
    """The color bar of the relevance."""
    return color_bar(relevance_table(threshold, RELEVANCE_OPACITY), 22, height)


def difference_bar(height: int) -> Image.Image:
    """The color bar of the difference from normal."""
    return color_bar(difference_table(DIFFERENCE_FROM / DIFFERENCE_LIMIT, RELEVANCE_OPACITY), 22, height)


def encode_png(image: Image.Image) -> bytes:
    """The bytes of a PNG file; the same image gives the same bytes."""
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=4)
    return data.getvalue()


def _draw_title(draw, result):
    answer = answer_of(result)
    chip = max(180, round(font(28).getlength(answer.heading)) + 48)
    draw.rounded_rectangle((WIDTH - MARGIN - chip, 18, WIDTH - MARGIN, 64), radius=8, fill=answer.color)
    draw_text(draw, (WIDTH - MARGIN - chip // 2, 41), answer.heading, 28, anchor="mm", bold=True)
    right = WIDTH - MARGIN - chip - 20
    draw_text(draw, (right, 41), answer.probability, 22, anchor="rm")
    left_of_answer = right - font(22).getlength(answer.probability) - 40 - MARGIN
    case = result.get("case") or "Unnamed case"
    draw_text(draw, (MARGIN, 34), case, 30, anchor="lm", bold=True, width=left_of_answer)
    draw_text(draw, (MARGIN, 66), f"Model: {answer.model}", 16, GRAY, anchor="lm", width=left_of_answer)


def _draw_alarm(draw, top, sentence):
    draw.rectangle((MARGIN, top, WIDTH - MARGIN, top + 44), outline=WARNING_COLOR, width=3)
    draw_text(draw, (MARGIN + 16, top + 22), sentence, 19, anchor="lm", width=WIDTH - 2 * MARGIN - 32)


def _draw_rows(image, draw, panels: Panels, top, reference):
    top = _draw_row(image, draw, panels.scan, top, scan_heading(panels))
    height = panels.scan.image.height
    ticks = scan_ticks(panels.scan_limit)
    draw_bar(image, draw, scan_bar(height - 20), top - _LABEL_HEIGHT - height + 10, ticks)
    if panels.relevance:
        top = _draw_row(image, draw, panels.relevance, top, relevance_heading(panels.threshold))
        _draw_relevance_bar(image, draw, panels, top - _LABEL_HEIGHT - height)
        place = (WIDTH - MARGIN, top - _LABEL_HEIGHT - height - _HEADING_HEIGHT + 8)
        draw_text(draw, place, reference, 18, anchor="ra")
        top = _draw_row(image, draw, panels.views, top, ENGLISH("pictures.views"))
    else:
        draw_text(draw, (MARGIN, top + 8), ENGLISH("pictures.no_relevance"), 18)
        top = _draw_row(image, draw, panels.views, top + _HEADING_HEIGHT, ENGLISH("pictures.scan_views"))
    if panels.difference:
        _draw_row(image, draw, panels.difference, top, difference_heading())
        bar = difference_bar(panels.difference.image.height - 20)
        draw_bar(image, draw, bar, top + _HEADING_HEIGHT + 10, DIFFERENCE_TICKS)


def _draw_row(image, draw, strip: Strip, top, heading) -> int:
    draw_text(draw, (MARGIN, top + 8), heading, 18, GRAY)
    return draw_slices(image, draw, strip, top + _HEADING_HEIGHT)


def draw_slices(image: Image.Image, draw: ImageDraw.ImageDraw, strip: Strip, top: int) -> int:
    """Draw slices, letters of the sides in them, places below them; the lower end in pixels."""
    image.paste(strip.image, (MARGIN, top))
    bottom = top + strip.image.height
    for cut, (left, width) in zip(strip.cuts, strip.spans, strict=True):
        left += MARGIN
        for letter, place, anchor in zip(cut.sides, (left + 4, left + width - 4), ("lt", "rt"), strict=True):
            draw_text(draw, (place, top + 6), letter, 16, anchor=anchor)
        draw_text(draw, (left + width // 2, bottom + 18), cut.name, 16, anchor="ms")
    return bottom + _LABEL_HEIGHT


def draw_statements(image: Image.Image, draw: ImageDraw.ImageDraw, sides_known: bool) -> None:
    """The last two lines of a picture: how its slices lie, and that it is for research."""
    draw_text(draw, (MARGIN, image.height - 44), orientation_sentence(sides_known), 16, GRAY)
    draw_text(draw, (MARGIN, image.height - 22), ENGLISH("research_statement"), 16, WHITE)


def _draw_relevance_bar(image, draw, panels, top):
    height = panels.relevance.image.height - 100
    draw_bar(image, draw, relevance_bar(panels.threshold, height), top + 50, RELEVANCE_TICKS)
    left = WIDTH - MARGIN - 92
    for place, words in ((top + 4, "reduced"), (top + height + 62, "normal")):
        draw_text(draw, (left, place), "argues for", 16)
        draw_text(draw, (left, place + 18), words, 16)


def draw_bar(image: Image.Image, draw: ImageDraw.ImageDraw, bar: Image.Image, top: int, ticks) -> None:
    """Draw a color bar at the picture's right edge, with ticks `(text, height from 0 to 1)` to its right."""
    left = WIDTH - MARGIN - 92
    image.paste(bar, (left, top))
    for text, place in ticks:
        y = top + round((1 - place) * (bar.height - 1))
        draw.line((left + bar.width, y, left + bar.width + 5, y), fill=GRAY)
        draw_text(draw, (left + bar.width + 10, y), text, 16, anchor="lm")
