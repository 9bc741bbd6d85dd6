"""The one-page PDF report of one result, built like IAEA's skeleton: examination, findings, interpretation.

What the model and the numbers say are findings; the interpretation is a proposal with room for the reader's own.
"""

from pathlib import Path

from PIL import Image

from ..base.files import atomic_write_bytes
from .interpretation import interpretation_of
from .language import ENGLISH, Language
from .page_parts import (
    FOOTER_TOP,
    GRAY,
    LEFT,
    RIGHT,
    TOP,
    draw_footer,
    draw_warnings,
    limited_lines,
    section,
    warnings_height,
)
from .panels import Panels
from .pdf import Page, text_width, wrap
from .report_pictures import draw_pictures
from .report_tables import draw_examination, draw_grades, draw_ratios, draw_what_ifs
from .wording import (
    WARNING_COLOR,
    answer_of,
    explanation_of,
    registration_alarm,
    registration_of,
    value_of,
    what_if_sentence,
)

_FOR_WARNINGS = 62.0  # points that the pictures leave to many warnings


def write_report(
    path: Path | str,
    result: dict,
    panels: Panels | None,
    patient: dict | None = None,
    graphs: Image.Image | None = None,
    language: Language = ENGLISH,
) -> None:
    """Write the report; an existing file is replaced in one step.

    Args:
        path: of the PDF.
        result: the dictionary of `result.json`. Missing and null values are printed as "not available", a
            `date` and `identifiers` only if they are there.
        panels: of `panels.paint_panels`; None leaves the pictures out.
        patient: `age` in years and `sex` (`F` or `M`) are printed if there, nothing else is.
        graphs: of `graph_drawing.patient_graphs` in the same language; None leaves them out.
        language: of `language.find_language`.

    Raises:
        OSError: the file cannot be written.
    """
    atomic_write_bytes(path, report_bytes(result, panels, patient, graphs, language))


def report_bytes(
    result: dict,
    panels: Panels | None,
    patient: dict | None = None,
    graphs: Image.Image | None = None,
    language: Language = ENGLISH,
) -> bytes:
    """The report as PDF; the same input gives the same bytes."""
    case, words = str(result.get("case") or language("case.unnamed")), language
    page = Page(f"{words('title')}: {case}", words.name)
    y = _header(page, case, result, patient or {}, words)
    y = draw_examination(page, section(page, y, words("section.examination")), result, words)
    y = _answer(page, section(page, y, words("section.findings")) + 3, result, words)
    for draw in (draw_ratios, draw_grades, draw_what_ifs):
        y = draw(page, y, result, words)
    warnings = [str(warning) for warning in result.get("warnings") or []]
    proposal = wrap(interpretation_of(result, words), RIGHT - LEFT, 9)
    below = _interpretation_height(proposal) + warnings_height(warnings, _FOR_WARNINGS, words)
    y = draw_pictures(page, y, FOOTER_TOP - 6 - below, panels, graphs, result, words)
    y = _interpretation(page, y, proposal, words)
    draw_warnings(page, y, warnings, words=words)
    draw_footer(page, result, words)
    return page.to_bytes()


def _header(page, case, result, patient, words) -> float:
    page.text(LEFT, TOP + 12, words("title"), 16, bold=True)
    page.text(RIGHT, TOP + 12, words("research_only"), 10, bold=True, color=GRAY, align="right")
    page.line(LEFT, TOP + 18, RIGHT, TOP + 18, 0.8, GRAY)
    page.text(LEFT, TOP + 31, words("case", case=case), 11, bold=True, width=340)
    details = [words("patient.age", age=f"{patient['age']:g}") if patient.get("age") is not None else ""]
    details += [words(f"patient.{patient['sex']}") if patient.get("sex") in ("F", "M") else ""]
    details += [str(result.get("date") or "")]
    page.text(RIGHT, TOP + 31, ", ".join(filter(None, details)), 9, align="right", width=160)
    identity = _identity(value_of(result, "identifiers") or {}, words)
    if identity:
        page.text(LEFT, TOP + 43, identity, 9, width=RIGHT - LEFT)
    return TOP + (48 if identity else 36)


def _identity(identifiers, words):
    """Who the patient is, which a result holds only where it was asked to."""
    name = ", ".join(part for part in str(identifiers.get("name") or "").split("^") if part)
    known = (
        name and words("patient.name", name=name),
        identifiers.get("id") and words("patient.id", id=identifiers["id"]),
        identifiers.get("birth_date") and words("patient.born", date=_day(str(identifiers["birth_date"]), words)),
        identifiers.get("accession_number") and words("patient.accession", number=identifiers["accession_number"]),
    )
    return ", ".join(part for part in known if part)


def _day(text, words):
    """DICOM's 19500131 as the language writes dates."""
    is_date = len(text) == 8 and text.isdecimal()
    return words("day", year=text[:4], month=text[4:6], day=text[6:]) if is_date else text


def _answer(page, y, result, words) -> float:
    """The answer, its meaning and its explanation in words, beside a bar in the answer's color."""
    answer = answer_of(result, words)
    alarm = registration_alarm(result, words)
    fit = "" if alarm else registration_of(result, words)
    told = " ".join(filter(None, (answer.meaning, answer.votes, fit)))
    paragraphs = (told, explanation_of(result, words), what_if_sentence(result, words))
    lines = [line for text in paragraphs for line in limited_lines(text, RIGHT - LEFT - 14, 8.5)]
    height = 20 + 10.5 * len(lines)
    page.rectangle(LEFT, y, 4, height, fill=answer.color)
    page.text(LEFT + 14, y + 13, answer.heading, 16, bold=True, color=answer.color)
    page.text(LEFT + 26 + text_width(answer.heading, 16, bold=True), y + 13, answer.probability, 10)
    page.text(RIGHT, y + 13, words("answer.model", model=answer.model), 8, color=GRAY, align="right", width=120)
    for index, line in enumerate(lines):
        page.text(LEFT + 14, y + 26 + 10.5 * index, line, 8.5)
    y += height + 3
    return _alarm(page, y, alarm) if alarm else y


def _alarm(page, y, sentence) -> float:
    """A red frame around the sentence on a registration that was not accepted; the lower end."""
    lines = wrap(sentence, RIGHT - LEFT - 20, 9, bold=True)
    page.rectangle(LEFT, y, RIGHT - LEFT, 8 + 11 * len(lines), outline=WARNING_COLOR, line_width=1.5)
    for index, line in enumerate(lines):
        page.text(LEFT + 10, y + 12 + 11 * index, line, 9, bold=True)
    return y + 14 + 11 * len(lines)


def _interpretation_height(proposal):
    return 43 + 11 * len(proposal)


def _interpretation(page, y, proposal, words) -> float:
    """The proposal, and a line for the reader's own words and name; the lower end."""
    y = section(page, y, words("section.interpretation"))
    for line in proposal:
        page.text(LEFT, y + 9, line, 9)
        y += 11
    for key, start, end in (("reader", LEFT, RIGHT), ("signature", LEFT + 300, RIGHT)):
        text = words(f"interpretation.{key}")
        page.text(start, y + 12, text, 8, color=GRAY)
        page.line(start + text_width(text, 8) + 6, y + 13, end, y + 13, 0.4, GRAY)
        y += 13
    return y + 2
