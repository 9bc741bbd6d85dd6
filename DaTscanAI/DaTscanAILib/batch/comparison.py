"""Two scans of one patient: in one space, on one scale, the difference, and the change with its limits."""

import itertools
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from ..analysis import Analysis, measure
from ..base.errors import DaTscanError
from ..base.software import software_versions
from ..base.version import RESEARCH_USE
from ..quantification.change import changes, repeated_scans
from ..quantification.fingerprint import Fingerprint, fingerprint_of
from ..quantification.normals import NormalDatabase
from ..quantification.site_fingerprint import same_camera
from ..reading.inputs import Case, collect_cases, safe_name
from ..reading.scan import Scan
from ..reading.scan_checks import display_name
from ..reading.study_date import parse_date, study_date
from .measuring import scan_of_case

_DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class Pair:
    """Two scans of one patient, the earlier one first.

    Attributes:
        name: of the comparison, safe as a folder's.
        before, after: the scans.
        years: between them; None if not known.
    """

    name: str
    before: Case
    after: Case
    years: float | None


@dataclass(frozen=True)
class Comparison:
    """What two scans differ by.

    Attributes:
        result: the content of `comparison.json`.
        before, after: float32 `(91, 109, 91)` in MNI space, reference level 1.
        normals: that both were set beside; None where none were asked for.
        analyses: of both scans.
    """

    result: dict
    before: np.ndarray
    after: np.ndarray
    normals: NormalDatabase | None
    analyses: tuple[Analysis, ...] = ()

    @property
    def difference(self) -> np.ndarray:
        """After minus before, in multiples of the reference level; zero where either scan has no values."""
        both = (self.before != 0) & (self.after != 0)
        return np.where(both, self.after - self.before, 0).astype(np.float32)


def pair_of_scans(before: Path, after: Path, years: float | None = None) -> Pair:
    """Two files or folders; without `years`, the dates of DICOM headers tell them.

    Raises:
        DaTscanError: an input is not there or holds several scans, or the second scan is older than the first.
    """
    cases = [_single_case(path) for path in (before, after)]
    dates = [study_date(case.path) for case in cases]
    if years is None and None not in dates:
        years = (dates[1] - dates[0]).days / _DAYS_A_YEAR
        if years < 0:
            raise DaTscanError(
                f"{display_name(after)} was made before {display_name(before)}: name the earlier scan first."
            )
    return Pair(f"{cases[0].name}-{cases[1].name}", *cases, years)


def pairs_of_manifest(manifest: Path) -> list[Pair]:
    """Each scan of a patient with the next one, by the columns `patient` and `date` (YYYY-MM-DD).

    Raises:
        DaTscanError: the manifest is unusable, has a row without patient or date, or nobody was scanned twice.
    """
    by_patient: dict[str, list[tuple[date, Case]]] = {}
    for case in collect_cases([manifest]):
        if case.error:
            raise DaTscanError(case.error)
        patient, when = case.other.get("patient"), parse_date(case.other.get("date", ""))
        if not patient or when is None:
            raise DaTscanError(
                f"{display_name(manifest)}: {case.name} has no patient or no date: fill the columns patient and date "
                "(YYYY-MM-DD)."
            )
        by_patient.setdefault(patient, []).append((when, case))
    pairs = _distinct([pair for patient, scans in by_patient.items() for pair in _pairs(patient, scans)])
    if not pairs:
        raise DaTscanError(f"{display_name(manifest)} has no patient with two scans: nothing can be compared.")
    return pairs


def compare_pair(pair: Pair, normals: NormalDatabase | None = None) -> Comparison:
    """Measure both scans and set them beside each other.

    Args:
        pair: the scans.
        normals: to set both beside.

    Raises:
        DaTscanError: a scan cannot be read, registered or measured.
    """
    return compare_scans(pair.name, scan_of_case(pair.before), scan_of_case(pair.after), pair.years, normals)


def compare_scans(
    name: str,
    before: Scan,
    after: Scan,
    years: float | None,
    normals: NormalDatabase | None = None,
    registrations: tuple = (None, None),
) -> Comparison:
    """Measure two scans of one patient and set them beside each other.

    Args:
        name: of the comparison.
        before, after: the scans, the earlier one first.
        years: between them; None if not known.
        normals: to set both beside.
        registrations: of both, as `analysis.measure` takes them; None registers.

    Raises:
        DaTscanError: a scan cannot be registered or measured.
    """
    scans = (before, _aged(after, before.patient.age, years))
    analyses = [_measured(scan, given, normals) for scan, given in zip(scans, registrations, strict=True)]
    prints = [fingerprint_of(scan, analysis.normalized) for scan, analysis in zip(scans, analyses, strict=True)]
    result = _result(name, years, analyses, prints)
    return Comparison(result, *(analysis.normalized for analysis in analyses), normals, tuple(analyses))


def _single_case(path):
    cases = collect_cases([path])
    if len(cases) != 1 or cases[0].error:
        raise DaTscanError(f"{display_name(path)} holds {len(cases)} scans: name one scan before and one after.")
    return cases[0]


def _pairs(patient, scans):
    ordered = sorted(scans, key=lambda scan: scan[0])
    for number, ((first, before), (second, after)) in enumerate(itertools.pairwise(ordered), start=1):
        name = safe_name(patient if len(ordered) == 2 else f"{patient}_{number}")
        yield Pair(name, before, after, (second - first).days / _DAYS_A_YEAR)


def _distinct(pairs):
    """Patients whose names make the same folder get a number."""
    taken, distinct = set(), []
    for pair in pairs:
        name, number = pair.name, 1
        while name.casefold() in taken:
            number += 1
            name = f"{pair.name}_{number}"
        taken.add(name.casefold())
        distinct.append(replace(pair, name=name))
    return distinct


def _aged(scan, age_before, years):
    """The second scan's age follows from the first's where it is not known."""
    if scan.patient.age is None and age_before is not None and years is not None:
        return replace(scan, patient=replace(scan.patient, age=age_before + years))
    return scan


def _measured(scan, registration, normals) -> Analysis:
    analysis = measure(scan, display_name(scan.path), registration, normals=normals)
    if analysis.error:
        raise DaTscanError(analysis.error)
    registration = analysis.result["registration"]
    if not registration["accepted"]:
        raise DaTscanError(
            f"{display_name(scan.path)}: the registration to the FP-CIT template was not accepted (quality "
            f"{registration['quality']:.2f}), so nothing can be compared: check that this is a DAT scan."
        )
    return analysis


def _result(name, years, analyses, prints: list[Fingerprint]):
    parts = {
        name: {
            **{key: analysis.result[key] for key in ("scan", "patient", "registration", "quantification")},
            "fingerprint": fingerprint.to_json(),
            "warnings": analysis.result["warnings"],
        }
        for name, analysis, fingerprint in zip(("before", "after"), analyses, prints, strict=True)
    }
    misfits = same_camera(*prints)
    sbr = [part["quantification"]["sbr"] for part in parts.values()]
    change = changes(*sbr, years, comparable=not misfits)
    return {
        "case": name,
        "research_use": RESEARCH_USE,
        "years": years,
        "same_camera": not misfits,
        "change": {key: entry and asdict(entry) for key, entry in change.items()},
        "limits": repeated_scans()["sentence"],
        "warnings": _warnings(years, misfits, parts),
        **parts,
        "versions": software_versions(),
    }


def _warnings(years, misfits, parts):
    found = []
    if misfits:
        found.append(
            f"The scans were not made in one way (of the second scan: {'; '.join(misfits)}): their SBRs may not be "
            "compared, so no change is judged."
        )
    if years is None:
        found.append("The time between the scans is not known: no change per year.")
    return found + [f"{name.capitalize()}: {text}" for name, part in parts.items() for text in part["warnings"]]
