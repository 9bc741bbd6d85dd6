"""A scan in a zip archive, as portals and anonymizers hand them out: unpacked within limits, read, removed again."""

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..base.errors import DaTscanError
from .scan_checks import MAX_FILE_BYTES
from .scan_record import Scan
from .volume_file import damaged

MAX_ENTRIES = 20_000
_CHUNK = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, KeyError)
_OTHER_METHODS = {9: "Deflate64", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd"}


def is_zip(head: bytes) -> bool:
    """Whether a file with this beginning is a zip archive."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def read_zip(path: Path, name: str) -> Scan:
    """The one scan of a zip archive.

    Args:
        path: the archive.
        name: of it, for the error sentences.

    Raises:
        DaTscanError: no scan, several, too much of anything, encrypted or damaged.
        OSError: no room to unpack it.
    """
    from .scan import read_scan

    with unpacked_scan(path, name) as case:
        return read_scan(case.path, files=case.files)


@contextmanager
def unpacked_scan(path: Path, name: str) -> Iterator:
    """The one scan of a zip archive, a `Case`, as long as it lies unpacked.

    Args:
        path: the archive.
        name: of it, for the error sentences.

    Raises:
        DaTscanError: as `read_zip`.
        OSError: no room to unpack it.
    """
    from .inputs import collect_cases

    with _unpacked(path, name) as folder:
        try:
            cases = collect_cases([folder])
        except DaTscanError as error:
            raise DaTscanError(
                f"{name} is a zip archive without a scan: give DICOM NM, NIfTI, NRRD or MHA."
            ) from error
        said = next((case.error for case in cases if case.error), None)
        if said:
            raise DaTscanError(f"{name}: {said}")
        if len(cases) > 1:
            raise DaTscanError(f"{name} holds {len(cases)} scans: unpack it, and give the folder.")
        if cases[0].path.suffix.lower() == ".zip":  # an archive may hold itself
            raise DaTscanError(f"{name} holds another zip archive: unpack it, and give the folder.")
        yield cases[0]


@contextmanager
def _unpacked(path, name) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="datscanai-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(archive, Path(folder), name)
        except _DAMAGED as error:
            raise damaged(name) from error
        yield Path(folder)


def _unpack(archive, folder, name):
    """Counts what comes out, not what the archive says of it."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MAX_ENTRIES:
        raise _too_large(name)
    if any(entry.flag_bits & 1 for entry in entries):
        raise DaTscanError(f"{name} is an encrypted zip archive: unpack it, and give the folder.")
    left = MAX_FILE_BYTES
    for number, entry in enumerate(entries):
        if entry.compress_type not in _METHODS:
            method = _OTHER_METHODS.get(entry.compress_type, "an unknown method")
            raise DaTscanError(f"{name} is a zip archive compressed with {method}: unpack it, and give the folder.")
        target = _inside(folder, entry.filename, number)
        with archive.open(entry) as source, target.open("wb") as file:
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise _too_large(name)
                file.write(chunk)


def _inside(folder, entry_name, number):
    """A path below the folder, whatever the entry is called; suffix and folders stay, for they tell series apart."""
    parts = [part for part in entry_name.replace("\\", "/").split("/") if part not in ("", ".", "..")] or ["file"]
    safe = ["".join(c if c.isalnum() or c in "-_." else "_" for c in part)[-60:] for part in parts[-6:]]
    target = folder.joinpath(*safe)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        taken = target.exists()
    except OSError:  # a file has the name of the folder
        taken = True
    if taken:
        target = folder / f"{number}" / safe[-1]
        target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _too_large(name):
    return DaTscanError(
        f"{name} unpacks to more than {MAX_FILE_BYTES >> 20} MiB or {MAX_ENTRIES} files: give the scan itself."
    )
