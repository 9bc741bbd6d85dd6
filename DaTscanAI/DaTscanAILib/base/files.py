"""Writing files so that a reader never sees half of one."""

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
    # A random name of its own length: workers write side by side, and `path` may have the longest name.
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
