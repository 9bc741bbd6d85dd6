"""Throughput of `analyze` on many scans with one and with two workers, and what memory the workers take."""

import csv
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.resources import resource_path
from ..classification.model_folder import find_model
from .child import environment
from .goals import Findings, Measured
from .memory import TreeWatch
from .settings import Settings

SAMPLES = ("normal.dcm", "reduced.dcm")


def run(settings: Settings) -> Findings:
    """The bundled samples again and again, by the command line, one thread a worker in both runs."""
    count = settings.batch_scans
    model = str(find_model(settings.model).folder.resolve())
    with tempfile.TemporaryDirectory(dir=settings.output) as folder:
        manifest = write_manifest(Path(folder), count)
        seconds, watches = {}, {}
        for workers in (1, 2):
            seconds[workers], watches[workers] = _analyze(manifest, model, workers)
    peak, growth = watches[2].peak(), watches[2].growth()
    unknown = "" if peak is not None else "this system does not tell the memory of a process"
    note = f"{count} scans, start and reports included"
    return Findings(
        {
            "batch_time": Measured(seconds[2], seconds[1], note),
            "batch_memory": Measured(peak, note=unknown, repetitions={"samples": watches[2].samples}),
            "batch_growth": Measured(growth, note=unknown or ("" if growth is not None else "the run was too short")),
        }
    )


def write_manifest(folder: Path, count: int) -> Path:
    """A manifest of `count` cases, which share the files of the bundled samples."""
    for name in SAMPLES:
        shutil.copy(resource_path("Samples", name), folder / name)
    with (folder / "manifest.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("case", "scan"))
        table.writerows((f"case{number:03d}", SAMPLES[number % len(SAMPLES)]) for number in range(count))
    return folder / "manifest.csv"


def _analyze(manifest, model, workers):
    """Seconds of the command and the watch over its processes."""
    output = manifest.parent / f"workers{workers}"
    command = [sys.executable, "-m", "DaTscanAILib", "analyze", str(manifest), "--output", str(output)]
    command += ["--model", model, "--device", "cpu", "--workers", str(workers)]
    with (manifest.parent / "log.txt").open("w+") as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment(threads=1), stdout=log, stderr=log)
        with TreeWatch(process.pid) as watch:
            status = process.wait()
        seconds = time.perf_counter() - start
        if status:
            log.seek(0)
            raise DaTscanError(f"The batch to be timed failed: {log.read().strip().splitlines()[-1]}")
    return seconds, watch
