"""Result files: one folder a case, and one table of all cases."""

import csv
import io
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..analysis import Analysis
from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes, hidden_beside, replace_folder
from ..explanation.normal_difference import difference_from_normal
from ..mni.atlas import GRID_AFFINE, SIDES, load_atlas, load_mri
from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML
from ..quantification.measures import KEYS
from ..reading.dicom_source import DicomSource
from ..reading.scan import write_volume
from ..reading.scan_checks import display_name
from .language import ENGLISH, find_language

RESULTS_TABLE = "results.csv"
PAGE_FILE = "index.html"
_PAGE_MARK = b'<meta name="generator" content="DaTscanAI'  # by which ours is known
RESULT_FILE = "result.json"
# Written where they were asked for, of DICOM scans alone.
DICOM_FILES = ("dicom_sr.dcm", "dicom_overview.dcm", "dicom_map.dcm", "dicom_normals.dcm", "dicom_report.dcm")
SLICES_FILE, MAP_FILE, THUMBNAIL_FILE = PAGE_PICTURES = ("slices.png", "map.png", "thumbnail.png")
CASE_FILES = (
    RESULT_FILE,
    "normalized.nii.gz",
    "relevance.nii.gz",
    "overview.png",
    "normals.png",
    "report.pdf",
    *DICOM_FILES,
    *PAGE_PICTURES,
)

_NUMBERS = {
    **{
        f"sbr_{nucleus}_{side}": ("quantification", "sbr", f"{nucleus}_{side}")
        for nucleus in HOTTEST_VOLUME_ML
        for side in SIDES
    },
    **{
        f"asymmetry_percent_{nucleus}": ("quantification", "asymmetry_percent", nucleus)
        for nucleus in ("putamen", "caudate")
    },
    **{f"caudate_putamen_ratio_{side}": ("quantification", "caudate_putamen_ratio", side) for side in SIDES},
    **{f"z_{key}": ("quantification", "z", key) for key in KEYS},
    "normals": ("quantification", "normals", "name"),
    "ipsilateral_putamen_relevance": ("explanation", "ipsilateral_putamen_relevance"),
    "consistent": ("explanation", "consistent"),
}
_REGISTRATION = {
    "registration_quality": ("registration", "quality"),
    "registration_accepted": ("registration", "accepted"),
}
_TEXTS = ("model", "series", "warnings", "error")
COLUMNS = ("case", "label", "probability_reduced", *_NUMBERS, *_REGISTRATION, *_TEXTS)


def write_case(
    folder: Path,
    analysis: Analysis,
    report: bool = True,
    dicom_source: DicomSource | None = None,
    language: str | None = None,
) -> None:
    """Write one case's folder whole or not at all; the results that it held before are replaced.

    Args:
        folder: `DIR/CASE`.
        report: also write `report.pdf`.
        dicom_source: also write DICOM results, which belong to this patient and study.
        language: of the report; None for English.

    Raises:
        DaTscanError: the folder holds other files than results.
        OSError: the disk is full, or the folder cannot be written to.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = hidden_beside(folder, "partial")
    partial.mkdir()
    try:
        with ThreadPoolExecutor(1) as other:  # most of a volume's time is its compression, that of pictures is not
            volumes = other.submit(_write_volumes, partial, analysis)
            _write_pictures(partial, analysis, find_language(language) if report else None)
        volumes.result()
        if dicom_source is not None:
            from .dicom_results.write import write_dicom_results

            write_dicom_results(partial, analysis, dicom_source)
        result = {**analysis.result, "files": sorted([RESULT_FILE, *(path.name for path in partial.iterdir())])}
        atomic_write_bytes(partial / RESULT_FILE, result_text(result).encode(errors="replace"))
        check_replaceable(folder)
        replace_folder(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def check_replaceable(folder: Path) -> None:
    """Refuse to replace what is no result: the output folder may be one that holds scans.

    Raises:
        DaTscanError: `folder` is a file, or holds other files than results.
    """
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return
    except NotADirectoryError:
        names = [folder.name]
    others = [name for name in names if not (name in CASE_FILES or name.startswith("."))]
    if others:
        raise DaTscanError(
            f"{folder.name}: the folder of this case in the output holds other files, which would be lost: choose "
            "another folder with --output."
        )


def result_text(result: dict) -> str:
    """JSON for people and programs: indented, but each list of numbers on one line."""
    text = json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False)
    return re.sub(r"\[[\s\d.,eE+-]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


def _write_volumes(folder, analysis):
    for name, volume in (("normalized", analysis.normalized), ("relevance", analysis.relevance)):
        if volume is not None:
            write_volume(folder / f"{name}.nii.gz", volume, GRID_AFFINE, space="mni")


def _write_pictures(folder, analysis, language):
    """Overview, graphs, and the report if there is a language for it."""
    if analysis.normalized is None:
        return
    from .graph_drawing import patient_graphs
    from .overview import compose_overview, encode_png
    from .page_pictures import case_pictures
    from .panels import paint_panels
    from .report import report_bytes
    from .unknown_sides import sides_are_unknown, without_side_letters

    mirrored = bool((analysis.result.get("quantification") or {}).get("mirrored"))
    difference = difference_from_normal(analysis.normalized, mirrored)
    panels = paint_panels(analysis.normalized, analysis.relevance, *load_mri(), load_atlas().regions, difference)
    if sides_are_unknown(analysis.result):
        panels = without_side_letters(panels)
    atomic_write_bytes(folder / "overview.png", encode_png(compose_overview(panels, analysis.result)))
    for name, picture in case_pictures(analysis.normalized, analysis.relevance).items():
        atomic_write_bytes(folder / name, picture)
    graphs = patient_graphs(analysis.result, analysis.normals)
    if graphs:
        atomic_write_bytes(folder / "normals.png", encode_png(graphs))
    if language:
        if language != ENGLISH:
            graphs = patient_graphs(analysis.result, analysis.normals, words=language)
        pdf = report_bytes(analysis.result, panels, analysis.result["patient"], graphs, language)
        atomic_write_bytes(folder / "report.pdf", pdf)


def read_result(folder: Path) -> dict | None:
    """The result of a finished case, None if there is none."""
    try:
        return json.loads((Path(folder) / RESULT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def finished_result(folder: Path) -> dict | None:
    """As `read_result`, but None too where a file of the case has been lost since."""
    result = read_result(folder)
    if not isinstance(result, dict) or not isinstance(result.get("files"), list):
        return None
    return result if all((Path(folder) / name).is_file() for name in CASE_FILES if name in result["files"]) else None


def table_row(case: str, result: dict | None, error: str | None, source: str = "") -> dict[str, str]:
    """One row of the table: numbers with six significant digits, empty where not available.

    A scan that was refused has none: whoever averages a column need not look at the others. `result.json` keeps them.

    Args:
        case: name.
        result: content of `result.json`; None if there is none.
        error: why, in place of the result's own.
        source: what tells the scan from its neighbours, where there is no result.
    """
    result = result or {}
    measured = {} if is_refused(result) else result
    classification = result.get("classification") or {}
    row = {
        "case": case,
        "label": classification.get("label"),
        "model": classification.get("model"),
        "probability_reduced": classification.get("probability_reduced"),
        "series": result.get("series") or source,
        "warnings": " ".join(result.get("warnings", ())),
        "error": error or result.get("error"),
    }
    row.update({column: _entry(measured, path) for column, path in _NUMBERS.items()})
    row.update({column: _entry(result, path) for column, path in _REGISTRATION.items()})
    return {column: _cell(row[column]) for column in COLUMNS}


def is_refused(result: dict) -> bool:
    """Whether a scan was found unfit for an answer, so that its numbers are not to be used."""
    return bool(result.get("refused")) or (result.get("registration") or {}).get("accepted") is False


def _entry(result, path):
    for key in path:
        result = (result or {}).get(key)
    return result


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:.6g}"
    text = "".join(character if character.isprintable() else " " for character in value)
    # A text that begins like a formula would be run as one by spreadsheet programs.
    return f"'{text}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def write_table(folder: Path, rows: list[dict[str, str]]) -> None:
    """Write `results.csv` in the order of the rows, in one step."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    atomic_write_bytes(Path(folder) / RESULTS_TABLE, text.getvalue().encode(errors="replace"))


def prepare_output(folder: Path) -> Path:
    """Make the results' folder.

    Raises:
        DaTscanError: it cannot be made or written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = hidden_beside(folder / RESULTS_TABLE, "tmp")
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DaTscanError(
            f"{display_name(folder)}: results cannot be written here ({error.strerror}): "
            "choose another folder with --output."
        ) from error
    return folder


def prepare_results(folder: Path) -> Path:
    """`prepare_output` for a batch, whose table must not replace another one, the user's manifest for example.

    Raises:
        DaTscanError: the folder cannot be used, or its `results.csv` or `index.html` is none of ours.
    """
    folder = prepare_output(folder)
    if not _is_ours(folder / PAGE_FILE, lambda start: _PAGE_MARK in start):
        raise DaTscanError(
            f"{display_name(folder)} holds an index.html that is no page of results and would be lost: choose "
            "another folder with --output."
        )
    if not _is_ours(folder / RESULTS_TABLE, lambda start: start.startswith(b"case,label,")):
        raise DaTscanError(
            f"{display_name(folder)} holds a results.csv that is no table of results and would be lost: choose "
            "another folder with --output."
        )
    return folder


def _is_ours(path, is_known):
    """Whether a file may be replaced: there is none, or it begins as ours does."""
    try:
        with path.open("rb") as file:
            return is_known(file.read(1000))
    except FileNotFoundError:
        return True
    except OSError:
        return False
