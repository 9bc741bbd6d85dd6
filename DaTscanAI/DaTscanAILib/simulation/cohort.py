"""A cohort of simulated scans on disk, with their truth and a manifest."""

import csv
import io
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np

from ..base.files import atomic_write_bytes
from ..base.parallel import in_order
from ..reading.scan import write_volume
from .simulator import Settings, simulate_scan
from .tomo_dicom import write_projections

MANIFEST_COLUMNS = ("case", "scan", "label", "age", "sex", "site", "subtype", "severity")
_LARGEST_STORED = 32000  # of int16, as scanners store images


def simulate_cohort(
    folder: Path,
    count: int,
    seed: int,
    workers: int = 1,
    settings: Settings | None = None,
    projections: bool = False,
) -> Path:
    """Write `count` scans `sim<seed>.nii.gz`, each with `sim<seed>.json` (its truth), and `manifest.csv`.

    Scans that are there already are kept: the same call again finishes what was interrupted. `projections` adds what
    the camera recorded, `projections/sim<seed>.dcm` (NM TOMO), for `reconstruct`.

    Returns:
        The manifest's path.
    """
    folder = Path(folder)
    if projections:
        (folder / "projections").mkdir(exist_ok=True)
    write = partial(_write_scan, folder=folder, settings=settings, projections=projections)
    rows = _collect(in_order(write, range(seed, seed + count), workers), count)
    text = io.StringIO()
    table = csv.DictWriter(text, MANIFEST_COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    atomic_write_bytes(folder / "manifest.csv", text.getvalue().encode())
    return folder / "manifest.csv"


def _collect(truths, count):
    rows = []
    for truth in truths:
        rows.append(
            {
                **truth,
                "scan": f"{truth['case']}.nii.gz",
                "site": truth["camera"]["family"],
                "severity": f"{truth['severity']:.3f}",
            }
        )
        print(f"[{len(rows)}/{count}] {truth['case']}: {truth['subtype']}", file=sys.stderr, flush=True)
    return rows


def _write_scan(seed, folder, settings, projections):
    name = f"sim{seed:06d}"
    truth_file = folder / f"{name}.json"
    dicom_file = folder / "projections" / f"{name}.dcm"
    if truth_file.exists() and (dicom_file.exists() or not projections):
        return json.loads(truth_file.read_text())
    scan = simulate_scan(seed, settings)
    stored = np.rint(scan.voxels * (_LARGEST_STORED / scan.voxels.max())).astype(np.int16)
    write_volume(folder / f"{name}.nii.gz", stored, scan.affine)
    if projections:
        write_projections(dicom_file, scan)
    truth = {"case": name, **scan.truth()}
    atomic_write_bytes(truth_file, (json.dumps(truth, indent=1) + "\n").encode())
    return truth
