"""When a scan was made, for the time between two scans; nothing else looks at dates."""

import re
from datetime import date
from pathlib import Path

from ..base.errors import DaTscanError
from .dicom_header import is_dicom, quiet, read_dataset, text

_KEYWORDS = ("AcquisitionDate", "StudyDate", "SeriesDate")
# Ways to write a date, and which group is year, month, day.
_FORMS = (
    (re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})"), (1, 2, 3)),
    (re.compile(r"([0-9]{4})[-./]([0-9]{1,2})[-./]([0-9]{1,2})"), (1, 2, 3)),
    (re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})"), (3, 2, 1)),
)


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
    """Of 20260131, 2026-01-31, 2026.01.31, 2026/01/31 or 31.01.2026; None for anything else.

    With slashes day and month cannot be told apart where the year comes last.
    """
    for form, order in _FORMS:
        found = form.fullmatch(text.strip())
        if found:
            year, month, day = (int(found[place]) for place in order)
            try:
                return date(year, month, day)
            except ValueError:
                return None
    return None
