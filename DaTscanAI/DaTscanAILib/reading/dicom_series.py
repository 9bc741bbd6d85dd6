"""Which DICOM files belong together as one scan.

Slices of a series belong together wherever they lie; a multi-frame file stands alone. The same image twice counts
once. A screenshot in a series does not cost its slices, and other series of a study (CT, projections, ...) are left
out beside its reconstruction.
"""

import itertools
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..base.errors import DaTscanError
from .dicom_copies import without_copies
from .dicom_facts import series_number
from .dicom_header import DICOM_SUFFIXES, is_dicom, numbers, own_numbers, quiet, read_dataset, text
from .dicom_kinds import check_kind, is_capture, may_be_reconstruction
from .folders import files_below
from .scan_checks import MIN_SLICES, display_name
from .series_name import series_name

# One image among many of another form is an addition to a series; more are a second stack.
_FEW = 0.1


@dataclass(frozen=True)
class FoundScan:
    """DICOM files that make up one scan.

    Attributes:
        files: one multi-frame file, or the single slices of a series.
        study: Study Instance UID; "" if unknown.
        series: Series Instance UID of single slices; None for a multi-frame file.
        usable: whether its headers are those of a reconstructed SPECT of enough slices.
        name: what tells it from its neighbours; see `series_name`.
        patient: Patient ID, which nothing may print; "" if unknown.
    """

    files: tuple[Path, ...]
    study: str
    series: str | None
    usable: bool
    name: str
    patient: str = field(default="", repr=False)

    @property
    def folder(self) -> Path:
        """The folder that holds all its files."""
        return Path(os.path.commonpath([file.parent for file in self.files]))


@dataclass
class Found:
    """What a search for DICOM scans has found.

    Attributes:
        scans: in the order of their first files.
        copies: files that hold an image which another file holds too.
        additions: screenshots and the like in a series of slices.
        others: files of series that are no reconstruction, beside one of their study.
        not_dicom: all other files.
    """

    scans: list[FoundScan] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)
    additions: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    not_dicom: list[Path] = field(default_factory=list)


@quiet()
def find_scans(paths: Iterable[Path]) -> Found:
    """The DICOM scans among files.

    CT, projections, reports and the like are left out where their study has a usable reconstruction. The
    objects of a study without one are kept, so that reading them tells why nothing came of that patient.
    """
    found, headers = Found(), []
    for path in paths:
        header = read_header(path)
        headers.append(header) if header else found.not_dicom.append(path)
    headers, found.copies = without_copies(headers)
    scans = [_scan_of(group, found.additions) for group in _groups(headers)]
    studies = {scan.study for scan, _ in scans if scan.usable and scan.study}
    for scan, worth_a_word in scans:
        if scan.usable or worth_a_word or scan.study not in studies:
            found.scans.append(scan)
        else:
            found.others.extend(scan.files)
    return found


def files_of_scan(folder: Path, series: str | None) -> list[Path]:
    """The files of the one DICOM scan of a folder; with `series`, of that series of slices.

    Raises:
        DaTscanError: there is none, or more than one.
    """
    name = display_name(folder)
    scans = [scan for scan in find_scans(files_below(folder)).scans if series in (None, scan.series)]
    if not scans:
        raise DaTscanError(f"{name} holds no DICOM scan: give the folder or file of a reconstruction.")
    if len(scans) > 1:
        raise DaTscanError(f"{name} holds {len(scans)} DICOM scans: give each by its own file or folder.")
    return list(scans[0].files)


@dataclass(frozen=True)
class Header:
    """What of a file's header decides where it belongs."""

    path: Path
    study: str = ""
    series: str = ""
    patient: str = ""
    image: str = ""  # SOP Instance UID
    frames: int = 0
    place: tuple = ()  # position and number of a single slice
    form: tuple = ()  # what the slices of one stack have in common
    number: str = ""
    reconstruction: bool = False
    worth_a_word: bool = False
    capture: bool = False

    @property
    def alone(self) -> bool:
        return self.frames > 1 or not self.series


def read_header(path: Path) -> Header | None:
    """Where a file belongs; None if it is no DICOM image. Call it inside `quiet()`."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            head = file.read(400)
    except OSError:
        head = b""
    if not is_dicom(head) and path.suffix.lower() not in DICOM_SUFFIXES:
        return None
    try:
        dataset = read_dataset(path, path.name, pixels=False)
    except DaTscanError:
        return Header(path)
    if text(dataset.file_meta, "MediaStorageSOPClassUID") == "1.2.840.10008.1.3.10":
        return None  # DICOMDIR
    return _described(path, dataset)


def _described(path, dataset):
    frames = own_numbers(dataset, "NumberOfFrames", 1)
    position, instance = numbers(dataset, "ImagePositionPatient", 3), own_numbers(dataset, "InstanceNumber", 1)
    study, series, patient, image = (
        text(dataset, key) for key in ("StudyInstanceUID", "SeriesInstanceUID", "PatientID", "SOPInstanceUID")
    )
    size = [own_numbers(dataset, key, 1) for key in ("Rows", "Columns")]
    return Header(
        path=path,
        study=study,
        series=series,
        patient=patient,
        image=image,
        frames=1 if frames is None else int(min(frames[0], 1e6)),
        place=(_rounded(position), _rounded(instance)),
        number=series_number(dataset),
        form=(*map(_rounded, size), position is None, is_capture(dataset)),
        reconstruction=_is_usable(dataset),
        worth_a_word=may_be_reconstruction(dataset),
        capture=is_capture(dataset),
    )


def _rounded(values):
    return None if values is None else tuple(round(float(value), 2) for value in values)


def _is_usable(dataset):
    try:
        check_kind(dataset, "")
    except DaTscanError:
        return False
    return True


def _groups(headers):
    """Headers that make up one scan each, in the order of their first files."""
    series, groups = defaultdict(list), []
    for header in headers:
        if header.alone:
            groups.append([header])
        else:
            series[header.series, header.patient].append(header)
    for members in itertools.chain.from_iterable(map(_by_study, series.values())):
        groups.extend([members] if _one_stack(members) else _by_folder(members))
    order = {header.path: number for number, header in enumerate(headers)}
    return sorted(groups, key=lambda group: order[group[0].path])


def _by_study(members):
    """Two examinations under one series number are two scans; a stray image of another study makes no second one."""
    studies = defaultdict(list)
    for member in members:
        studies[member.study].append(member)
    stacks = [study for study in studies.values() if sum(image.reconstruction for image in study) >= MIN_SLICES]
    return list(studies.values()) if len(stacks) > 1 else [members]


def _one_stack(members):
    """Whether slices of several folders complete one another: no place is taken twice."""
    by_place = defaultdict(set)
    for member in members:
        by_place[member.place].add(member.path.parent)
    return all(len(folders) == 1 for folders in by_place.values())


def _by_folder(members):
    folders = defaultdict(list)
    for member in members:
        folders[member.path.parent].append(member)
    return folders.values()


def _scan_of(headers, additions):
    """A scan, and whether it may not be left out without a word; what is no slice of it goes to `additions`."""
    kept = _without_additions(headers)
    paths = {header.path for header in kept}
    additions.extend(header.path for header in headers if header.path not in paths)
    first = kept[0]
    frames = sum(max(1, header.frames) for header in kept)
    usable = frames >= MIN_SLICES and all(header.reconstruction for header in kept)
    worth_a_word = frames >= MIN_SLICES and any(header.worth_a_word for header in kept)
    scan = FoundScan(
        files=tuple(header.path for header in kept),
        study=first.study,
        series=None if first.alone else first.series,
        usable=usable,
        name=series_name(first.path, len(kept), first.number, first.series),
        patient=first.patient,
    )
    return scan, worth_a_word


def _without_additions(headers):
    """The slices of a series, without screenshots and other images that some workstations put into it."""
    slices = [header for header in headers if header.reconstruction]
    if len(slices) < MIN_SLICES:
        return headers
    form, count = Counter(header.form for header in slices).most_common(1)[0]
    odd = [header for header in slices if header.form != form and (header.capture or header.place[0] is None)]
    return [header for header in slices if header not in odd] if count >= (1 - _FEW) * len(slices) else slices
