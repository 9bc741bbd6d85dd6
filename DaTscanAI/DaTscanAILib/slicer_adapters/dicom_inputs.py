"""Whether a batch's input came as DICOM, so that results can be filed with its studies; no Slicer in here."""

from functools import lru_cache
from itertools import islice
from pathlib import Path

from ..base.errors import DaTscanError
from ..reading.dicom_header import is_dicom
from ..reading.folders import files_below
from ..reading.manifest import MANIFEST_SUFFIXES, read_manifest
from ..reading.zip_archive import is_zip

_MOST_FILES = 300  # that are looked at: the panel asks whenever it is shown anew


def holds_dicom(path: str) -> bool:
    """Whether a file, a folder or a manifest's scans are DICOM, or zip archives that may hold some.

    Of a large folder the first files are looked at. Each scan that is no DICOM is refused by its own sentence.
    """
    try:
        return bool(path) and _holds_dicom(Path(path), Path(path).stat().st_mtime_ns)
    except (OSError, ValueError):
        return False


@lru_cache(maxsize=16)
def _holds_dicom(path, _modified):
    return any(map(_is_one, islice(_files(path), _MOST_FILES)))


def _files(path):
    try:
        if path.is_dir():
            yield from files_below(path)
        elif path.suffix.lower() in MANIFEST_SUFFIXES:
            for scan in (row.scan for row in read_manifest(path) if row.scan):
                yield from files_below(scan) if scan.is_dir() else [scan]
        else:
            yield path
    except DaTscanError:  # running the batch says so
        return


def _is_one(file):
    try:
        with file.open("rb") as stream:
            head = stream.read(400)
    except OSError:
        return False
    return is_dicom(head) or is_zip(head)
