"""The DICOM results of one case, beside its other files."""

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from ...base.errors import DaTscanError
from ...reading.dicom_header import quiet
from ...reading.dicom_source import DicomSource
from ..result_files import is_refused

PICTURES = {
    "overview.png": "Slices of the scan in MNI space, the relevance map of the classifier over the MRI template, and "
    "the scan's difference from a mean normal scan, by DaTscanAI.",
    "normals.png": "Specific binding ratios of the patient among those of normal scans, by DaTscanAI.",
}


def check_available() -> None:
    """Refuse to begin without what DICOM results need.

    Raises:
        DaTscanError: highdicom is not installed.
    """
    if find_spec("highdicom") is None:
        raise DaTscanError(
            "DICOM results need the Python package highdicom (0.27), which is not installed: install it, or leave "
            "out --dicom-results."
        )


@quiet()
def write_dicom_results(folder: Path, result: dict, source: DicomSource) -> None:
    """Write the objects of a case from its result and from the pictures and the report that its folder holds.

    A scan that was refused has the structured report alone: its pictures and its page show what is not to be used.

    Args:
        folder: of the case.
        result: the content of `result.json`.
        source: of the scan.

    Raises:
        OSError: the disk is full.
    """
    from PIL import Image

    from .capture import secondary_capture
    from .encapsulated_pdf import encapsulated_pdf
    from .identity import Origin
    from .structured_report import structured_report

    origin = Origin(source, result, datetime.now().replace(microsecond=0))
    _save(structured_report(origin), folder / "dicom_sr.dcm")
    if is_refused(result):
        return
    for number, (name, what) in enumerate(PICTURES.items(), start=1):
        if (folder / name).is_file():
            with Image.open(folder / name) as picture:
                _save(secondary_capture(origin, picture, what, number), folder / f"dicom_{Path(name).stem}.dcm")
    if (folder / "report.pdf").is_file():
        pdf = (folder / "report.pdf").read_bytes()
        _save(encapsulated_pdf(origin, pdf), folder / "dicom_report.dcm")


def _save(dataset, path):
    dataset.save_as(path, enforce_file_format=True)
