"""Cold start of the command line: one scan from nothing to the finished case, what its imports take and load."""

import json
import runpy
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from ..base.errors import DaTscanError
from ..classification.model_folder import find_model
from .child import environment, in_child, last_line
from .goals import Findings, Measured
from .settings import Settings
from .timing import middle
from .workloads import sample_file

HEAVY_MODULES = ("matplotlib", "pandas", "monai")
_PREFIX = "import time:"


def run(settings: Settings) -> Findings:
    """`analyze` on the bundled sample in fresh processes."""
    model = str(find_model(settings.model).folder.resolve())
    repetitions = min(settings.repetitions, 5)
    seconds = [_cold_start(model)[0] for _ in range(repetitions)]
    imports = [import_seconds(_cold_start(model, "-X", "importtime")[1]) for _ in range(repetitions)]
    loaded = in_child(modules_after_analysis, environment(), model=model)
    heavy = [name for name in HEAVY_MODULES if name in loaded]
    slowest = max(imports, key=lambda one: one["ours"])["slowest"]
    note = "slowest: " + ", ".join(f"{name} {1000 * took:.0f} ms" for name, took in slowest)
    return Findings(
        {
            "start_up_time": Measured(middle(seconds), note="report included", repetitions={"ours": seconds}),
            "start_up_imports": Measured(
                middle([one["ours"] for one in imports]),
                note=f"{note}; torch takes another {middle([one['torch'] for one in imports]):.1f} s",
                repetitions={"ours": [one["ours"] for one in imports], "torch": [one["torch"] for one in imports]},
            ),
            "start_up_modules": Measured(len(heavy), note=", ".join(heavy)),
        }
    )


def _cold_start(model, *python_options):
    """Seconds of the command, and what it wrote to standard error."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *python_options, "-m", "DaTscanAILib", *_arguments(model, folder)]
        start = time.perf_counter()
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
        seconds = time.perf_counter() - start
    if done.returncode:
        raise DaTscanError(f"The command to be timed failed: {last_line(done.stderr, done.returncode)}")
    return seconds, done.stderr


def _arguments(model, folder):
    return ["analyze", str(sample_file()), "--model", model, "--device", "cpu", "--output", folder]


def import_seconds(report: str) -> dict:
    """Seconds of imports by the report of `python -X importtime`, what torch imports apart.

    Args:
        report: lines `import time: SELF | CUMULATIVE | INDENTED NAME` in microseconds, a module after those that it
            has imported first.

    Returns:
        `torch`: seconds of torch and all that it imports first; `ours`: of everything else, Python's own start
        included; `slowest`: the five top-level packages other than torch, with the seconds of their own modules.
    """
    ours, torch, by_package, depth_of_torch = 0.0, 0.0, {}, None
    for line in reversed(report.splitlines()):  # from importers to what they import
        own, _, name = f"{line.removeprefix(_PREFIX)}||".split("|")[:3]
        if not line.startswith(_PREFIX) or not own.strip().isdigit():
            continue
        seconds, depth = int(own) / 1e6, len(name) - len(name.lstrip())
        package = name.strip().split(".")[0]
        if depth_of_torch is not None and depth <= depth_of_torch:
            depth_of_torch = None
        if depth_of_torch is None and package == "torch":
            depth_of_torch = depth
        if depth_of_torch is None:
            ours += seconds
            by_package[package] = by_package.get(package, 0.0) + seconds
        else:
            torch += seconds
    slowest = sorted(by_package.items(), key=lambda item: -item[1])[:5]
    return {"ours": ours, "torch": torch, "slowest": slowest}


def modules_after_analysis(model: str) -> list[str]:
    """Top-level modules that are loaded once a case is finished; call it in a child process."""
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = ["DaTscanAILib", *_arguments(model, folder)]
        with suppress(SystemExit):
            runpy.run_module("DaTscanAILib", run_name="__main__")
        assert json.loads((Path(folder) / sample_file().stem / "result.json").read_text())["classification"]["label"]
    return sorted({name.split(".")[0] for name in sys.modules})
