"""The DICOM results of one case, beside its other files."""

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from ...analysis import Analysis
from ...base.errors import DaTscanError
from ...mni.atlas import load_mri
from ...reading.dicom_header import quiet
from ...reading.dicom_source import DicomSource
from ..result_files import is_refused

# What each picture shows; the map is painted here, the others lie in the folder.
PICTURES = {
    "overview": "Slices of the scan in MNI space, the relevance map of the classifier over the MRI template, and "
    "the scan's difference from a mean normal scan, by DaTscanAI.",
    "map": "Relevance map of the classifier in axial slices over the MRI template in MNI space, by DaTscanAI.",
    "normals": "Specific binding ratios of the patient among those of normal scans, by DaTscanAI.",
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
def write_dicom_results(folder: Path, analysis: Analysis, source: DicomSource) -> None:
    """Write the objects of a case from its analysis and from the pictures and the report that its folder holds.

    A scan that was refused has the structured report alone: its pictures and its page show what is not to be used.

    Args:
        folder: of the case.
        analysis: of the scan.
        source: of the scan.

    Raises:
        OSError: the disk is full.
    """
    from .capture import secondary_capture
    from .encapsulated_pdf import encapsulated_pdf

    origin = write_structured_report(folder, analysis, source)
    if is_refused(analysis.result):
        return
    for number, (name, what) in enumerate(PICTURES.items(), start=1):
        picture = _picture(folder, name, analysis)
        if picture is not None:
            _save(secondary_capture(origin, picture, what, number), folder / f"dicom_{name}.dcm")
    if (folder / "report.pdf").is_file():
        pdf = (folder / "report.pdf").read_bytes()
        _save(encapsulated_pdf(origin, pdf), folder / "dicom_report.dcm")


@quiet()
def write_structured_report(folder: Path, analysis: Analysis, source: DicomSource):
    """The report of `write_dicom_results` alone; gives its `Origin`, for objects that go with it.

    Args:
        folder, analysis, source: as there.

    Raises:
        OSError: the disk is full.
    """
    from .identity import Origin
    from .structured_report import structured_report

    origin = Origin(source, analysis.result, datetime.now().replace(microsecond=0))
    _save(structured_report(origin), folder / "dicom_sr.dcm")
    return origin


def _picture(folder, name, analysis):
    """The picture of a name; None where the case has none."""
    from PIL import Image

    if name == "map":
        from ..map_picture import map_picture

        return None if analysis.relevance is None else map_picture(analysis.relevance, *load_mri(), analysis.result)
    path = folder / f"{name}.png"
    return Image.open(path) if path.is_file() else None


def _save(dataset, path):
    dataset.save_as(path, enforce_file_format=True)
