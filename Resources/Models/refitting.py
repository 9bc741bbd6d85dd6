"""What the scripts share that learn a limit of a ready model anew: fresh scans, and its place in the metadata."""

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "DaTscanAI"))
sys.path.insert(0, str(HERE))

from build_default_model import SEEN_CAMERAS

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.files import atomic_write_bytes
from DaTscanAILib.base.parallel import in_order
from DaTscanAILib.classification.model_folder import find_model
from DaTscanAILib.reading.scan import Scan
from DaTscanAILib.simulation.anatomy import TRAINING_ANATOMIES
from DaTscanAILib.simulation.simulator import Settings, simulate_scan
from DaTscanAILib.training.preparation import prepare_scan

TRAINING_LIKE = Settings(anatomies=TRAINING_ANATOMIES, families=SEEN_CAMERAS)


def usable(jobs: list[tuple[int, Settings]], folder: Path, workers: int) -> list[tuple[int, dict]]:
    """Seed and what is known of each simulated scan that can be used, see `prepared`.

    Args:
        jobs: seed and settings of the simulator.
        folder: of the scans; made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = in_order(partial(prepared, folder=folder), jobs, workers)
    return [(seed, facts) for (seed, _), facts in zip(jobs, kept, strict=True) if "error" not in facts]


def prepared(job: tuple[int, Settings], folder: Path) -> dict:
    """Truth and what was measured of one scan, whose voxels are kept; `error` where it cannot be used.

    Args:
        job: seed and settings of the simulator.
        folder: that keeps `SEED.json` and `SEED.npy`, float16 `(91, 109, 91)`, normalized, lower putamen left.
    """
    seed, settings = job
    file = folder / f"{seed}.json"
    if file.exists():
        return json.loads(file.read_text())
    scan = simulate_scan(seed, settings)
    state = scan.degeneration
    facts = {"label": state.label, "subtype": state.subtype, "family": scan.camera.family, **state.losses}
    try:
        voxels, measured = prepare_scan(Scan(scan.voxels, scan.affine, Path(f"sim{seed}"), "simulated"))
    except DaTscanError as error:
        voxels, measured = None, {"error": str(error)}
    if voxels is not None and not measured["accepted"]:
        measured = {"error": f"the registration was not accepted (quality {measured['quality']:.2f})"}
    if "error" not in measured:
        np.save(folder / f"{seed}.npy", voxels)
    atomic_write_bytes(file, json.dumps({**facts, **measured}).encode())
    return {**facts, **measured}


def write_rule(path: Path, new: dict, version: str, note: str) -> None:
    """Limits of the rule, version and changelog of a model's metadata; nothing else changes.

    Args:
        new: fields of `AnswerRule`.
    """
    metadata = json.loads(path.read_text(encoding="utf-8"))
    changelog = {name: text for name, text in metadata.get("changelog", {}).items() if name != version}
    metadata |= {"version": version, "changelog": {version: note, **changelog}}
    metadata["datscanai"]["rule"] |= new
    atomic_write_bytes(path, (json.dumps(metadata, indent=2) + "\n").encode())
    find_model(path.parents[1])  # reads it again, with all checks
