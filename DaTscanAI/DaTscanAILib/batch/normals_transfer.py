"""`normals transfer`: scans of the old and of the new camera to a database for the new one."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML
from ..quantification.measures import SIDED
from ..quantification.normals import NormalDatabase
from ..quantification.site_fingerprint import site_fingerprint
from ..quantification.transfer import (
    LEAST_MATCHED,
    LEAST_PAIRS,
    matched_conversion,
    paired_conversion,
    transferred,
)
from ..reading.inputs import collect_cases
from ..reading.scan_checks import display_name
from .measuring import MeasuredScan, measure_cases
from .normals_building import database_of, usable_normals

# As a logarithm: a difference that an attenuation correction makes, and blurring does not.
_OTHER_ATTENUATION = 0.08


def transfer_by_regression(
    database: NormalDatabase, old: Path, new: Path, name: str, workers: int = 1
) -> NormalDatabase:
    """A database for the camera of `new` from values that both cameras have measured.

    Where both manifests have a column `patient` and enough people in common, these decide (any diagnosis, or fillings
    of a striatal phantom); otherwise the normal scans of `new` are set beside the database.

    Args:
        database: of the old camera.
        old, new: manifests of scans of the old and of the new camera.
        name: of the new database.
        workers: processes.

    Raises:
        DaTscanError: too few scans, or those of `new` are of several cameras.
    """
    of_old, of_new = (_usable(manifest, workers) for manifest in (old, new))
    return transfer_of_scans(database, _of_old_camera(database, of_old, old), of_new, name, old, new)


def transfer_of_scans(
    database: NormalDatabase,
    of_old: list[MeasuredScan],
    of_new: list[MeasuredScan],
    name: str,
    old: Path = Path("A"),
    new: Path = Path("B"),
) -> NormalDatabase:
    """As `transfer_by_regression`, of scans that are measured.

    Args:
        database, name: as there.
        of_old, of_new: scans of the old and of the new camera that can be used.
        old, new: manifests, for what is said of them.

    Raises:
        DaTscanError: too few scans, or those of `of_new` are of several cameras.
    """
    pairs = _pairs(of_old, of_new)
    if len(pairs) >= LEAST_PAIRS:
        sentence = f"Converted by a line through {len(pairs)} people scanned on both cameras."
        conversions = {nucleus: _paired(nucleus, pairs, database) for nucleus in HOTTEST_VOLUME_ML}
    else:
        normals = [scan for scan in of_new if scan.case.label != "reduced" and database.age_problem(scan.age) is None]
        if len(normals) < LEAST_MATCHED:
            raise DaTscanError(
                f"{display_name(new)} has {len(pairs)} people in common with {display_name(old)} and {len(normals)} "
                f"normal scans of usable age: a transfer needs {LEAST_PAIRS} people (column patient) or "
                f"{LEAST_MATCHED} normal scans."
            )
        sentence = f"Converted by the mean ratio of {len(normals)} normal scans of the new camera to these normals."
        conversions = {nucleus: _matched(nucleus, normals, database) for nucleus in HOTTEST_VOLUME_ML}
    fingerprint = site_fingerprint([scan.fingerprint for scan in of_new])
    return transferred(database, conversions, fingerprint, name, sentence)


def transfer_by_smoothing(
    database: NormalDatabase, old: Path, new: Path, name: str, workers: int = 1
) -> NormalDatabase:
    """A database for the camera of `new` from the normal scans of `old`, all smoothed to the blurrier camera.

    Args:
        database: of the old camera, for what its scans are.
        old: manifest of its normal scans, with ages.
        new: manifest of scans of the new camera, normal or not.
        name: of the new database.
        workers: processes.

    Raises:
        DaTscanError: too few scans, or the cameras differ in more than smoothness.
    """
    normals, others = usable_normals(old, workers), _usable(new, workers)
    if not others:
        raise DaTscanError(f"{display_name(new)} has no scan that can be measured: give scans of the new camera.")
    _of_old_camera(database, normals, old)
    attenuation = [float(np.median([scan.fingerprint.middle_to_rim for scan in part])) for part in (normals, others)]
    if abs(attenuation[0] - attenuation[1]) > _OTHER_ATTENUATION:
        raise DaTscanError(
            f"The cameras of {display_name(old)} and {display_name(new)} differ in attenuation correction too "
            f"(middle to rim {attenuation[0]:.2f} and {attenuation[1]:.2f}): smoothing cannot make them alike, use "
            "regression."
        )
    smoothness = max(
        float(np.median([scan.fingerprint.smoothness_mm for scan in part])) for part in (normals, others)
    )
    sentence = f"Measured again after smoothing to {smoothness:.1f} mm; scans are smoothed to it too."
    fitting = site_fingerprint([scan.fingerprint for scan in others])
    again = database_of(
        usable_normals(old, workers, smoothness),
        name,
        database.simulated,
        several_cameras=True,
        common_smoothness_mm=round(smoothness, 2),
        history=(*database.history, sentence),
    )
    return replace(again, fingerprint=fitting)


def _usable(manifest, workers):
    return [scan for scan in measure_cases(collect_cases([manifest]), workers) if scan.error is None]


def _of_old_camera(database, scans, manifest):
    """Those of the scans that fit the database, which most must do."""
    fitting = [scan for scan in scans if not database.fingerprint.misfits(scan.fingerprint)]
    if 2 * len(fitting) <= len(scans):
        raise DaTscanError(
            f"{display_name(manifest)}: only {len(fitting)} of {len(scans)} scans are of the camera of "
            f"{database.name}: give scans of the database's own camera with --from."
        )
    return fitting


def _pairs(old, new):
    """(old, new) scans of people that both manifests name in their column `patient`."""
    by_patient = {scan.case.other.get("patient"): scan for scan in old if scan.case.other.get("patient")}
    return [(by_patient[patient], scan) for scan in new if (patient := scan.case.other.get("patient")) in by_patient]


def _paired(nucleus, pairs, database):
    values = np.array([[[scan.values[key] for key in SIDED[nucleus]] for scan in pair] for pair in pairs])
    return paired_conversion(values[:, 0], values[:, 1], database.regressions[nucleus].level)


def _matched(nucleus, scans, database):
    line = database.regressions[nucleus]
    expected = np.array([line.expected(scan.age, scan.sex).mean for scan in scans])
    values = np.array([[scan.values[key] for key in SIDED[nucleus]] for scan in scans])
    return matched_conversion(expected, values, line.level)
