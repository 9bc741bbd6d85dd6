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
from .disease import LOSS_COLUMNS
from .patterns import Lesion
from .simulator import Settings, simulate_scan
from .storage import draw_storage, store
from .tomo_dicom import write_projections

MANIFEST_COLUMNS = (
    *("case", "scan", "label", "age", "sex", "site", "subtype", "severity"),
    *LOSS_COLUMNS,
    *("anatomy", "origin", "storage"),
)
_STREAM_OF_STORAGE = 20261127  # apart from the simulator's draws


def simulate_cohort(
    folder: Path,
    count: int,
    seed: int,
    workers: int = 1,
    settings: Settings | None = None,
    projections: bool = False,
    storage: str | None = None,
    lesion: Lesion | None = None,
    repeat: int = 0,
) -> Path:
    """Write `count` scans `sim<seed>.nii.gz`, each with `sim<seed>.json` (its truth), and `manifest.csv`.

    Scans that are there already are kept: the same call again finishes what was interrupted. `projections` adds what
    the camera recorded, `projections/sim<seed>.dcm` (NM TOMO), for `reconstruct`. `storage` is one of
    `storage.STORAGES` for all scans; None draws one for each, most of them plain. `lesion` and `repeat` are those of
    `simulate_scan`: with the same seeds, the same people later or examined again.

    Returns:
        The manifest's path.
    """
    folder = Path(folder)
    if projections:
        (folder / "projections").mkdir(exist_ok=True)
    make = partial(simulate_scan, settings=settings, lesion=lesion, repeat=repeat)
    write = partial(_write_scan, folder=folder, make=make, projections=projections, storage=storage)
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
                **{name: f"{truth[name]:.3f}" for name in ("severity", *LOSS_COLUMNS)},
            }
        )
        print(f"[{len(rows)}/{count}] {truth['case']}: {truth['subtype']}", file=sys.stderr, flush=True)
    return rows


def _write_scan(seed, folder, make, projections, storage):
    name = f"sim{seed:06d}"
    truth_file = folder / f"{name}.json"
    dicom_file = folder / "projections" / f"{name}.dcm"
    if truth_file.exists() and (dicom_file.exists() or not projections):
        return json.loads(truth_file.read_text())
    scan = make(seed)
    random = np.random.default_rng([seed, _STREAM_OF_STORAGE])
    drawn = draw_storage(random)
    storage = storage or drawn
    voxels, affine, scanner_from_mni = store(scan.voxels, scan.affine, scan.pose.scanner_from_mni, storage, random)
    write_volume(folder / f"{name}.nii.gz", voxels, affine)
    if projections:
        write_projections(dicom_file, scan)
    truth = {"case": name, **scan.truth(), "scanner_from_mni_ras": scanner_from_mni.tolist(), "storage": storage}
    atomic_write_bytes(truth_file, (json.dumps(truth, indent=1) + "\n").encode())
    return truth
