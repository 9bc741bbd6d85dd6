"""Writing files so that a reader never sees half of one."""

import shutil
import uuid
from pathlib import Path


def atomic_write_bytes(path: Path | str, data: bytes) -> None:
    """Write a file whole or not at all; an existing file is replaced.

    The bytes go to a hidden temporary file in the same folder, which then takes the place of `path` in one
    step of the file system. If anything fails, the temporary file is removed and an existing `path` is as it
    was.

    Raises:
        OSError: the folder does not exist, is not writable or is full.
    """
    path = Path(path)
    temporary = hidden_beside(path, "tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def hidden_beside(path: Path, suffix: str) -> Path:
    """A hidden name in the same folder, of what takes the place of `path` or makes room for it.

    It is random and of its own length: workers write side by side, and `path` may have the longest name.
    """
    return path.with_name(f".{uuid.uuid4().hex}.{suffix}")


def replace_folder(partial: Path, folder: Path) -> None:
    """Let a finished folder take the place of another, which need not exist; if it cannot, all is as it was.

    What was there goes aside in one step, for a folder that is removed file by file is half of one when killed.

    Raises:
        OSError: the file system refuses.
    """
    aside = hidden_beside(folder, "replaced") if folder.exists() else None
    if aside:
        folder.rename(aside)
    try:
        partial.rename(folder)
    except BaseException:
        if aside:
            aside.rename(folder)
        raise
    if aside:
        shutil.rmtree(aside, ignore_errors=True)
