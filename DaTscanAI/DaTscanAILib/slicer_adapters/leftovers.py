"""The folders through which a task and its process talk hold a scan's voxels: none outlives its owner."""

import contextlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

PREFIX = "DaTscanAI-"
_OWNER = "owner"
_TIME_TO_NAME_S = 60.0


def new_folder() -> Path:
    """A folder in the temporary folder that belongs to this process."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    (folder / _OWNER).write_text(str(os.getpid()), encoding="ascii")
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder; what another process holds open is tried again at the next start."""
    shutil.rmtree(folder, ignore_errors=True)


def owner_is_gone(folder: Path) -> bool:
    """Whether the process to which a folder belongs has ended; a folder that names none belongs to nobody known."""
    try:
        owner = int((folder / _OWNER).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False
    return not process_is_alive(owner)


def remove_leftovers() -> None:
    """Remove the folders that a crash has left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if folder.is_dir() and (owner_is_gone(folder) or _is_nameless(folder)):
            remove_folder(folder)


def _is_nameless(folder):
    """Whether a folder names no owner, although it had the time to."""
    try:
        return not (folder / _OWNER).exists() and time.time() - folder.stat().st_mtime > _TIME_TO_NAME_S
    except OSError:  # gone meanwhile
        return False


def process_is_alive(identifier: int) -> bool:
    """Whether a process with this identifier runs on this machine."""
    if sys.platform == "win32":
        return _is_alive_on_windows(identifier)
    with contextlib.suppress(PermissionError):  # it runs, as somebody else
        try:
            os.kill(identifier, 0)
        except (ProcessLookupError, OverflowError):
            return False
    return True


def _is_alive_on_windows(identifier):
    import ctypes

    kernel = ctypes.windll.kernel32
    query_limited_information, still_active = 0x1000, 259
    handle = kernel.OpenProcess(query_limited_information, False, identifier)
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == still_active
