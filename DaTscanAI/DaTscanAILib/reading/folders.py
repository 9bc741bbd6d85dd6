"""Walking folders: which files lie below one, and which links lead out of it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
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
    for parent, _, files in _walk(folder):
        yield from (Path(parent, name) for name in files if not name.startswith("."))


@dataclass(frozen=True)
class Contents:
    """What lies below a folder, but this project's own results, in the order of the folders and of their names.

    Attributes:
        files: as of `files_below`.
        hidden: hidden files, but those in which macOS keeps what Finder knows (`._`).
        links_out: links to folders that do not lie below the folder itself.
    """

    files: list[Path]
    hidden: list[Path]
    links_out: list[Path]


def contents_of(folder: Path) -> Contents:
    """What lies below a folder, found in one walk.

    Raises:
        DaTscanError: a folder below cannot be listed.
    """
    inside, found = folder.resolve(), Contents([], [], [])
    for parent, folders, files in _walk(folder):
        for name in files:
            if not name.startswith("."):
                found.files.append(Path(parent, name))
            elif not name.startswith("._"):
                found.hidden.append(Path(parent, name))
        links = (Path(parent, name) for name in folders)
        found.links_out.extend(link for link in links if link.is_symlink() and not _leads_into(link, inside))
    return found


def _leads_into(link, folder):
    try:
        target = link.resolve()
    except (OSError, RuntimeError):  # a circle of links
        return True
    return target.is_relative_to(folder) or folder.is_relative_to(target)


def _walk(folder):
    """As `os.walk`, in the order of the names, without hidden folders and the results of an earlier run."""
    for parent, folders, files in os.walk(folder, onerror=_unreadable):
        if _RESULT_FILE in files and not _VOLUMES_AND_DICOM.isdisjoint(files):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield parent, folders, sorted(files)


def _unreadable(error):
    raise cannot_be_opened(display_name(Path(error.filename)), error) from error
