"""What DICOM results take over from the scan that they were made from: patient, study, frame of reference, images.

It identifies the patient. It is read from the files again where DICOM results were asked for, and goes nowhere else.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..base.errors import DaTscanError
from .dicom_header import is_dicom, own_numbers, quiet, read_dataset
from .dicom_series import files_of_scan
from .scan_checks import cannot_be_opened, display_name
from .zip_archive import is_zip, unpacked_scan

# A result with another identity than its scan would be filed with another patient.
_EXACT = ("PatientID", "PatientName", "IssuerOfPatientID")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
# What is empty in the results where the header's own value breaks the standard.
_OTHERS = (
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "Manufacturer",
    "ManufacturerModelName",
    "SeriesDescription",
)


@dataclass(frozen=True)
class SourceImage:
    """One image of the scan: its class and its UID."""

    sop_class: str
    instance: str


@dataclass(frozen=True, repr=False)
class DicomSource:
    """Where DICOM results belong.

    Attributes:
        values: of patient and study, by keyword, as the first image states them; "" where it does not.
        images: of the scan.
        rows, columns: of an image.
    """

    values: dict[str, str] = field(repr=False)
    images: tuple[SourceImage, ...]
    rows: int
    columns: int

    def __repr__(self):
        return "DicomSource(hidden)"


def read_dicom_source(path: Path, series: str | None = None, files: Sequence[Path] = ()) -> DicomSource:
    """Patient, study and images of a scan, from the headers of its files.

    Args:
        path, series, files: as of `read_scan`.

    Raises:
        DaTscanError: the scan is no DICOM, or what its header says of patient or study cannot be taken over.
    """
    name = display_name(path)
    with _headers(path, series, files, name) as datasets, quiet():
        first = datasets[0]
        values = {keyword: _exact(first, keyword, name) for keyword in _EXACT}
        values |= {keyword: _uid(first, keyword, name) for keyword in _UIDS[:2]}
        values |= {keyword: _valid(first, keyword) or "" for keyword in _OTHERS}
        images = tuple(
            SourceImage(_uid(dataset, "SOPClassUID", name), _uid(dataset, "SOPInstanceUID", name))
            for dataset in datasets
        )
        size = [own_numbers(first, keyword, 1) for keyword in ("Rows", "Columns")]
    return DicomSource(values, images, *(0 if number is None else int(number[0]) for number in size))


@contextmanager
def _headers(path, series, files, name) -> Iterator[list]:
    """The data sets of a scan's files without their pixels; those of an archive while it is unpacked."""
    if files or path.is_dir():
        with quiet():
            yield [read_dataset(file, name, pixels=False) for file in list(files) or files_of_scan(path, series)]
        return
    head = _head_of(path, name)
    if is_zip(head):
        with unpacked_scan(path, name) as case, _headers(case.path, case.series, case.files, name) as datasets:
            yield datasets
        return
    if not is_dicom(head):
        raise DaTscanError(
            f"{name} is no DICOM file, and DICOM results belong to a DICOM study: leave out --dicom-results."
        )
    with quiet():
        yield [read_dataset(path, name, pixels=False)]


def _head_of(path, name):
    try:
        with path.open("rb") as file:
            return file.read(400)
    except OSError as error:
        raise cannot_be_opened(name, error) from error


def _exact(dataset, keyword, name):
    value = _valid(dataset, keyword)
    if value is None:
        raise DaTscanError(
            f"{name}: {keyword} in its header breaks the DICOM standard, so results would not be filed with the "
            "scan: correct it, or leave out --dicom-results."
        )
    return value


def _uid(dataset, keyword, name):
    value = _valid(dataset, keyword)
    if not value:
        raise DaTscanError(
            f"{name} has no usable {keyword}, so DICOM results could not refer to it: export it again, or leave out "
            "--dicom-results."
        )
    return value


def _valid(dataset, keyword) -> str | None:
    """An element's value as text; "" where it is missing or empty, None where it breaks the standard."""
    from pydicom.config import RAISE
    from pydicom.datadict import dictionary_VR
    from pydicom.multival import MultiValue
    from pydicom.valuerep import DA, TM, validate_value

    try:
        value = dataset.get(keyword)
        text = "" if value is None else str(value)
        if not text.isprintable() or "\ufffd" in text or isinstance(value, MultiValue):
            return None
        representation = dictionary_VR(keyword)
        validate_value(representation, text, RAISE)
        _ = {"DA": DA, "TM": TM}.get(representation, str)(text)  # ranges, and days that no month has
    except Exception:
        return None
    if keyword == "PatientSex" and text not in ("", "F", "M", "O"):
        return None
    return text
