"""Walking folders: which files lie below one, and which links lead out of it."""

import os
from collections.abc import Iterator
from pathlib import Path

from .scan_checks import cannot_be_opened, display_name

# The results of an earlier run may lie below the scans; their volumes and reports are nobody's scans.
_RESULT_FILE, _VOLUMES_AND_DICOM = "result.json", {"normalized.nii.gz", "dicom_sr.dcm"}


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder in the order of their paths, but hidden ones and this project's own results.

    Links to folders are not followed: they may lead round in circles.

    Raises:
        DaTscanError: a folder cannot be listed; what lies in it would be lost silently.
    """
    for parent, folders, files in _walk(folder):
        if _RESULT_FILE not in files or _VOLUMES_AND_DICOM.isdisjoint(files):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))
        else:
            folders.clear()


def hidden_below(folder: Path) -> Iterator[Path]:
    """Hidden files in the folders that `files_below` walks, but those in which macOS keeps what Finder knows (`._`).

    Raises:
        DaTscanError: a folder cannot be listed.
    """
    for parent, folders, files in _walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if name[0] == "." and name[:2] != "._")


def links_out_of(folder: Path) -> list[Path]:
    """Links below a folder to folders that do not lie below it, in the order of their paths.

    Raises:
        DaTscanError: a folder cannot be listed.
    """
    inside, found = folder.resolve(), []
    for parent, folders, _ in _walk(folder):
        links = [Path(parent, name) for name in folders if not name.startswith(".")]
        found += [link for link in links if link.is_symlink() and not _leads_into(link, inside)]
    return sorted(found)


def _leads_into(link, folder):
    try:
        target = link.resolve()
    except (OSError, RuntimeError):  # a circle of links
        return True
    return target.is_relative_to(folder) or folder.is_relative_to(target)


def _walk(folder):
    return os.walk(folder, onerror=_unreadable)


def _unreadable(error):
    raise cannot_be_opened(display_name(Path(error.filename)), error) from error
