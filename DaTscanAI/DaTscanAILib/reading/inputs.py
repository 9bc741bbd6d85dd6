"""From what a user names (files, folders, manifests) to the list of cases to work on, and what was passed over."""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..base.errors import DaTscanError
from .bids import PARTICIPANTS_FILE, is_bids, read_bids
from .case_names import Place, safe_name, unique_names
from .dicom_series import find_scans
from .folders import contents_of
from .leftovers import may_be_scan
from .manifest import MANIFEST_SUFFIXES, read_manifest
from .medium import is_index, missing_images, not_copied
from .other_formats import belongs_to_header
from .scan import VOLUME_SUFFIXES
from .scan_checks import cannot_be_opened, display_name
from .series_name import short_hash
from .stated import Stated
from .study_date import parse_date

__all__ = ["Case", "Survey", "collect_cases", "is_volume", "safe_name", "survey", "survey_files"]

_MOST_NAMES = 10
_SUFFIXES = (*sorted(VOLUME_SUFFIXES, key=len, reverse=True), ".dcm", ".ima", ".img.gz", ".img", ".zip")


@dataclass(frozen=True)
class Case(Stated):
    """One scan to work on, with what a manifest or a BIDS dataset states of it.

    Attributes:
        name: unique in its list without regard to case, safe as a folder name; from the manifest, the file or
            the folder, never from the scan's header.
        path: file or folder for `read_scan`; None if `error` is set.
        series: Series Instance UID of single slices.
        files: the single slices, wherever below `path` they lie.
        source: what tells the scan from its neighbours, for the table.
        row: of its manifest as a spreadsheet counts them, the header being row 1; None without a manifest.
        doubtful: neither a volume by its name nor DICOM, but it may be a scan.
    """

    name: str
    path: Path | None
    series: str | None = None
    files: tuple[Path, ...] = ()
    source: str = field(default="", compare=False)
    row: int | None = field(default=None, compare=False)
    doubtful: bool = False


@dataclass
class Survey:
    """What there is to work on, and what is not worked on.

    Attributes:
        cases: as of `collect_cases`.
        copies: files that hold an image which another file holds too.
        additions: screenshots and the like in a series of slices.
        other_series: files of DICOM series that are no reconstruction, beside one of their study.
        others: files that are no scans.
        doubtful: names of cases of files that are neither volumes by name nor DICOM, but may be scans.
        other_tracers: images of other tracers in BIDS datasets.
        notes: sentences on what else was left out.
    """

    cases: list[Case] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)
    additions: list[Path] = field(default_factory=list)
    other_series: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    other_tracers: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def passed_over(self, failed: Collection[str] = ()) -> str:
        """How many files were passed over, by kind, and which may be scans; "" if there are none of either.

        Args:
            failed: names of the cases without a result.
        """
        kinds = (
            ("of DICOM series that are no reconstruction", self.other_series),
            ("of screenshots and the like among slices", self.additions),
            ("of images that another file holds too", self.copies),
            ("of other tracers", self.other_tracers),
            ("of other content", self.others),
        )
        total = sum(len(files) for _, files in kinds)
        counts = ", ".join(f"{len(files)} {kind}" for kind, files in kinds if files)
        sentences = [f"Passed over: {total} file{'s' if total > 1 else ''}, {counts}."] if total else []
        sentences += self.notes
        unread = [name for name in self.doubtful if name in failed]
        if unread:
            shown = ", ".join(unread[:_MOST_NAMES]) + (", ..." if len(unread) > _MOST_NAMES else "")
            sentences.append(f"May be scans, but could not be read: {len(unread)} of the failed, {shown}.")
        return "\n".join(sentences)


def collect_cases(inputs: Iterable[Path | str]) -> list[Case]:
    """The cases of files, folders, CSV manifests and BIDS datasets, in their order, each file once.

    A folder gives every scan below it, and every file that may be one: reading says what is wrong with it. Files
    that are no scans are passed over, manifests in folders too, and so are DICOM series (CT, projections, ...) beside
    a reconstruction of their study. Only headers are read.

    Raises:
        DaTscanError: an input does not exist, a folder holds no scan, a manifest or dataset as a whole is unusable.
    """
    return survey(inputs).cases


def survey_files(files: Iterable[Path], root: Path) -> Survey:
    """The cases of some files below a folder, named as `survey` of the folder names them; there may be none."""
    found = Survey()
    return _named(found, _cases_of_files(list(files), root, found))


def survey(inputs: Iterable[Path | str]) -> Survey:
    """As `collect_cases`, with what was passed over."""
    paths = [inputs] if isinstance(inputs, str | Path) else inputs
    found, cases, seen = Survey(), [], set()
    for path in map(Path, paths):
        if _is_manifest(path):  # a scan may stand in two of its rows
            new = list(_cases_of_manifest(path))
        elif is_bids(path):
            new = list(_cases_of_bids(path, found))
        else:
            new = [(case, place) for case, place in _cases_at(path, found) if _key(case) not in seen]
        seen.update(_key(case) for case, _ in new if case.path)
        cases += new
    return _named(found, cases)


def _named(found, cases):
    names = unique_names([place for _, place in cases])
    found.cases = [replace(case, name=name) for (case, _), name in zip(cases, names, strict=True)]
    found.doubtful = [case.name for case in found.cases if case.doubtful]
    undated = [case for case in found.cases if _has_unread_date(case)]
    if undated:
        found.notes.append(
            f"Dates that cannot be read, so that no earlier scan is known: {len(undated)}, first of "
            f"{undated[0].name}; write YYYY-MM-DD."
        )
    return found


def _has_unread_date(case):
    return bool(case.other.get("patient") and case.other.get("date")) and parse_date(case.other["date"]) is None


def _key(case):
    return _absolute(case.path), case.series


def _is_manifest(path):
    return path.suffix.lower() in MANIFEST_SUFFIXES and not path.is_dir()


def _absolute(path):
    """The path written in one way. Links are not followed: two links to one scan are two cases on purpose."""
    return os.path.abspath(path)  # noqa: PTH100 - `resolve` follows links


def _cases_of_manifest(path):
    folder = Path(_absolute(path)).parent
    for row in read_manifest(path):
        where = row.scan.relative_to(folder) if row.scan and row.scan.is_relative_to(folder) else row.scan
        parts = (row.case,) if row.case else _parts(where) if where else (f"row{row.number}",)
        identity = where.as_posix() if where else ""
        source = display_name(row.scan) if row.scan else ""
        case = Case("", row.scan, source=source, row=row.number, **row.stated())
        yield case, Place(parts, identity=identity, given=bool(row.case) and row.error is None)


def _cases_of_bids(folder, found):
    """`(case, place)` of a dataset's scans."""
    dataset = read_bids(folder)
    found.other_tracers += dataset.other_tracers
    found.notes += _bids_notes(dataset, display_name(folder))
    for scan in dataset.scans:
        source = display_name(scan.path) if scan.path else ""
        case = Case("", scan.path, source=source, **scan.stated())
        yield case, Place((scan.name,), identity=scan.name, given=True)


def _bids_notes(dataset, name):
    if dataset.without:
        shown = ", ".join(dataset.without[:_MOST_NAMES]) + (", ..." if len(dataset.without) > _MOST_NAMES else "")
        yield f"Participants of {name} without an FP-CIT scan: {len(dataset.without)}, {shown}."
    if not dataset.has_participants:
        yield f"{name} has no {PARTICIPANTS_FILE}: ages, sexes and labels are not known."


def _cases_at(path, found):
    """`(case, place)` of a file or of everything below a folder; what is passed over goes to `found`."""
    try:
        path.stat()
    except (OSError, ValueError) as error:
        raise cannot_be_opened(display_name(path), error) from error
    if not path.is_dir():
        return [_of_file(path, path.parent)]
    content = contents_of(path)
    cases = _cases_of_files(content.files, path, found)
    cases += [_of_link(link, path) for link in content.links_out]
    found.notes += _note_of_hidden(content.hidden)
    if not cases:
        raise DaTscanError(f"{display_name(path)} holds no scan: give DICOM NM, NIfTI, NRRD or MHA files.")
    return sorted(cases, key=lambda case: (case[0].path.parts, case[0].series or ""))


def _cases_of_files(files, root, found):
    dicom = find_scans(file for file in files if not is_volume(file))
    unread = {file for file in dicom.not_dicom if may_be_scan(file)}
    cases = [_of_file(file, root, doubtful=file in unread) for file in files if is_volume(file) or file in unread]
    cases += [_of_dicom(scan, root) for scan in dicom.scans]
    missing = {file: missing_images(file, files) for file in files if is_index(file)}
    cases += [_of_index(file, root, images) for file, images in missing.items() if images]
    found.copies += dicom.copies
    found.additions += dicom.additions
    found.other_series += dicom.others
    found.others += [file for file in dicom.not_dicom if file not in unread and not belongs_to_header(file)]
    return cases


def is_volume(file: Path) -> bool:
    """Whether a file is a volume by its name."""
    return file.name.lower().endswith(VOLUME_SUFFIXES)


def _of_file(path, root, doubtful=False):
    where = path.relative_to(root)
    case = Case("", path, source=display_name(path), doubtful=doubtful)
    return case, Place(_parts(where), _above(root), where.as_posix())


def _of_link(path, root):
    case, place = _of_file(path, root, doubtful=True)
    sentence = str(DaTscanError(f"{display_name(path)} is a link to a folder elsewhere: give that folder itself."))
    return replace(case, error=sentence), place


def _of_index(path, root, missing):
    case, place = _of_file(path, root, doubtful=True)
    return replace(case, error=str(not_copied(display_name(path), len(missing)))), place


def _note_of_hidden(files):
    scans = [path for path in files if is_volume(path) or path.suffix.lower() in (".dcm", ".ima")]
    if scans:
        shown = ", ".join(map(display_name, scans[:_MOST_NAMES])) + (", ..." if len(scans) > _MOST_NAMES else "")
        yield f"Hidden files that may be scans, not looked at: {len(scans)}, {shown}."


def _of_dicom(scan, root):
    """Slices are called after their folder, which says little, and their series, which stays."""
    if scan.series is None:
        case, place = _of_file(scan.files[0], root)
        return replace(case, source=scan.name), place
    where = scan.folder.relative_to(root)
    folders = [display_name(Path(part)) for part in where.parts] or [display_name(root)]
    above = _above(root) if where.parts else _above(root)[1:]
    case = Case("", scan.folder, scan.series, files=scan.files, source=scan.name)
    identity = f"{where.as_posix()} {scan.series} {scan.study} {scan.patient}"  # only its hash is ever shown
    return case, Place((*folders, short_hash(scan.series)), above, identity)


def _parts(where):
    """Folders below the input, and the name without its suffix."""
    name = where.name or display_name(where)
    suffix = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
    return (*map(str, where.parent.parts), name[: len(name) - len(suffix)])


def _above(root):
    return tuple(display_name(folder) for folder in (root.absolute(), *root.absolute().parents) if folder.name)
