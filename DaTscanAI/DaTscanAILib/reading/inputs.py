"""From what a user names (files, folders, manifests) to the list of cases to work on."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..base.errors import DaTscanError
from .dicom_series import files_below, find_scans
from .manifest import MANIFEST_SUFFIXES, read_manifest
from .scan import VOLUME_SUFFIXES
from .scan_checks import cannot_be_opened, display_name

_SUFFIXES = (*sorted(VOLUME_SUFFIXES, key=len, reverse=True), ".dcm", ".ima", ".img")
_MAX_NAME = 100
_MAX_FOLDERS = 6
# Names that Windows keeps for devices, and files that the results folder keeps for itself.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|results\.csv", re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    """One scan to work on.

    Attributes:
        name: unique in its list without regard to case, safe as a folder name; from the manifest, the file or
            the folder, never from the scan's header.
        path: file or folder for `read_scan`; None if `error` is set.
        series: for `read_scan`, where a folder holds several series of single slices.
        label: "normal" or "reduced", from a manifest.
        age: years, from a manifest.
        sex: "F" or "M", from a manifest.
        site: from a manifest.
        other: text of a manifest's other columns.
        error: why a manifest's row cannot be used, one sentence; None otherwise.
    """

    name: str
    path: Path | None
    series: str | None = None
    label: str | None = None
    age: float | None = None
    sex: str | None = None
    site: str | None = None
    other: dict[str, str] = field(default_factory=dict)
    error: str | None = None


def collect_cases(inputs: Iterable[Path | str]) -> list[Case]:
    """The cases of files, folders and CSV manifests, in their order, each file once.

    A folder gives every scan below it. Files that are no scans are passed over, manifests in folders too, and
    so are DICOM series (CT, projections, ...) beside a reconstruction of their study. Only headers are read.

    Raises:
        DaTscanError: an input does not exist, a folder holds no scan, a manifest as a whole is unusable.
    """
    paths = [inputs] if isinstance(inputs, str | Path) else inputs
    cases, seen = [], set()
    for path in map(Path, paths):
        if _is_manifest(path):
            from_manifest = [(_case_of_row(row), []) for row in read_manifest(path)]
            cases.extend(from_manifest)
            seen.update((_place(case.path), None) for case, _ in from_manifest if case.path)
            continue
        for case, folders in _cases_at(path):
            key = (_place(case.path), case.series)
            if key not in seen:
                seen.add(key)
                cases.append((case, folders))
    return _with_unique_names(cases)


def safe_name(text: str) -> str:
    """A text as the name of a file or folder on any system, and harmless as the first cell of a CSV row."""
    name = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", text)).strip("._-")
    name = name[-_MAX_NAME:].strip("._-")  # the end of a long name tells more: numbers of images, file names
    return f"{name}_" if _RESERVED.fullmatch(name) else name or "case"


def _is_manifest(path):
    return path.suffix.lower() in MANIFEST_SUFFIXES and not path.is_dir()


def _place(path):
    """The path written in one way. Links are not followed: two links to one scan are two cases on purpose."""
    return os.path.abspath(path)  # noqa: PTH100 - `resolve` follows links


def _cases_at(path):
    """`(case, names of the folders above it)`; the folders tell cases of the same name apart."""
    try:
        path.stat()
    except (OSError, ValueError) as error:
        raise cannot_be_opened(display_name(path), error) from error
    if not path.is_dir():
        return [(Case(_stem(path), path), _folders_above(path))]
    files = list(files_below(path))
    volumes = [(file, None) for file in files if _is_volume(file)]
    dicom = [
        (scan.files[0] if scan.series is None else scan.files[0].parent, scan.series)
        for scan in find_scans(file for file in files if not _is_volume(file))
    ]
    if not volumes and not dicom:
        raise DaTscanError(f"{display_name(path)} holds no scan: give DICOM NM, NIfTI, NRRD or MHA files.")
    found = sorted([*volumes, *dicom], key=lambda scan: (scan[0].parts, scan[1] or ""))
    return [(Case(_stem(place), place, series), _folders_above(place)) for place, series in found]


def _is_volume(file):
    return file.name.lower().endswith(VOLUME_SUFFIXES)


def _case_of_row(row):
    name = row.case or (_stem(row.scan) if row.scan else f"row{row.number}")
    return Case(name, row.scan, None, row.label, row.age, row.sex, row.site, row.other, row.error)


def _stem(path):
    name = path.name or display_name(path)
    suffix = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def _folders_above(path):
    return [display_name(parent) for parent in path.absolute().parents if parent.name]


def _with_unique_names(cases):
    """Cases of equal names take on as many folder names as tell most of them apart, then a number."""
    groups = defaultdict(list)
    for case, folders in cases:
        groups[safe_name(case.name).casefold()].append((case, folders))
    names = {}
    for group in groups.values():
        for (case, _), name in zip(group, _names_of_group(group), strict=True):
            names[id(case)] = name
    numbered = _numbered([names[id(case)] for case, _ in cases])
    return [replace(case, name=name) for (case, _), name in zip(cases, numbered, strict=True)]


def _names_of_group(group):
    candidates = [
        [safe_name("_".join([*reversed(folders[:depth]), case.name])) for case, folders in group]
        for depth in range(_MAX_FOLDERS + 1 if len(group) > 1 else 1)
    ]
    return max(candidates, key=lambda names: len({name.casefold() for name in names}))


def _numbered(names):
    taken, numbered = set(), []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.casefold())
        numbered.append(candidate)
    return numbered
