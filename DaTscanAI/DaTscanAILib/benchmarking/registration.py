"""Registration of unseen simulated scans: CPU seconds of one thread and landmark errors, beside three peers."""

import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from ..base.parallel import in_order
from ..reading.scan import Scan
from ..registration.affine import register
from ..registration.landmarks import landmark_error
from ..registration.template import load_template, read_template
from ..simulation import simulator
from .child import environment, in_child
from .goals import Findings, Measured
from .machine import cores, is_installed
from .registration_peers import register_with_ants, register_with_elastix, register_with_simpleitk
from .settings import FIRST_SEED, Settings
from .timing import in_turn

ENGINES = {"elastix": "itk-elastix", "simpleitk": "SimpleITK", "ants": "antspyx"}
LARGE_ERROR = 8.0  # mm


def run(settings: Settings) -> Findings:
    """Register every scan with every engine in turn."""
    engines = ["ours", *(name for name, package in ENGINES.items() if is_installed(package))]
    with tempfile.TemporaryDirectory(dir=settings.output) as folder:
        seeds = range(FIRST_SEED, FIRST_SEED + settings.scans)
        write = partial(_write_scan, folder=folder, anatomies=settings.anatomies)
        files = list(in_order(write, seeds, min(cores(), settings.scans)))
        basis = str(settings.basis) if settings.basis else None
        found = in_child(compare_engines, environment(threads=1), files=files, engines=engines, basis=basis)
    return Findings(_measured(found, settings), _table(found))


def _write_scan(seed, folder, anatomies):
    scan = simulator.simulate_scan(seed, simulator.Settings(anatomies=tuple(anatomies)))
    file = Path(folder) / f"{seed}.npz"
    np.savez(file, voxels=scan.voxels, affine=scan.affine, truth=scan.pose.scanner_from_mni)
    return str(file)


def compare_engines(files: list[str], engines: list[str], basis: str | None) -> dict:
    """`{engine: {"seconds": [...], "error_mm": [...]}}` over scans with known affine; call it in a child process.

    Args:
        files: `.npz` with `voxels`, `affine` and `truth`.
        engines: `ours` or keys of `ENGINES`.
        basis: file of another template basis for ours; the template beside it (`.nii.gz`) is the peers'.
    """
    template = read_template(Path(basis)) if basis else load_template()
    image = Path(basis).with_suffix(".nii.gz") if basis else None
    functions = {
        "ours": lambda scan: register(scan, template).scanner_from_mni,
        "elastix": partial(register_with_elastix, template=image),
        "simpleitk": partial(register_with_simpleitk, template=image),
        "ants": partial(register_with_ants, template=image),
    }
    found = {engine: {"seconds": [], "error_mm": []} for engine in engines}
    for number, file in enumerate([files[0], *files]):  # the first once more: it loads the libraries
        with np.load(file) as data:
            scan = Scan(np.ascontiguousarray(data["voxels"], np.float32), data["affine"], Path(file), "simulated")
            truth = data["truth"]
        for engine in in_turn(engines, number):
            start = time.process_time()
            affine = functions[engine](scan)
            seconds = time.process_time() - start
            if number:
                found[engine]["seconds"].append(seconds)
                found[engine]["error_mm"].append(landmark_error(affine, truth))
    return found


def summary(engine: dict) -> dict[str, float]:
    """Median seconds; median, 95th percentile and maximum of the errors; number of large ones."""
    errors = np.array(engine["error_mm"])
    return {
        "time": float(np.median(engine["seconds"])),
        "median": float(np.median(errors)),
        "p95": float(np.percentile(errors, 95)),
        "maximum": float(errors.max()),
        "failures": int((errors > LARGE_ERROR).sum()),
    }


def _measured(found, settings):
    ours, shipped = summary(found["ours"]), settings.basis is None
    measured = {
        "registration_time": Measured(ours["time"], repetitions=found),
        "registration_failures": Measured(ours["failures"], note=f"of {len(found['ours']['seconds'])} scans"),
    }
    for key in ("median", "p95"):
        note = "" if shipped else "another basis than the shipped one"
        measured[f"registration_{key}"] = Measured(ours[key], note=note, goal_applies=shipped)
    for engine in ENGINES:
        peer = summary(found[engine]) if engine in found else {}
        note = "" if peer else "peer not installed"
        for key in ("time", "median", "p95"):
            measured[f"registration_{key}_{engine}"] = Measured(ours[key], peer.get(key), note)
    return measured


def _table(found):
    header = ("engine", "median (mm)", "95 % (mm)", "max (mm)", f"over {LARGE_ERROR:g} mm", "CPU (s)")
    rows = []
    for engine, values in found.items():
        numbers = summary(values)
        millimeters = [f"{numbers[key]:.2f}" for key in ("median", "p95", "maximum")]
        rows.append((engine, *millimeters, str(numbers["failures"]), f"{numbers['time']:.2f}"))
    return (header, *rows)
