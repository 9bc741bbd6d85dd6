"""The PDF report of a case in the scene."""

from pathlib import Path

from ..base.errors import DaTscanError
from ..explanation.normal_difference import difference_from_normal
from ..mni.atlas import load_atlas, load_mri
from ..quantification.normals import NormalDatabase
from .case import RELEVANCE, SCAN, Case
from .state import ScanState
from .volumes import voxels_of


def check_reportable(case: Case | None, state: ScanState) -> None:
    """Check that there is a result, and that it belongs to the scan as it is.

    Raises:
        DaTscanError: it does not.
    """
    if case is None or case.get(SCAN) is None:
        raise DaTscanError("There is nothing to report yet: analyze the scan first.")
    if state.is_outdated:
        raise DaTscanError("The result belongs to other inputs than those of now: analyze the scan again.")


def report_problem(case: Case | None, state: ScanState) -> str | None:
    """Why there is nothing to report now, a sentence; None if there is."""
    try:
        check_reportable(case, state)
    except DaTscanError as error:
        return str(error)
    return None


def save_report(
    case: Case | None,
    state: ScanState,
    path: Path | str,
    language: str | None = None,
    normals: str | None = None,
    clinical: dict | None = None,
) -> None:
    """Write the one-page report of a case.

    Args:
        case, state: of the scan.
        path: of the PDF.
        language: its name; None for English.
        normals: that the scan was set beside, whose graphs the page shows; None leaves them out.
        clinical: of the examination, by name of `clinical_columns.CLINICAL_COLUMNS`; goes before the header's.

    Raises:
        DaTscanError: the case has not been measured yet, its result is of other inputs, or the language is not there.
    """
    check_reportable(case, state)
    from ..reporting.language import find_language
    from ..reporting.panels import paint_panels
    from ..reporting.report import write_report
    from ..reporting.unknown_sides import sides_are_unknown, without_side_letters

    words, result = find_language(language), with_clinical(case.result, clinical or {})

    scan, relevance = case.get(SCAN), case.get(RELEVANCE)
    map_voxels = voxels_of(relevance) if relevance else None
    difference = difference_from_normal(voxels_of(scan), bool(case.result["quantification"]["mirrored"]))
    panels = paint_panels(voxels_of(scan), map_voxels, *load_mri(), load_atlas().regions, difference)
    panels = without_side_letters(panels) if sides_are_unknown(result) else panels
    write_report(path, result, panels, result.get("patient"), _graphs(result, normals, words), words)


def with_clinical(result: dict, entries: dict) -> dict:
    """The result with what a person states of the examination."""
    from ..reading.clinical import clinical_texts
    from ..reading.clinical_columns import checked_clinical

    stated = checked_clinical(clinical_texts(entries, "The report"), "The report")
    known = result.get("clinical") or {}
    read = [name for name in known.get("from_dicom") or () if name not in stated]
    return {**result, "clinical": {**known, **stated, "from_dicom": read}}


def normals_of(result: dict, normals: str | None) -> NormalDatabase | None:
    """The database that the result's z-scores are of, where it is still there; the numbers stay without it."""
    from ..quantification.normals import read_normals

    if normals is None or not (result["quantification"] or {}).get("z"):
        return None
    try:
        return read_normals(normals)
    except DaTscanError:  # it has been moved since
        return None


def _graphs(result, normals, words):
    """The patient among the normals."""
    from ..reporting.graph_drawing import patient_graphs

    database = normals_of(result, normals)
    return None if database is None else patient_graphs(result, database, words=words)
