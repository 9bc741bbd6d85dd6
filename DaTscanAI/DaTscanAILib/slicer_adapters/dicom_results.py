"""DICOM results of a case in the scene: what the batch writes with them, for one scan."""

import json
import shutil
import tempfile
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.files import hidden_beside, replace_folder
from ..reading.dicom_source import read_dicom_source
from ..reading.inputs import safe_name
from .case import RELEVANCE, SCAN, Case
from .dicom_files import SourceFiles, files_of
from .reports import check_reportable, normals_of, with_clinical
from .state import ScanState
from .volumes import SCAN_ATTRIBUTE, voxels_of


def dicom_problem(volume_node, case: Case | None, state: ScanState) -> str | None:
    """Why there are no DICOM results of a volume now, a sentence; None if there can be."""
    try:
        check_reportable(case, state)
        _source_files(volume_node)
    except DaTscanError as error:
        return str(error)
    return None


def save_dicom_results(
    volume_node,
    case: Case | None,
    state: ScanState,
    folder: Path | str,
    language: str | None = None,
    normals: str | None = None,
    clinical: dict | None = None,
) -> Path:
    """Write `NAME_dicom` with structured report, pictures and page of a case, whole or not at all.

    Patient and study are those of the scan's own files: the objects identify the patient.

    Args:
        volume_node, case, state: of the scan.
        folder: in which `NAME_dicom` takes the place of a former one.
        language, normals, clinical: as of `save_report`.

    Returns:
        The folder with the objects.

    Raises:
        DaTscanError: the case has not been measured yet, its result is of other inputs, the scan is no DICOM, its
            files are not known any more, or what its header says of patient or study cannot be taken over.
        OSError: the disk is full, or the folder cannot be written to.
    """
    check_reportable(case, state)
    from ..reporting.dicom_results.write import check_available
    from ..reporting.result_files import DICOM_FILES, check_replaceable, write_case

    files = _source_files(volume_node)
    check_available()
    source = read_dicom_source(files.path, files=files.files)
    place = Path(folder) / f"{safe_name(case.name)}_dicom"
    check_replaceable(place)
    partial = hidden_beside(place, "partial")
    partial.mkdir()
    try:
        with tempfile.TemporaryDirectory(prefix="DaTscanAI-") as work:
            written = Path(work) / "case"
            write_case(written, _analysis(case, normals, clinical), dicom_source=source, language=language)
            for name in DICOM_FILES:
                if (written / name).is_file():
                    shutil.copyfile(written / name, partial / name)
        replace_folder(partial, place)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return place


def _source_files(volume_node) -> SourceFiles:
    record = json.loads(volume_node.GetAttribute(SCAN_ATTRIBUTE) or "{}")
    return files_of(volume_node, record.get("format", ""))


def _analysis(case, normals, clinical):
    """The case's nodes as the core knows them."""
    from ..analysis import Analysis  # not when the module opens: it brings scipy

    result, relevance = with_clinical(case.result, clinical or {}), case.get(RELEVANCE)
    return Analysis(
        result,
        voxels_of(case.get(SCAN)),
        voxels_of(relevance) if relevance else None,
        result.get("error"),
        normals_of(result, normals),
    )
