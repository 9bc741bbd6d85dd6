"""Manifests: CSV files that list scans with what is known of them."""

import csv
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import DaTscanError
from .clinical_columns import checked_clinical
from .scan_checks import cannot_be_opened, check_file_size, display_name
from .stated import Stated

MANIFEST_SUFFIXES = (".csv", ".tsv")
LABELS = ("normal", "reduced")
_COLUMNS = ("scan", "case", "label", "age", "sex", "site")
_SEPARATOR_LINE = re.compile(r'\s*"?sep=([,;\t|])"?[,;\t]*[ ]*(\r\n|\r|\n)', re.IGNORECASE)
_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M", "": None}


@dataclass(frozen=True)
class ManifestRow(Stated):
    """One row, or why it cannot be used.

    Attributes:
        number: of the row in a spreadsheet; the header is row 1.
        scan: the file or folder; None if the row has an error.
        case: its name; None where none is stated.
    """

    number: int
    scan: Path | None = None
    case: str | None = None


def read_manifest(path: Path) -> list[ManifestRow]:
    """The rows of a CSV manifest.

    Comma, semicolon, tab or bar; decimal point or comma; UTF-8 with byte order mark or without.

    Raises:
        DaTscanError: the manifest as a whole is unusable: unreadable, not UTF-8, no CSV, no column `scan`, a
            column twice, no rows.
    """
    name = display_name(path)
    table = read_table(path, name, "scan")
    start = next((index for index, cells in enumerate(table) if any(cells)), 0)
    columns = [cell.strip().casefold() for cell in table[start]] if table else []
    if "scan" not in columns:
        raise DaTscanError(
            f"{name} has no column scan: name the columns in its first line (scan, case, label, age, sex)."
        )
    twice = [column for column in _COLUMNS if columns.count(column) > 1]
    if twice:
        raise DaTscanError(f"{name} has the column {twice[0]} twice: rename or remove one.")
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - resolving links would move the folder
    rows = [
        _row(folder, name, number, columns, cells)
        for number, cells in enumerate(table[start + 1 :], start=start + 2)
        if any(cell.strip() for cell in cells)
    ]
    if not rows:
        raise DaTscanError(f"{name} lists no scans: add a row for each.")
    return _without_repeated_cases(rows, name)


def read_table(path, name, column):
    """All rows of a CSV file, cells as texts, blank rows too.

    Args:
        path, name: of the file, and how errors call it.
        column: that its first line has, by which the separator is known.

    Raises:
        DaTscanError: it cannot be opened, is not UTF-8, or a quote stays open.
    """
    text, stated = _without_separator_line(table_text(path, name))
    return table_rows(text, stated or _delimiter(text, column), name)


def table_text(path, name):
    """The text of a CSV or TSV file.

    Raises:
        DaTscanError: it cannot be opened, or is not UTF-8.
    """
    check_file_size(path, name)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise cannot_be_opened(name, error) from error
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # what other encodings and spreadsheets' own formats come to
        raise DaTscanError(f"{name} is not UTF-8 text: save it again as CSV UTF-8.")
    return text


def _without_separator_line(text):
    """Excel's first line `sep=;`, which it does not show and does not count: the text after it, and the separator."""
    found = _SEPARATOR_LINE.match(text)
    return (text[found.end() :], found[1]) if found else (text, None)


def _delimiter(text, column):
    first_line = text.lstrip("\r\n").splitlines()[:1]
    cells = {sign: [cell.strip(' "').casefold() for cell in "".join(first_line).split(sign)] for sign in ",;\t|"}
    return next((sign for sign in cells if column in cells[sign]), ",")


def table_rows(text, delimiter, name):
    """All rows, blank ones too. Strict: a quote left open would swallow the rows after it without a word."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    table = []
    try:
        table.extend(reader)
    except csv.Error as error:
        raise DaTscanError(f"{name} is no CSV after row {len(table)} ({error}): check its quotes.") from error
    return table


def _row(folder, name, number, columns, cells):
    """A row with its cells checked; the first thing wrong becomes its error."""
    where = f"{name} row {number}"
    if any(cell.strip() for cell in cells[len(columns) :]):
        error = DaTscanError(f"{where} has more cells than the header: quote cells with separators.")
        return ManifestRow(number, error=str(error))
    values = {column: cell.strip() for column, cell in zip(columns, cells, strict=False)}
    case, site = values.get("case") or None, values.get("site") or None
    try:
        checked_clinical(values, where)
        return ManifestRow(
            number=number,
            scan=_scan_path(folder, values.get("scan", ""), where),
            case=case,
            label=checked_label(values.get("label", ""), where),
            age=checked_age(values.get("age", ""), where),
            sex=checked_sex(values.get("sex", ""), where),
            site=site,
            other={column: value for column, value in values.items() if column and column not in _COLUMNS},
        )
    except DaTscanError as error:
        return ManifestRow(number, case=case, error=str(error))


def _scan_path(folder, text, where):
    """The scan's path, which may not lead out of the manifest's folder: a manifest is data from elsewhere."""
    if not text:
        raise DaTscanError(f"{where} names no scan: fill its cell scan.")
    path = Path(os.path.normpath(folder / text.replace("\\", "/")))
    if not any(path.is_relative_to(root) for root in (folder, folder.resolve())):
        raise DaTscanError(f"{where} leads out of the manifest's folder: put the scans below the manifest.")
    if not os.path.exists(path):  # noqa: PTH110 - never raises, whatever the cell holds
        raise DaTscanError(f"{where} names a scan that is not there ({display_name(path)}): check its path.")
    return path


def checked_label(text, where):
    """A cell's label, None if it is empty.

    Raises:
        DaTscanError: it is none that is known; the sentence begins with `where`.
    """
    label = text.casefold() or None
    if label not in (*LABELS, None):
        raise DaTscanError(f"{where} has the unknown label {_shown(text)}: use normal or reduced, or leave it empty.")
    return label


def checked_age(text, where):
    """A cell's age in years, None if it is empty; errors as of `checked_label`."""
    try:
        age = float(text.replace(",", ".")) if text else None
    except ValueError:
        age = -1.0
    if age is not None and not 0 <= age <= 130:
        raise DaTscanError(f"{where} has the age {_shown(text)}: give years, or leave it empty.")
    return age


def checked_sex(text, where):
    """A cell's sex, F or M, None if it is empty; errors as of `checked_label`."""
    if text.casefold() not in _SEXES:
        raise DaTscanError(f"{where} has the sex {_shown(text)}: give F or M, or leave it empty.")
    return _SEXES[text.casefold()]


def _shown(text):
    """A cell in quotes inside a sentence, short and printable: there no program takes it for a formula."""
    return '"' + "".join(character if character.isprintable() else "?" for character in text)[:40] + '"'


def _without_repeated_cases(rows, name):
    first, checked = {}, []
    for row in rows:
        key = (row.case or "").casefold()
        if key and key in first and row.error is None:
            error = DaTscanError(
                f"{name} row {row.number} repeats the case of row {first[key]}: give every case its own name."
            )
            row = ManifestRow(row.number, case=row.case, error=str(error))
        first.setdefault(key, row.number)
        checked.append(row)
    return checked
