"""What tells a series from its neighbours: a text for people, and a short hash that goes with it wherever it lies."""

import hashlib
from pathlib import Path

from .scan_checks import display_name

_HASH_LENGTH = 8


def series_name(first_file: Path, files: int, number: str, series: str) -> str:
    """First file's name, number of files, Series Number and a hash of the Series Instance UID, as far as known.

    Descriptions are left out: they may hold anything. The hash has 32 bits, so that it tells the series of a
    department apart and leads back to none.

    Args:
        first_file: of the series.
        files: how many it has.
        number: Series Number, or "".
        series: Series Instance UID, or "".
    """
    parts = [display_name(first_file) + (f" and {files - 1} more" if files > 1 else "")]
    parts += [f"series {number}"] if number else []
    parts += [short_hash(series)] if series else []
    return ", ".join(parts)


def short_hash(text: str) -> str:
    """Eight hexadecimal digits."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:_HASH_LENGTH]
