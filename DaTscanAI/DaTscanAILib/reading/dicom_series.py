"""Which DICOM files of a folder belong together as one scan."""

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import DaTscanError
from .dicom_header import DICOM_SUFFIXES, is_dicom, own_numbers, quiet, read_dataset, text
from .dicom_kinds import check_kind
from .scan_checks import MIN_SLICES, cannot_be_opened, display_name

_logger = logging.getLogger(__name__)
# The results of an earlier run may lie below the scans; their volumes are nobody's scans.
_RESULT_FILES = {"result.json", "normalized.nii.gz"}


@dataclass(frozen=True)
class FoundScan:
    """DICOM files that make up one scan.

    Attributes:
        files: one multi-frame file, or the single slices of a series, of one folder.
        study: Study Instance UID; "" if unknown.
        series: Series Instance UID of single slices; None for a multi-frame file.
        usable: whether its headers are those of a reconstructed SPECT of enough slices.
    """

    files: tuple[Path, ...]
    study: str
    series: str | None
    usable: bool


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder in the order of their paths, but hidden ones and this project's own results.

    Raises:
        DaTscanError: a folder cannot be listed; what lies in it would be lost silently.
    """
    for parent, folders, files in os.walk(folder, onerror=_unreadable):
        if _RESULT_FILES.issubset(files):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))


def _unreadable(error):
    raise cannot_be_opened(display_name(Path(error.filename)), error) from error


@quiet()
def find_scans(paths: Iterable[Path]) -> list[FoundScan]:
    """The DICOM scans among files, in the order of the files; other files are passed over.

    CT, projections, reports and the like are left out where their study has a usable reconstruction. The
    objects of a study without one are kept, so that reading them tells why nothing came of that patient.
    """
    groups = defaultdict(list)
    for path in paths:
        header = _header(path)
        if header:
            groups[header.group].append(header)
    found = [_scan_of(headers) for headers in groups.values()]
    studies = {scan.study for scan in found if scan.usable and scan.study}
    kept = [scan for scan in found if scan.usable or scan.study not in studies]
    if len(kept) < len(found):
        _logger.info("left out %d DICOM series that are no reconstructions", len(found) - len(kept))
    return kept


def files_of_scan(folder: Path, series: str | None) -> list[Path]:
    """The files of the one DICOM scan of a folder; with `series`, of that series of slices right in it.

    Raises:
        DaTscanError: there is none, or more than one.
    """
    name = display_name(folder)
    if series is not None:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        scans = [scan for scan in find_scans(paths) if scan.series == series]
    else:
        scans = find_scans(files_below(folder))
    if not scans:
        raise DaTscanError(f"{name} holds no DICOM scan: give the folder or file of a reconstruction.")
    if len(scans) > 1:
        raise DaTscanError(f"{name} holds {len(scans)} DICOM scans: give each by its own file or folder.")
    return list(scans[0].files)


@dataclass(frozen=True)
class _Header:
    path: Path
    study: str
    series: str
    frames: int
    reconstruction: bool

    @property
    def group(self):
        """Slices of a series in one folder belong together; a multi-frame file stands alone."""
        return self.path if self.frames > 1 or not self.series else (self.path.parent, self.series)


def _header(path):
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except OSError:
        head = b""
    suffix = path.suffix.lower()
    if not is_dicom(head, path) and suffix not in DICOM_SUFFIXES:
        return None
    try:
        dataset = read_dataset(path, path.name, pixels=False)
    except DaTscanError:
        return _Header(path, "", "", 0, reconstruction=False)
    if text(dataset.file_meta, "MediaStorageSOPClassUID") == "1.2.840.10008.1.3.10":
        return None  # DICOMDIR
    frames = own_numbers(dataset, "NumberOfFrames", 1)
    study, series = (text(dataset, key) for key in ("StudyInstanceUID", "SeriesInstanceUID"))
    return _Header(path, study, series, 1 if frames is None else int(min(frames[0], 1e6)), _is_usable(dataset))


def _is_usable(dataset):
    try:
        check_kind(dataset, "")
    except DaTscanError:
        return False
    return True


def _scan_of(headers):
    frames = sum(max(1, header.frames) for header in headers)
    usable = frames >= MIN_SLICES and all(header.reconstruction for header in headers)
    alone = headers[0].frames > 1 or not headers[0].series
    return FoundScan(
        files=tuple(header.path for header in headers),
        study=headers[0].study,
        series=None if alone else headers[0].series,
        usable=usable,
    )
