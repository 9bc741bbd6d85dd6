"""What the report says of the examination beside the image: asked for, read from DICOM, or empty; never guessed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..base.errors import DaTscanError
from .clinical_columns import CLINICAL_COLUMNS, checked_clinical
from .inputs import Case
from .scan_checks import cannot_be_opened, check_file_size, display_name
from .scan_record import Scan
from .study_date import parse_date

_DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class Clinical:
    """The examination in a person's words and in numbers; None is not known.

    Attributes:
        indication: the question that the scan is to answer.
        tracer: what was injected.
        dose_mbq: MBq injected.
        injection_to_scan_min: minutes from the injection to the start of the scan.
        drugs: that the patient takes, or which were stopped.
        prior_scan: an earlier scan and what it showed.
        prior_case: case of the patient's scan before, in the same manifest.
        prior_years: from that scan to this one.
        from_dicom: names of the entries that the scan's header gave; the others were stated.
    """

    indication: str | None = None
    tracer: str | None = None
    dose_mbq: float | None = None
    injection_to_scan_min: float | None = None
    drugs: str | None = None
    prior_scan: str | None = None
    prior_case: str | None = None
    prior_years: float | None = None
    from_dicom: tuple[str, ...] = ()


def clinical_of(scan: Scan, stated: Mapping[str, str] | None = None) -> Clinical:
    """What is known of a scan's examination; what a person states goes before what the header says.

    Args:
        scan: as read.
        stated: texts by column of `CLINICAL_COLUMNS`; others are passed over.

    Raises:
        DaTscanError: a number that is none.
    """
    given = checked_clinical(stated or {}, display_name(scan.path))
    header = {
        "tracer": " ".join(filter(None, (scan.camera.radionuclide, scan.camera.radiopharmaceutical))) or None,
        "dose_mbq": scan.injection.dose_mbq,
        "injection_to_scan_min": scan.injection.to_scan_min,
    }
    read = {key: value for key, value in header.items() if value is not None and key not in given}
    years = (stated or {}).get("prior_years")
    return Clinical(
        **{**read, **given},
        prior_case=(stated or {}).get("prior_case"),
        prior_years=None if years is None else float(years),
        from_dicom=tuple(read),
    )


def with_clinical(cases: list[Case], path: Path) -> list[Case]:
    """Cases with what a JSON file says of them: of the one case, or of many by their names.

    Raises:
        DaTscanError: the file is unusable, is of one scan where there are many, or names a case that is not there.
    """
    name, content = display_name(path), _read(path)
    by_case = content and all(isinstance(entry, dict) for entry in content.values())
    if not by_case and len(cases) != 1:
        raise DaTscanError(
            f"{name} is of one patient, and there are {len(cases)} scans: name each case in it, or use a manifest's "
            "columns."
        )
    entries = content if by_case else {cases[0].name: content}
    for case in entries:
        if case not in {known.name for known in cases}:
            raise DaTscanError(f"{name} names the case {case!r}, which is not there: use the cases' own names.")
    for case, entry in entries.items():
        checked_clinical(clinical_texts(entry, name), f"{name}, {case}")
    return [replace(case, other={**case.other, **clinical_texts(entries.get(case.name, {}), name)}) for case in cases]


def with_prior_scans(cases: list[Case]) -> list[Case]:
    """Cases that know the same patient's scan before, by a manifest's columns `patient` and `date` (YYYY-MM-DD)."""
    dated = [(case, parse_date(case.other.get("date", ""))) for case in cases if case.other.get("patient")]
    found = []
    for case in cases:
        when = parse_date(case.other.get("date", ""))
        same = [(day, one) for one, day in dated if day and one.other["patient"] == case.other.get("patient")]
        before = max(((day, one.name) for day, one in same if when and day < when), default=None)
        if before:
            prior = {"prior_case": before[1], "prior_years": f"{(when - before[0]).days / _DAYS_A_YEAR:.2f}"}
            case = replace(case, other={**case.other, **prior})
        found.append(case)
    return found


def clinical_texts(entry: Mapping, name: str) -> dict[str, str]:
    """Values of a person's entries as a manifest's cells would hold them.

    Args:
        entry: by name of `CLINICAL_COLUMNS`.
        name: of where it stands, for the error sentence.

    Raises:
        DaTscanError: another name, or no text or number.
    """
    for key, value in entry.items():
        if key not in CLINICAL_COLUMNS or isinstance(value, (dict, list, bool)):
            raise DaTscanError(f"{name}: {str(key)[:40]!r} is no entry: use {', '.join(CLINICAL_COLUMNS)}.")
    return {key: "" if value is None else str(value) for key, value in entry.items()}


def _read(path):
    name = display_name(path)
    check_file_size(path, name)
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError
    except OSError as error:
        raise cannot_be_opened(name, error) from error
    except (ValueError, RecursionError) as error:
        raise DaTscanError(f"{name} is no object in JSON: give names and values in braces.") from error
    return content
