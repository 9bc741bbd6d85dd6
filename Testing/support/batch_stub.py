"""A chain that takes milliseconds, to test everything around it: it stands in for `analysis.Analyzer`.

`installed_everywhere` gives the environment in which every Python process (workers of joblib and dask too) has it.
A scan's file name says what happens to it: `crash-once...` kills its process the first time, `crash-always...` each
time, `wait...` stands still until the process is killed, `slow...` takes a while, `defect...` and `hungry...` raise,
`large...` has results of half a megabyte.
"""

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from DaTscanAILib.analysis import Analysis
from DaTscanAILib.batch import identity, one_case, run
from DaTscanAILib.batch import options as batch_options
from DaTscanAILib.reading.scan import write_volume
from DaTscanAILib.reporting import page
from DaTscanAILib.reporting import result_files as results
from DaTscanAILib.reporting.dicom_results import write as dicom_results

TESTING = Path(__file__).resolve().parent  # of what its processes import
LIBRARY = TESTING.parents[1] / "DaTscanAI"
SHAPE = (20, 20, 20)
LARGE_SHAPE = (48, 48, 48)


class StubAnalyzer:
    """Answers from the mean of the voxels; tells the file `DATSCANAI_STUB_LOG` of each case that it begins."""

    def __init__(self, model=None, device="auto"):
        self.model = model

    def analyze(self, scan, case, normals=None):
        log = os.environ.get("DATSCANAI_STUB_LOG")
        if log:
            with Path(log).open("a") as file:
                file.write(f"{case} {os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\n")
        self.behave(scan.path)
        mean = float(scan.voxels.mean())
        result = {
            "case": case,
            "scan": {"file": scan.path.name},
            "series": scan.series,
            "registration": {"quality": 0.75, "accepted": True},
            "quantification": {"sbr": {"putamen_left": mean}},
            "classification": {"label": "normal" if mean < 5 else "reduced", "probability_reduced": mean / 10},
            "warnings": [],
            "timing_s": {"total": time.perf_counter()},
        }
        shape = LARGE_SHAPE if scan.path.name.startswith("large") else SHAPE
        noise = np.random.default_rng(int(mean * 1000)).random(shape, np.float32)
        return Analysis(result, noise, noise + 1, None)

    @staticmethod
    def behave(path):
        mark = path.with_name(f".{path.name}.seen")
        name = path.name
        if name.startswith("crash-always") or (name.startswith("crash-once") and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("wait") and not mark.exists():
            mark.touch()
            time.sleep(600)
        if name.startswith("slow"):
            time.sleep(0.3)
        if name.startswith("defect"):
            raise KeyError("Doe^Jane")  # what a library's text may quote
        if name.startswith("hungry"):
            raise MemoryError


def install(patch=setattr):
    """Put the stub in the place of the chain, the pictures and the model."""
    patch(one_case, "_analyzer", lambda model, *_: StubAnalyzer(model))
    for module in (batch_options, run):
        patch(module, "check_options", lambda options: None)
    patch(identity, "_model_facts", lambda name: ["stub", name])
    patch(results, "_write_pictures", write_pictures)
    patch(dicom_results, "write_dicom_results", lambda folder, *_: write_dicom(folder))
    patch(page, "shared_pictures", dict)  # they take longer than a small batch


def write_pictures(folder, analysis, report):
    (folder / "overview.png").write_bytes(b"a picture")
    if os.environ.get("DATSCANAI_STUB_DICOM"):
        write_dicom(folder)
    if report:
        (folder / "report.pdf").write_bytes(b"a report")


def write_dicom(folder):
    """In the place of DICOM results."""
    import dicom_factory

    dicom_factory.save(dicom_factory.nm_dataset(shape=(20, 20, 20)), folder / "result.dcm")


def environment(*paths):
    """For a process that imports the library, and the modules of these folders."""
    path = os.pathsep.join(map(str, (*paths, LIBRARY)))
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}


def installed_everywhere(folder, **variables):
    """Environment for a process and all its workers."""
    site = Path(folder) / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text("import batch_stub\nbatch_stub.install()\n")
    return {**environment(site, TESTING), **variables}


def command(*arguments):
    return [sys.executable, "-m", "DaTscanAILib", *map(str, arguments)]


def analyze_command(*arguments):
    return command("analyze", *arguments)


def write_scans(folder, names):
    """Small scans, each with another mean from 1 to 9."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        voxels = np.full(SHAPE, 1 + index % 9, np.uint8)
        voxels[0, 0, 0] += 1 + index % 100
        write_volume(folder / f"{name}.nii", voxels, np.diag([3.0, 3.0, 3.0, 1.0]))
    return folder


def contents(folder):
    """`{path: content}` of a results folder, without timings; content of `result.json` as text."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.name == "result.json":
            result = json.loads(path.read_text())
            del result["timing_s"]
            found[path.relative_to(folder).as_posix()] = json.dumps(result)
        elif path.is_file():
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
