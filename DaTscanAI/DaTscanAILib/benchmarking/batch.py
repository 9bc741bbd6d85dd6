"""Throughput of `analyze` on many DICOM folders, with one worker and with several; what bounds it; memory."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.resources import resource_path
from ..classification.model_folder import find_model
from ..reporting.result_files import RESULT_FILE
from .child import environment, last_line
from .goals import Findings, Measured
from .memory import TreeWatch
from .settings import Settings

SAMPLES = ("normal.dcm", "reduced.dcm")


def run(settings: Settings) -> Findings:
    """The bundled samples again and again, by the command line, one thread a worker in both runs."""
    count, workers = settings.batch_scans, settings.workers
    model = str(find_model(settings.model).folder.resolve())
    with tempfile.TemporaryDirectory(dir=settings.output) as folder:
        scans = write_folders(Path(folder) / "scans", count)
        seconds, watches = {}, {}
        for number in (1, workers):
            seconds[number], watches[number] = _analyze(scans, model, number)
        shares = time_shares(scans.parent / f"workers{workers}", workers * seconds[workers] / count)
    peak, growth = watches[workers].peak(), watches[workers].growth()
    unknown = "" if peak is not None else "this system does not tell the memory of a process"
    note = f"{count} DICOM folders with {workers} workers, start and reports included"
    rate = f"{60 * count / seconds[workers]:.0f} scans a minute; a worker's time: {in_percent(shares)}"
    return Findings(
        {
            "batch_time": Measured(seconds[workers], seconds[1], note, goal_applies=workers == 2),
            "batch_scan": Measured(seconds[workers] / count, seconds[1] / count, rate),
            "batch_memory": Measured(peak, note=unknown, repetitions={"samples": watches[workers].samples}),
            "batch_growth": Measured(growth, note=unknown or ("" if growth is not None else "the run was too short")),
        }
    )


def write_folders(folder: Path, count: int) -> Path:
    """`count` folders of one DICOM file each, the bundled samples in turn, and the manifest that lists them.

    Found in a folder, the same images twice would count once.
    """
    for number in range(count):
        case = folder / f"case{number:04d}"
        case.mkdir(parents=True)
        first = folder / f"case{number % len(SAMPLES):04d}" / "scan.dcm"
        if number < len(SAMPLES):
            shutil.copy(resource_path("Samples", SAMPLES[number]), first)
        else:  # as large on the way to the reader, but not on the disk
            (case / "scan.dcm").hardlink_to(first)
    rows = [f"case{number:04d}_scan,{folder.name}/case{number:04d}/scan.dcm" for number in range(count)]
    manifest = folder.with_suffix(".csv")
    manifest.write_text("\n".join(["case,scan", *rows]) + "\n", encoding="utf-8")
    return manifest


def time_shares(output: Path, seconds: float) -> dict[str, float]:
    """What a worker's time for a scan goes to, as shares of `seconds`, largest first.

    Args:
        output: folder of results, which say how long each stage took.
        seconds: of a worker for a scan, from the start of the command to its end.
    """
    found = [json.loads(file.read_text())["timing_s"] for file in sorted(output.glob(f"*/{RESULT_FILE}"))]
    stages = {name: sum(one.get(name, 0.0) for one in found) / len(found) for name in found[0] if name != "total"}
    stages["result files, start and waiting"] = max(seconds - sum(stages.values()), 0.0)
    return {name: took / seconds for name, took in sorted(stages.items(), key=lambda item: -item[1])}


def in_percent(shares: dict[str, float]) -> str:
    """Shares for a reader."""
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())


def _analyze(scans, model, workers):
    """Seconds of the command and the watch over its processes."""
    output = scans.parent / f"workers{workers}"
    command = [sys.executable, "-m", "DaTscanAILib", "analyze", str(scans), "--output", str(output)]
    command += ["--model", model, "--device", "cpu", "--workers", str(workers)]
    with (scans.parent / "log.txt").open("w+") as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment(threads=1), stdout=log, stderr=log)
        with TreeWatch(process.pid) as watch:
            status = process.wait()
        seconds = time.perf_counter() - start
        if status:
            log.seek(0)
            raise DaTscanError(f"The batch to be timed failed: {last_line(log.read(), status)}")
    return seconds, watch
