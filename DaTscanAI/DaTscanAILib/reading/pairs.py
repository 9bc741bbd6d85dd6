"""Scans in two files, a header (.hdr) and its numbers (.img): the partner of either, however it is written.

Windows and old converters write suffixes in capitals, some compress each file.
"""

import os
from pathlib import Path

from ..base.errors import DaTscanError

HEADER_SUFFIXES = (".hdr", ".hdr.gz")
DATA_SUFFIXES = (".img", ".img.gz")


def data_file_of(header: Path, name: str) -> tuple[Path, bool]:
    """The .img of a .hdr in its folder, and whether it is a gzip stream.

    Raises:
        DaTscanError: it is not there or cannot be opened.
    """
    path = _partner(header, HEADER_SUFFIXES, DATA_SUFFIXES)
    try:
        with path.open("rb") as file:
            return path, file.read(2) == b"\x1f\x8b"
    except (OSError, AttributeError) as error:
        raise DaTscanError(f"{name} has lost its data file: copy it into the same folder.") from error


def header_of(path: Path) -> Path | None:
    """The .hdr of an .img in its folder; None if there is none, or the path is no .img."""
    return _partner(path, DATA_SUFFIXES, HEADER_SUFFIXES)


def _partner(path, own, wanted):
    name = path.name.lower()
    suffix = next((suffix for suffix in sorted(own, key=len, reverse=True) if name.endswith(suffix)), None)
    if suffix is None:
        return None
    stem = path.name[: len(name) - len(suffix)]
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent) if entry.is_file())
    except OSError:
        return None
    # The same letters first: on a disk that tells capitals apart there may be two pairs.
    candidates = [other for other in names if other.lower() in {stem.lower() + end for end in wanted}]
    candidates.sort(key=lambda other: (not other.startswith(stem), len(other)))
    return path.with_name(candidates[0]) if candidates else None
