"""The tables of the report: examination, binding ratios, grades with their probabilities, what-ifs."""

from ..classification.grades import GRADES
from .examination import examination_rows, is_from_header
from .language import ENGLISH, Language
from .numbers import GRADED_PARTS, SIDES, grade_rows, normals_note, sbr_headings, sbr_rows
from .page_parts import GRAY, LEFT, RIGHT
from .pdf import Page, text_width, wrap
from .wording import value_of, what_if_columns

_ROW = 11.0  # points
_PLACES = (190, 240, 315, 417, 515)  # points from the left margin to the right ends of the columns of SBRs
_PLACES_WITHOUT_SIDES = (330, 430)
# From what is kept to what is lost; lightness falls evenly, so that print without colors tells them apart.
GRADE_COLORS = ((222, 228, 234), (250, 214, 150), (240, 160, 70), (206, 96, 20), (120, 40, 10))
_BAR_WIDTH, _BAR_HEIGHT = 46.0, 7.0
_MOST_CELL_LINES = 2


def draw_examination(page: Page, y: float, result: dict, words: Language = ENGLISH) -> float:
    """Two columns of what was asked, given and recorded; the lower end."""
    width = (RIGHT - LEFT) / 2
    rows = examination_rows(result, words)
    names = [max(text_width(name, 8, bold=True) for name, _ in rows[side::2]) + 8 for side in (0, 1)]
    for left, right in zip(rows[::2], [*rows[1::2], None], strict=True):
        cells = [cell for cell in (left, right) if cell is not None]
        room = [(width if right else 2 * width) - name - 8 for name in names]
        lines = [wrap(text, wide, 8)[:_MOST_CELL_LINES] for (_, text), wide in zip(cells, room, strict=False)]
        for column, ((name, _), texts) in enumerate(zip(cells, lines, strict=True)):
            page.text(LEFT + column * width, y + 8, name, 8, bold=True)
            for index, line in enumerate(texts):
                page.text(LEFT + column * width + names[column], y + 8 + 9 * index, line, 8)
        y += 1.5 + 9 * max(map(len, lines))
    if is_from_header(result):
        page.text(RIGHT, y - 2.5, words("examination.from_header"), 6.5, color=GRAY, align="right")
    return y + 2


def draw_ratios(page: Page, y: float, result: dict, words: Language = ENGLISH) -> float:
    """Specific binding ratios of both sides and their asymmetry; normals where the result has them; the lower end."""
    headings = sbr_headings(result, words)
    places = _PLACES_WITHOUT_SIDES if len(headings) == 2 else _PLACES[: len(headings)]
    columns = list(zip(headings, places, strict=True))
    y = _rows(page, y, words("table.title"), columns, sbr_rows(result, words))
    for line in wrap(normals_note(result, words) or "", RIGHT - LEFT, 7)[:2]:
        page.text(LEFT, y + 6, line, 7, color=GRAY)
        y += 8
    return y + 3


def _rows(page, y, title, columns, rows):
    """A small table: title and headings, then names and right-aligned texts; its lower end."""
    page.text(LEFT, y + 9, title, 8.5, bold=True)
    for heading, place in columns:
        page.text(LEFT + place, y + 9, heading, 8.5, bold=True, align="right")
    page.line(LEFT, y + 12, RIGHT, y + 12, 0.5, GRAY)
    y += 12
    for name, texts in rows:
        for text, (_, place) in zip(texts, columns, strict=False):
            if text:
                page.text(LEFT + place, y + 9, text, 8.5, align="right")
        page.text(LEFT, y + 9, name, 8.5)
        y += _ROW
    page.line(LEFT, y + 2, RIGHT, y + 2, 0.5, GRAY)
    return y + 3


def draw_grades(page: Page, y: float, result: dict, words: Language = ENGLISH) -> float:
    """Each graded region with a bar of the five grades' probabilities and the likeliest in words; the lower end."""
    rows = grade_rows(result, words)
    if not rows:
        return y
    grades = value_of(result, "quantification", "grades")
    parts = [part for part in GRADED_PARTS if any(f"{part}_{side}" in grades for side in SIDES)]
    y = _legend(page, y, words)
    for part, (name, texts) in zip(parts, rows, strict=True):
        page.text(LEFT, y + 8, name, 8)
        for side, text, left in zip(SIDES, texts, (LEFT + 86, LEFT + 300), strict=True):
            page.text(left, y + 8, words(f"side.letter.{side}"), 8, bold=True)
            shares = value_of(grades.get(f"{part}_{side}") or {}, "probabilities") or {}
            _bar(page, left + 10, y + 2, [shares.get(grade) or 0.0 for grade in GRADES])
            page.text(left + 14 + _BAR_WIDTH, y + 8, text, 7.5, width=152)
        y += 10.5
    return y + 4


def _legend(page, y, words):
    """The section's title, and which color is which grade."""
    title = words("grades.title")
    page.text(LEFT, y + 9, title, 8.5, bold=True)
    left = LEFT + text_width(title, 8.5, bold=True) + 14
    for grade, color in zip(GRADES, GRADE_COLORS, strict=True):
        page.rectangle(left, y + 3, 7, 7, fill=color)
        name = words(f"grade.{grade}")
        page.text(left + 10, y + 9, name, 7.5)
        left += 20 + text_width(name, 7.5)
    page.line(LEFT, y + 12, RIGHT, y + 12, 0.5, GRAY)
    return y + 13


def _bar(page, left, top, shares):
    """Probabilities side by side, the whole width for their sum."""
    total = sum(shares)
    for share, color in zip(shares, GRADE_COLORS, strict=True):
        if total > 0 and share > 0:
            page.rectangle(left, top, _BAR_WIDTH * share / total, _BAR_HEIGHT, fill=color)
            left += _BAR_WIDTH * share / total


def draw_what_ifs(page: Page, y: float, result: dict, words: Language = ENGLISH) -> float:
    """The probability of reduced with the uptake of each region made normal; the lower end."""
    columns = what_if_columns(result, words)
    if not columns:
        return y
    page.text(LEFT, y + 8, words("what_if.title"), 8, bold=True)
    width = (RIGHT - LEFT) / len(columns)
    for place, (name, probability) in enumerate(columns):
        page.text(LEFT + place * width, y + 16, name, 6.5, color=GRAY, width=width - 2)
        page.text(LEFT + place * width, y + 25, probability, 8)
    return y + 29
