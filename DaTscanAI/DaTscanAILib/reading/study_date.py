"""When a scan was made, for the time between two scans; nothing else looks at dates."""

from datetime import date
from pathlib import Path

from ..base.errors import DaTscanError
from .dicom_header import is_dicom, quiet, read_dataset, text

_KEYWORDS = ("AcquisitionDate", "StudyDate", "SeriesDate")


@quiet()
def study_date(path: Path) -> date | None:
    """The date in a DICOM header; None for other files and headers without one.

    Args:
        path: a file, or a folder of single slices, of which the first that tells is taken.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    for file in files:
        try:
            with file.open("rb") as stream:
                if not is_dicom(stream.read(1024)):
                    continue
            dataset = read_dataset(file, file.name, pixels=False)
        except (OSError, DaTscanError):
            continue
        for keyword in _KEYWORDS:
            found = parse_date(text(dataset, keyword))
            if found:
                return found
    return None


def parse_date(text: str) -> date | None:
    """Of DICOM's 20260131, or 2026-01-31; None for anything else."""
    digits = text.strip().replace("-", "")
    if len(digits) != 8 or not digits.isdecimal():
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
