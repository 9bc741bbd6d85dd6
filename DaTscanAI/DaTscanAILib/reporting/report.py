"""The one-page PDF report of one result."""

from pathlib import Path

from PIL import Image

from ..base.files import atomic_write_bytes
from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML
from ..quantification.scaling import REFERENCE_PERCENTILE
from .numbers import grade_rows, normals_note, sbr_rows
from .overview import (
    DIFFERENCE_HEADING,
    DIFFERENCE_TICKS,
    NO_RELEVANCE,
    RELEVANCE_HEADING,
    RELEVANCE_TICKS,
    SCAN_VIEWS_HEADING,
    VIEWS_HEADING,
    difference_bar,
    relevance_bar,
    scan_bar,
    scan_heading,
    scan_ticks,
)
from .panels import Panels, Strip
from .pdf import Page, text_width, wrap
from .wording import (
    NOT_AVAILABLE,
    ORIENTATION_STATEMENT,
    RESEARCH_STATEMENT,
    WARNING_COLOR,
    answer_of,
    explanation_of,
    reference_of,
    registration_alarm,
    registration_of,
    what_if_columns,
    what_if_sentence,
)

LEFT, RIGHT, TOP = 40.0, 555.0, 40.0  # points; the footer ends at 812
FOOTER_TOP = 764.0
METHOD = (
    "Method: affine registration to MNI space; scaling by the "
    f"{REFERENCE_PERCENTILE:.0f}th percentile of the reference region (whole brain without striata, thalamus, "
    f"brain stem and ventricles); SBR: mean of the hottest voxels of "
    f"{', '.join(f'{region} ({volume:g} ml)' for region, volume in HOTTEST_VOLUME_ML.items())} "
    "of each side, minus 1; relevance by integrated gradients or layer-wise relevance propagation (LRP)."
)
MOST_LINES, LONGEST_TEXT = 3, 1000  # of a warning or an error

_GRAY = (96, 96, 96)
_STRIP_WIDTH, _LEAST_STRIP_WIDTH = 452.0, 240.0
_FOR_WARNINGS = 62.0  # points that the pictures leave to them


def write_report(
    path: Path | str,
    result: dict,
    panels: Panels | None,
    patient: dict | None = None,
    graphs: Image.Image | None = None,
) -> None:
    """Write the report; an existing file is replaced in one step.

    Args:
        path: of the PDF.
        result: the dictionary of `result.json`. Missing and null values are printed as "not available", a
            `date` only if it is there.
        panels: of `panels.paint_panels`; None leaves the pictures out.
        patient: `age` in years and `sex` (`F` or `M`) are printed if there, nothing else is.
        graphs: of `graph_drawing.graphs_image`: the patient among normals; None leaves them out.

    Raises:
        OSError: the file cannot be written.
    """
    atomic_write_bytes(path, report_bytes(result, panels, patient, graphs))


def report_bytes(
    result: dict, panels: Panels | None, patient: dict | None = None, graphs: Image.Image | None = None
) -> bytes:
    """The report as PDF; the same input gives the same bytes."""
    case = str(result.get("case") or "Unnamed case")
    page = Page(f"DaTscanAI report: {case}")
    y = _header(page, case, result, patient or {})
    y = _answer(page, y, result)
    y = _table(page, y, result)
    y = _what_if(page, y, result)
    if graphs is not None:
        y = _graphs(page, y, graphs)
    if panels is not None:
        y = _pictures(page, y, panels, result)
    draw_warnings(page, y, [str(warning) for warning in result.get("warnings") or []])
    draw_footer(page, result)
    return page.to_bytes()


def _header(page, case, result, patient) -> float:
    page.text(LEFT, TOP + 12, "DaTscanAI report", 17, bold=True)
    page.text(RIGHT, TOP + 12, "Research use only", 10, bold=True, color=_GRAY, align="right")
    page.line(LEFT, TOP + 20, RIGHT, TOP + 20, 0.8, _GRAY)
    page.text(LEFT, TOP + 36, f"Case: {case}", 11, bold=True, width=340)
    details = [f"age {patient['age']:g} years" if patient.get("age") is not None else ""]
    details += [{"F": "female", "M": "male"}.get(patient.get("sex"), ""), str(result.get("date") or "")]
    page.text(RIGHT, TOP + 36, ", ".join(filter(None, details)), 9, align="right", width=160)
    return TOP + 46


def _answer(page, y, result) -> float:
    """The answer, its meaning and its explanation in words, beside a bar in the answer's color."""
    answer = answer_of(result)
    sentences = (answer.meaning, answer.votes, explanation_of(result), what_if_sentence(result))
    lines = [line for sentence in sentences for line in _limited_lines(sentence, RIGHT - LEFT - 14, 9)]
    height = 24 + 12 * len(lines)
    page.rectangle(LEFT, y, 4, height, fill=answer.color)
    page.text(LEFT + 14, y + 15, answer.heading, 17, bold=True, color=answer.color)
    page.text(LEFT + 28 + text_width(answer.heading, 17, bold=True), y + 15, answer.probability, 11)
    page.text(RIGHT, y + 15, f"Model: {answer.model}", 9, color=_GRAY, align="right", width=150)
    for index, line in enumerate(lines):
        page.text(LEFT + 14, y + 31 + 12 * index, line, 9)
    return _registration(page, y + height + 6, result)


def _registration(page, y, result) -> float:
    """Quality of the registration in a line; a red frame around the sentence when it was not accepted."""
    alarm = registration_alarm(result)
    if alarm:
        lines = wrap(alarm, RIGHT - LEFT - 20, 9.5, bold=True)
        page.rectangle(LEFT, y, RIGHT - LEFT, 9 + 12 * len(lines), outline=WARNING_COLOR, line_width=1.5)
        for index, line in enumerate(lines):
            page.text(LEFT + 10, y + 14 + 12 * index, line, 9.5, bold=True)
        return y + 19 + 12 * len(lines)
    page.text(LEFT + 14, y + 7, registration_of(result), 9)
    return y + 18


def _table(page, y, result) -> float:
    """Specific binding ratios of both sides and their asymmetry; normals and grades where the result has them."""
    rows = sbr_rows(result)
    columns = (("Right", 175), ("Left", 225), ("Asymmetry", 302))
    columns += (("Right against normals", 410), ("Left against normals", 515))
    headings = columns[: max(len(texts) for _, texts in rows)]
    y = _rows(page, y, "Specific binding ratio (SBR)", headings, rows)
    note = normals_note(result)
    if note:
        for line in wrap(note, RIGHT - LEFT, 7.5)[:2]:
            page.text(LEFT, y + 8, line, 7.5, color=_GRAY)
            y += 9
    grades = grade_rows(result)
    if grades:
        y = _rows(page, y + 2, "Grade of loss, by the model", (("Right", 302), ("Left", 515)), grades)
    return y + 8


def _rows(page, y, title, columns, rows) -> float:
    """A small table: title and headings, then names and right-aligned texts; its lower end."""
    page.text(LEFT, y + 11, title, 9, bold=True)
    for heading, place in columns:
        page.text(LEFT + place, y + 11, heading, 9, bold=True, align="right")
    page.line(LEFT, y + 16, RIGHT, y + 16, 0.5, _GRAY)
    y += 16
    for name, texts in rows:
        for text, (_, place) in zip(texts, columns, strict=False):
            if text:
                page.text(LEFT + place, y + 12, text, 9, align="right")
        page.text(LEFT, y + 12, name, 9)
        y += 13
    page.line(LEFT, y + 4, RIGHT, y + 4, 0.5, _GRAY)
    return y + 6


def _what_if(page, y, result) -> float:
    """The probability of reduced with the uptake of each region made normal; the lower end."""
    columns = what_if_columns(result)
    if not columns:
        return y
    title = "Probability of reduced uptake if one region were as in a mean normal scan"
    page.text(LEFT, y + 8, title, 8.5, bold=True)
    width = (RIGHT - LEFT) / len(columns)
    for place, (name, probability) in enumerate(columns):
        page.text(LEFT + place * width, y + 18, name, 6.5, color=_GRAY, width=width - 2)
        page.text(LEFT + place * width, y + 28, probability, 8.5)
    return y + 34


def _graphs(page, y, graphs: Image.Image) -> float:
    """The patient among normals; the lower end."""
    height = (RIGHT - LEFT) * graphs.height / graphs.width
    page.image(LEFT, y, RIGHT - LEFT, height, graphs)
    return y + height + 2


def _pictures(page, y, panels: Panels, result) -> float:
    """The slices of the overview with their legends as text."""
    top, strip_width = y, _strip_width(y, panels)
    y = draw_strip(page, y, panels.scan, scan_heading(panels), strip_width)
    draw_bar(page, strip_width, top + 16, y - 14, scan_bar(256), scan_ticks(panels.scan_limit))
    if panels.relevance is None:
        page.text(LEFT, y + 10, NO_RELEVANCE, 9)
        y = draw_strip(page, y + 14, panels.views, SCAN_VIEWS_HEADING, strip_width)
    else:
        top = y
        page.text(LEFT, y + 10, RELEVANCE_HEADING.format(100 * panels.threshold), 8.5, bold=True)
        y = draw_strip(page, y + 10, panels.relevance, reference_of(result), strip_width)
        page.text(LEFT + strip_width + 8, top + 29, "argues for reduced", 6.5)
        page.text(LEFT + strip_width + 8, y - 12, "argues for normal", 6.5)
        draw_bar(page, strip_width, top + 35, y - 21, relevance_bar(panels.threshold, 256), RELEVANCE_TICKS)
        y = draw_strip(page, y, panels.views, VIEWS_HEADING, strip_width)
    if panels.difference is not None:
        top, y = y, draw_strip(page, y, panels.difference, DIFFERENCE_HEADING, strip_width)
        draw_bar(page, strip_width, top + 16, y - 14, difference_bar(256), DIFFERENCE_TICKS)
    page.text(LEFT, y + 6, ORIENTATION_STATEMENT, 7.5, color=_GRAY)
    return y + 12


def _strip_width(y, panels) -> float:
    """As wide as the rest of the page lets the strips be, some lines for warnings left free."""
    strips = [strip for strip in (panels.scan, panels.relevance, panels.views, panels.difference) if strip]
    height = FOOTER_TOP - _FOR_WARNINGS - y - 28 * len(strips) - 34
    width = height / sum(strip.image.height / strip.image.width for strip in strips)
    return min(max(width, _LEAST_STRIP_WIDTH), _STRIP_WIDTH)


def draw_strip(page, y, strip: Strip, heading, strip_width) -> float:
    """Draw slices below their heading, letters of the sides in them, places below them; the lower end."""
    page.text(LEFT, y + 10, heading, 8.5, bold=True)
    scale = strip_width / strip.image.width
    height = strip.image.height * scale
    page.image(LEFT, y + 14, strip_width, height, strip.image)
    for cut, (left, width) in zip(strip.cuts, strip.spans, strict=True):
        ends = (LEFT + left * scale + 2, LEFT + (left + width) * scale - 2)
        for letter, place, align in zip(cut.sides, ends, ("left", "right"), strict=True):
            page.text(place, y + 22, letter, 7, bold=True, color=(255, 255, 255), align=align)
        page.text(sum(ends) / 2, y + 22 + height, cut.name, 7, align="center")
    return y + 28 + height


def draw_bar(page, strip_width, top, bottom, bar, ticks):
    """A color bar to the right of a strip, with ticks `(text, height from 0 to 1)`."""
    left = LEFT + strip_width + 8
    page.image(left, top, 9, bottom - top, bar)
    for text, place in ticks:
        y = bottom - place * (bottom - top)
        page.line(left + 9, y, left + 12, y, 0.5, _GRAY)
        page.text(left + 14, y + 2.2, text, 6.5)


def draw_warnings(page, y, warnings, file="result.json"):
    """As many warnings as the rest of the page holds, then the number of the others."""
    page.text(LEFT, y + 11, f"Warnings ({len(warnings)})" if warnings else "Warnings: none", 9, bold=True)
    y += 11
    for index, warning in enumerate(warnings):
        lines = _limited_lines(warning, RIGHT - LEFT - 10, 8.5)
        is_last = index == len(warnings) - 1
        if y + 11 * len(lines) + (0 if is_last else 11) > FOOTER_TOP - 8:
            page.text(LEFT, y + 11, f"... and {len(warnings) - index} more, see {file}", 8.5, bold=True)
            return
        page.text(LEFT, y + 11, "•", 8.5)
        for line in lines:
            y += 11
            page.text(LEFT + 10, y, line, 8.5)


def _limited_lines(text, width, size):
    """Lines of a text from elsewhere, which may be of any length; "..." stands for what is left out."""
    lines = wrap(text[:LONGEST_TEXT], width, size)
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], f"{lines[MOST_LINES - 1][:-3]}..."]


def draw_footer(page, result):
    """Research-use statement, method and versions, at the lower end of the page."""
    page.line(LEFT, FOOTER_TOP, RIGHT, FOOTER_TOP, 0.8, _GRAY)
    page.text(LEFT, FOOTER_TOP + 12, RESEARCH_STATEMENT, 8.5, bold=True)
    versions = ", ".join(f"{name} {version}" for name, version in (result.get("versions") or {}).items())
    lines = wrap(METHOD, RIGHT - LEFT, 7)
    lines += wrap(f"Versions: {versions or NOT_AVAILABLE}", RIGHT - LEFT, 7)[:2]
    for index, line in enumerate(lines):
        page.text(LEFT, FOOTER_TOP + 22 + 8.5 * index, line, 7, color=_GRAY)
