"""A site's own database of normals from a manifest of its normal scans."""

import sys
from dataclasses import replace
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..quantification.normals import LEAST_SCANS, NORMALS_FILE, NormalCase, NormalDatabase, normals_text
from ..quantification.site_fingerprint import site_fingerprint
from ..reading.inputs import collect_cases
from ..reading.scan_checks import display_name
from ..reporting.result_files import prepare_output
from .measuring import MeasuredScan, measure_cases


def build_normals(manifest: Path, site: Path, name: str | None = None, workers: int = 1) -> NormalDatabase:
    """Measure a manifest's normal scans and write `SITE/normals.json`.

    Rows labelled `reduced` are left out, and so are scans that cannot be measured; standard error says which.

    Args:
        manifest: CSV with the column `scan` and, where known, `age`, `sex`, `label`.
        site: folder of the database.
        name: of the database; the folder's by default.
        workers: processes.

    Raises:
        DaTscanError: too few scans, the same scan twice, scans of several cameras, or the folder cannot be written.
    """
    prepare_output(site)
    database = database_of(usable_normals(manifest, workers), name or site.resolve().name)
    write_normals(database, site)
    return database


def usable_normals(manifest: Path, workers: int = 1, smoothness: float | None = None) -> list[MeasuredScan]:
    """The measured normal scans of a manifest.

    Raises:
        DaTscanError: too few of them, or the same scan twice.
    """
    cases = collect_cases([manifest])
    normals = [case for case in cases if case.label != "reduced"]
    if len(normals) < len(cases):
        print(f"{len(cases) - len(normals)} scans labelled reduced are left out.", file=sys.stderr)
    check_enough(len(normals), display_name(manifest))
    rows = {case.name: case.row or place for place, case in enumerate(cases, start=2)}  # BIDS datasets have no rows
    measured = [
        replace(scan, row=rows[scan.case.name])
        for scan in measure_cases(normals, workers, smoothness)
        if scan.error is None
    ]
    check_enough(len(measured), display_name(manifest))
    _check_distinct(measured, display_name(manifest))
    return measured


def check_enough(count: int, name: str) -> None:
    """Too few normals make limits that are guesses.

    Raises:
        DaTscanError: fewer than `LEAST_SCANS`.
    """
    if count < LEAST_SCANS:
        raise DaTscanError(
            f"{name} has {count} normal scans that can be used, and a database needs {LEAST_SCANS}: add "
            f"{LEAST_SCANS - count} or more."
        )


def database_of(
    scans: list[MeasuredScan], name: str, simulated: bool = False, several_cameras: bool = False, **more
) -> NormalDatabase:
    """A database of measured scans.

    Where most, but not all, ages are known, the scans without are left out; with too few ages, age is.

    Args:
        scans: of `usable_normals`.
        name: for people.
        simulated: whether the scans are.
        several_cameras: let them come from several cameras.
        more: of `NormalDatabase`.

    Raises:
        DaTscanError: scans of several cameras.
    """
    with_ages = [scan for scan in scans if scan.age is not None]
    if LEAST_SCANS <= len(with_ages) < len(scans):
        print(f"{len(scans) - len(with_ages)} scans without an age are left out.", file=sys.stderr)
        scans = with_ages
    fingerprint = site_fingerprint([scan.fingerprint for scan in scans], several_cameras)
    cases = tuple(NormalCase(scan.row, scan.age, scan.sex, scan.values) for scan in scans)
    return NormalDatabase(name, simulated, fingerprint, cases, **more)


def write_normals(database: NormalDatabase, site: Path) -> Path:
    """Write `SITE/normals.json`; its path."""
    path = site / NORMALS_FILE
    atomic_write_bytes(path, normals_text(database).encode())
    return path


def _check_distinct(scans, name):
    seen = {}
    for scan in scans:
        other = seen.setdefault(scan.voxels_sha256, scan)
        if other is not scan:
            raise DaTscanError(
                f"{name} lists the same scan twice ({other.case.name} and {scan.case.name}): each normal may count "
                "once."
            )
