"""One writer at a time for a folder of results."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..base.errors import DaTscanError
from ..reading.scan_checks import display_name

# What a run that was killed may leave behind; all else in the folder is somebody's.
_LEFT_BEHIND = re.compile(r"\.[0-9a-f]{32}\.(tmp|partial|replaced|task)")


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Keep other batches out of a results folder; ends with the process, however that ends.

    What a killed batch left half-written is removed. On Windows, and on file systems without locks, nothing keeps
    others out and nothing is removed.

    Raises:
        DaTscanError: another batch is writing there.
    """
    handle = _locked(folder)
    if handle is None:
        yield
        return
    try:
        _remove_left_behind(folder)
        yield
        _remove_left_behind(folder)
    finally:
        os.close(handle)


def _locked(folder):
    """Handle of the folder, locked until it is closed; None where there are no locks."""
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if not isinstance(error, BlockingIOError):
            return None
        raise DaTscanError(
            f"{display_name(folder)}: another run is writing its results here: wait for it, or choose another "
            "folder with --output."
        ) from error
    return handle


def _remove_left_behind(folder):
    for path in folder.iterdir():
        if _LEFT_BEHIND.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
