"""A manifest from a folder of scans: labels by the names of its folders, or by a table that somebody has made."""

import csv
import io
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from .inputs import Case, collect_cases
from .manifest import LABELS, read_table
from .scan_checks import display_name

NORMAL = ("normal", "negative", "control", "healthy", "hc", "0")
REDUCED = ("reduced", "positive", "abnormal", "pathological", "pd", "1")
_COPIED = ("age", "sex", "site")  # nothing else of a table goes into a manifest: it may name patients
_COLUMNS = ("case", "scan", "label", *_COPIED)


@dataclass(frozen=True)
class Spellings:
    """What stands for the labels and where.

    Attributes:
        normal, reduced: values of a table's cell or names of a folder, in any case.
        label_column: of the table.
        id_column: of the table, whose cells name scans; None for the column that names most of them.
    """

    normal: tuple[str, ...] = NORMAL
    reduced: tuple[str, ...] = REDUCED
    label_column: str = "label"
    id_column: str | None = None

    def label_of(self, text: str) -> str:
        """`normal`, `reduced`, or "" for any other text."""
        word = text.strip().casefold()
        spelled = (self.normal, self.reduced)
        found = [label for label, words in zip(LABELS, spelled, strict=True) if word in map(str.casefold, words)]
        return found[0] if len(found) == 1 else ""


@dataclass(frozen=True)
class Labelled:
    """What `write_manifest` has written.

    Attributes:
        counts: scans by label, "" for those without one.
        unused: rows of the table that name no scan.
        left_out: `{case: why it is not in the manifest}`.
    """

    counts: dict[str, int]
    unused: int
    left_out: dict[str, str]


def write_manifest(
    folder: Path, output: Path, table: Path | None = None, spellings: Spellings | None = None
) -> Labelled:
    """Write a manifest of all scans below a folder.

    A row of the table belongs to the scan whose file (without its ending) or one of whose folders its cell names.

    Args:
        folder: of the scans; without a table the names of its folders are the labels.
        output: CSV file in that folder or above it, as a manifest names no scan outside its own folder.
        table: CSV with labels, better also the columns age, sex and site.

    Raises:
        DaTscanError: folder or table cannot be used, or no scan has a label.
    """
    spellings, folder = spellings or Spellings(), Path(folder).resolve()
    home = Path(output).resolve().parent
    if not folder.is_relative_to(home):
        raise DaTscanError(f"{Path(output).name} must lie in {folder.name} or above it: choose another --output.")
    cases, left_out = _usable(collect_cases([folder]))
    names = {case.name: _names_of(case, folder) for case in cases}
    rows = _rows(table, spellings, set().union(*names.values())) if table else None
    lines, used = [], set()
    for case in cases:
        facts = _by_folder(case, folder, spellings) if rows is None else _by_table(names[case.name], rows, used)
        lines.append(
            [case.name, case.path.relative_to(home).as_posix(), *(facts.get(key, "") for key in _COLUMNS[2:])]
        )
    counts = {label: sum(line[2] == label for line in lines) for label in (*LABELS, "")}
    if not counts["normal"] + counts["reduced"]:
        raise DaTscanError(f"No scan below {folder.name} gets a label: check --labels, --normal and --reduced.")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *lines])
    atomic_write_bytes(Path(output), text.getvalue().encode())
    unused = {id(row) for of_name in (rows or {}).values() for row in of_name} - used
    return Labelled(counts, len(unused), left_out)


def _usable(cases: list[Case]):
    """Cases that a manifest can name: one scan a file or folder."""
    places = defaultdict(list)
    for case in cases:
        places[case.path].append(case)
    left_out = {case.name: case.error for case in cases if case.error}
    several = "its folder holds several series: give each a folder of its own"
    left_out |= {case.name: several for path, ones in places.items() if path and len(ones) > 1 for case in ones}
    return [case for case in cases if case.name not in left_out], left_out


def _names_of(case, folder):
    """What a table may call a scan: its file with and without endings, and each of its folders."""
    parts = [part.casefold() for part in case.path.relative_to(folder).parts]
    last = parts[-1] if parts else ""
    return {*parts, *(last[:place] for place, sign in enumerate(last) if sign == "." and place)}


def _by_folder(case, folder, spellings):
    """The label that a folder of the scan names, the nearest one first."""
    parts = case.path.relative_to(folder).parts
    folders = parts if case.path.is_dir() else parts[:-1]
    labels = [spellings.label_of(part) for part in reversed(folders)]
    return {"label": next(filter(None, labels), "")}


def _by_table(names, rows, used):
    """Facts of the one row that names the scan; nothing where several do."""
    found = {id(row): row for name in names for row in rows.get(name, ())}
    used.update(found)
    return next(iter(found.values())) if len(found) == 1 else {}


def _rows(path, spellings, names):
    """`{what the row calls its scan: [row, ...]}`, a row being its label and what is copied."""
    table = _read(path, spellings.label_column.casefold())
    shown = display_name(path)
    columns = list(table[0]) if table else []
    wanted = [spellings.label_column, *([spellings.id_column] if spellings.id_column else [])]
    for column in (name.casefold() for name in wanted):
        if column not in columns:
            raise DaTscanError(f"{shown} has no column {column}: name it with --label-column or --id-column.")
    candidates = [spellings.id_column.casefold()] if spellings.id_column else columns

    def named(column):
        return len({row[column].casefold() for row in table} & names)

    id_column = max(candidates, key=named)
    rows = defaultdict(list)
    for row in table:
        facts = {key: row[key] for key in _COPIED if key in columns}
        facts["label"] = spellings.label_of(row[spellings.label_column.casefold()])
        if row[id_column]:
            rows[row[id_column].casefold()].append(facts)
    return rows


def _read(path, label_column):
    """Rows of a CSV as `{column in lower case: stripped cell}`."""
    rows = [row for row in read_table(path, display_name(path), label_column) if any(map(str.strip, row))]
    columns = [cell.strip().casefold() for cell in rows[0]] if rows else []
    padded = ([cell.strip() for cell in row] + [""] * len(columns) for row in rows[1:])
    return [dict(zip(columns, row, strict=False)) for row in padded]
