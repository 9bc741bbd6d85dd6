"""Which files make up one piece of work, found out file by file as they arrive."""

from pathlib import Path

from ..base.errors import DaTscanError
from ..reading.case_names import safe_name
from ..reading.dicom_header import quiet
from ..reading.dicom_series import Header, read_header
from ..reading.inputs import Case, is_volume, survey_files
from ..reading.leftovers import may_be_scan
from ..reading.scan_checks import display_name
from ..reading.series_name import short_hash
from .ledger import NO_SCAN, OTHER_OBJECTS


@quiet()
def unit_of(path: Path) -> tuple[str, str]:
    """A file's unit and study: a series of slices, the file alone, a study's other objects, or `NO_SCAN`.

    Both are made of hashes, so that no identifier of a patient is kept.
    """
    alone = f"file {path}".encode(errors="surrogateescape").decode(errors="backslashreplace")
    if is_volume(path):
        return alone, ""
    header = read_header(path)
    if header is None:
        return (alone if may_be_scan(path) else NO_SCAN), ""
    study = _hashed(header.study) if header.study else ""
    if not (header.reconstruction or header.worth_a_word) and study:
        return OTHER_OBJECTS + study, study
    return (alone if header.alone else _series(header)), study


def _series(header: Header):
    return f"series {_hashed(header.series)} {_hashed(header.patient)}"


def _hashed(text):
    return short_hash(text) + short_hash(f"{text} ")


def cases_of(files: list[Path], root: Path, most_files: int, most_bytes: int) -> list[Case]:
    """The cases that a unit's files stand for.

    Args:
        files: of the unit.
        root: the folder in which they arrive; names are relative to it.
        most_files, most_bytes: of a unit, and of a file. Beyond, the unit is one case that says so; nothing is read.
    """
    name = display_name(files[0])
    error = None
    if len(files) > most_files:
        error = DaTscanError(f"{name}: more than {most_files} files arrived for one scan: send one reconstruction.")
    elif any(_size(file) > most_bytes for file in files):
        error = DaTscanError(f"{name}: a file of more than {most_bytes >> 20} MiB arrived: send one reconstruction.")
    if error:
        where = files[0].relative_to(root)
        return [Case(safe_name("_".join(where.with_suffix("").parts)), None, source=name, error=str(error))]
    return survey_files(files, root).cases


def _size(path):
    try:
        return path.stat().st_size
    except OSError:
        return 0
