"""Many scans measured without a classifier: measures and fingerprint of each, for databases of normals."""

import hashlib
import sys
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..analysis import measure
from ..base.errors import DaTscanError
from ..base.parallel import in_order
from ..mni.atlas import load_atlas
from ..quantification.compared_scan import smoothed_measures
from ..quantification.fingerprint import Fingerprint, fingerprint_of
from ..quantification.measures import measures_of
from ..quantification.scaling import normalize
from ..reading.inputs import Case
from ..reading.scan import Scan, read_scan
from ..reading.scan_checks import display_name


@dataclass(frozen=True)
class MeasuredScan:
    """What a scan measures.

    Attributes:
        case: that it was.
        age, sex: of the patient; the manifest's word goes before the header's.
        values: by key of `measures.KEYS`; empty where the scan cannot be used.
        fingerprint: None where the scan cannot be used.
        voxels_sha256: tells a scan that is listed twice.
        row: of the manifest as a spreadsheet counts them, the header being row 1.
        error: why it cannot be used, a sentence.
    """

    case: Case
    age: float | None = None
    sex: str | None = None
    values: dict[str, float] | None = None
    fingerprint: Fingerprint | None = None
    voxels_sha256: str = ""
    row: int = 0
    error: str | None = None


def measure_cases(cases: list[Case], workers: int = 1, smoothness: float | None = None) -> list[MeasuredScan]:
    """Register and measure every case; what cannot be used carries its reason.

    Args:
        cases: of a manifest.
        workers: processes; results do not depend on it.
        smoothness: mm, to which every scan is smoothed before it is measured; None leaves them as they are.
    """
    found = []
    for measured in in_order(partial(measure_case, smoothness=smoothness), cases, workers):
        found.append(measured)
        state = measured.error or "measured"
        print(f"[{len(found)}/{len(cases)}] {measured.case.name}: {state}", file=sys.stderr, flush=True)
    return found


def measure_case(case: Case, smoothness: float | None = None) -> MeasuredScan:
    """One case of `measure_cases`."""
    if case.error:
        return MeasuredScan(case, error=case.error)
    try:
        scan = scan_of_case(case)
        return _measured(case, scan, smoothness)
    except DaTscanError as error:
        return MeasuredScan(case, error=str(error))


def scan_of_case(case: Case) -> Scan:
    """The scan; what a manifest says of the patient goes before what its header says."""
    scan = read_scan(case.path, case.series, case.files)
    stated = {key: value for key in ("age", "sex") if (value := getattr(case, key)) is not None}
    return replace(scan, patient=replace(scan.patient, **stated))


def _measured(case, scan, smoothness):
    analysis = measure(scan, case.name)
    name = display_name(case.path)
    if analysis.error:
        return MeasuredScan(case, error=analysis.error)
    registration = analysis.result["registration"]
    if not registration["accepted"]:
        quality = registration["quality"]
        return MeasuredScan(case, error=f"{name}: the registration was not accepted (quality {quality:.2f})")
    if not registration["sides_known"]:
        return MeasuredScan(case, error=f"{name}: left and right are unknown, and normals have them")
    fingerprint = fingerprint_of(scan, analysis.normalized)
    values = measures_of(analysis.result["quantification"])
    if smoothness is not None:
        atlas = load_atlas()
        scanner_from_mni = np.array(registration["scanner_from_mni_ras"])
        normalized = normalize(scan.voxels, scan.affine, scanner_from_mni, atlas, scan.covered)
        values = smoothed_measures(normalized, fingerprint, smoothness)
    if None in values.values():
        return MeasuredScan(case, error=f"{name}: the field of view cuts the striatum, or nothing binds there")
    patient = scan.patient
    digest = hashlib.sha256(scan.voxels.tobytes()).hexdigest()
    return MeasuredScan(case, patient.age, patient.sex, values, fingerprint, digest)
