"""What a DICOM header tells of patient and camera."""

from pathlib import Path

from .dicom_header import nested_item, own_numbers, text, texts
from .scan_record import Camera, Identifiers, Patient
from .series_name import series_name
from .study_date import parse_date

_DAYS_A_YEAR = 365.25


def patient_of(dataset) -> Patient:
    """Age and sex, the only things about the patient that any calculation looks at."""
    sex = text(dataset, "PatientSex").upper()
    return Patient(_age(dataset), sex if sex in ("F", "M") else None)


def camera_of(dataset) -> Camera:
    """How the scan was made, from the elements of nuclear medicine."""
    pharmaceutical = nested_item(dataset, "RadiopharmaceuticalInformationSequence")
    nuclide = nested_item(dataset, "RadiopharmaceuticalInformationSequence", "RadionuclideCodeSequence")
    detector = nested_item(dataset, "DetectorInformationSequence")
    method = [
        text(dataset, key)
        for key in ("ReconstructionMethod", "AttenuationCorrectionMethod", "ScatterCorrectionMethod")
    ]
    return Camera(
        manufacturer=text(dataset, "Manufacturer"),
        model=text(dataset, "ManufacturerModelName"),
        radiopharmaceutical=text(pharmaceutical, "Radiopharmaceutical") or text(dataset, "Radiopharmaceutical"),
        radionuclide=text(nuclide, "CodeMeaning"),
        collimator=text(detector, "CollimatorType") or text(dataset, "CollimatorType"),
        corrections=tuple(texts(dataset, "CorrectedImage")),
        reconstruction="; ".join(part for part in method if part),
        filter=text(dataset, "ConvolutionKernel") or text(dataset, "FilterType"),
    )


def identifiers_of(dataset) -> Identifiers:
    """Who the patient is; nothing may print it without being asked to."""
    keywords = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber")
    return Identifiers(*(text(dataset, keyword) for keyword in keywords))


def series_of(dataset, first_file: Path, files: int) -> str:
    """What tells the series from its neighbours; see `series_name`."""
    return series_name(first_file, files, series_number(dataset), text(dataset, "SeriesInstanceUID"))


def series_number(dataset) -> str:
    """Series Number, "" if unknown."""
    number = own_numbers(dataset, "SeriesNumber", 1)
    return "" if number is None else f"{number[0]:.0f}"


def _age(dataset):
    """Years, from Patient's Age ("066Y") or else from the dates of birth and study."""
    age = text(dataset, "PatientAge").upper()
    per_year = {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}
    if len(age) == 4 and age[:3].isdecimal() and age[3] in per_year:
        return round(int(age[:3]) / per_year[age[3]], 1) or None
    birth, study = (parse_date(text(dataset, keyword)) for keyword in ("PatientBirthDate", "StudyDate"))
    years = (study - birth).days / _DAYS_A_YEAR if birth and study else 0
    return round(years, 1) if 0 < years < 130 else None
