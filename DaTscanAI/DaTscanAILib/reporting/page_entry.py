"""What the batch page holds of one case: texts ready to be shown, and the numbers it is sorted by."""

import os
from urllib.parse import quote

from .numbers import SIDES, grade_rows, normals_note, sbr_headings, sbr_rows
from .result_files import MAP_FILE, RESULT_FILE, SLICES_FILE, THUMBNAIL_FILE, is_refused, table_row
from .unknown_sides import sides_are_unknown
from .wording import (
    answer_of,
    explanation_of,
    percent,
    reference_of,
    registration_alarm,
    registration_of,
    value_of,
    what_if_columns,
    what_if_sentence,
)

FAILED = "failed"
_LINKED = (RESULT_FILE, SLICES_FILE, MAP_FILE, THUMBNAIL_FILE, "normals.png", "overview.png", "report.pdf")
# Ends of `inputs_sha256` that tell whether a verdict was given on this result.
_STAMP_LENGTH = 12


def page_entry(row: dict[str, str], result: dict | None) -> dict:
    """One case for the page; nothing in it identifies but the case's name.

    Args:
        row: of the results table.
        result: what lies in the case's folder, of this run or a former one; None if nothing does.

    Returns:
        `case`, `answer` (normal, reduced, uncertain or failed), `probability`, `percent`, `sbr` (right putamen, left,
        right caudate, left), `z` (the lower one of the putamina), `quality`, `accepted`, `sides_known`,
        `warnings`, `error`, `series`, `folder` (as the path of a URL), `files`, `stamp`, `alarm`, `texts`, `tables`,
        `notes` and `reference`; what is not available is null or empty.
    """
    result = result if result is not None and _belongs_to(row, result) else {}
    error = row["error"]
    measured = {} if is_refused(result) or error else result
    sbr, z = (value_of(measured, "quantification", kind) or {} for kind in ("sbr", "z"))
    probability = value_of(measured, "classification", "probability_reduced")
    lowest = [z[key] for key in ("putamen_right", "putamen_left") if z.get(key) is not None]
    return {
        "case": row["case"],
        "answer": FAILED if error else row["label"],
        "probability": _rounded(probability, 4),
        "percent": "" if probability is None else percent(probability),
        "sbr": [_rounded(sbr.get(f"{nucleus}_{side}"), 3) for nucleus in ("putamen", "caudate") for side in SIDES],
        "z": _rounded(min(lowest, default=None), 2),
        "quality": _rounded(value_of(result, "registration", "quality"), 3),
        "accepted": value_of(result, "registration", "accepted"),
        "sides_known": not sides_are_unknown(result),
        "warnings": [str(warning) for warning in result.get("warnings") or ()],
        "error": error,
        "series": row["series"],
        "folder": quote(os.fsencode(row["case"])) + "/",
        "files": [name for name in _LINKED if name in (result.get("files") or ())],
        "stamp": str(result.get("inputs_sha256") or "")[:_STAMP_LENGTH],
        "alarm": registration_alarm(result) or "",
        **_details(result, measured),
    }


def _belongs_to(row, result):
    """Whether the folder's result is this row's: a scan that has gone keeps the results of a former run."""
    of_result = table_row(row["case"], result, None)
    return all(of_result[column] == row[column] for column in ("label", "error"))


def _details(result, measured) -> dict:
    """The case's own page."""
    if not result:
        return {"texts": [], "tables": [], "notes": [], "reference": ""}
    answer = answer_of(measured)
    texts = [registration_of(result)]
    if measured:
        shown = (answer.meaning, answer.votes, explanation_of(result), what_if_sentence(result))
        texts = [*filter(None, shown), *texts]
    model = value_of(measured, "classification", "model")
    notes = [normals_note(measured) or "", f"Model: {model}" if model else ""]
    return {
        "texts": texts,
        "tables": _tables(measured),
        "notes": [note for note in notes if note],
        "reference": reference_of(result) if measured else "",
    }


def _tables(measured) -> list[dict]:
    """Title, headings and rows of texts, the first of each row its name."""
    if not measured:
        return []
    rows = [[name, *texts] for name, texts in sbr_rows(measured)]
    tables = [_table("Specific binding ratio (SBR)", ("", *sbr_headings(measured)), rows)]
    grades = [[name, *texts] for name, texts in grade_rows(measured)]
    tables += [_table("Grade of loss, by the model", ("", "Right", "Left"), grades, True)] if grades else []
    replaced = [list(column) for column in what_if_columns(measured)]
    title = "Probability of reduced uptake if one region were as in a mean normal scan"
    tables += [_table(title, ("Region", "Probability"), replaced, True)] if replaced else []
    return tables


def _table(title, headings, rows, by_model=False):
    return {"title": title, "headings": list(headings[: max(map(len, rows))]), "rows": rows, "by_model": by_model}


def _rounded(value, digits):
    """What a person reads: the page of a thousand cases stays small."""
    return None if value is None else round(value, digits)
