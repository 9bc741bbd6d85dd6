"""The gates of a model's maps on simulated scans: `explain_check.json`, a table and a figure."""

import json
from collections.abc import Callable
from pathlib import Path

from ..base.files import atomic_write_bytes
from ..base.version import VERSION
from ..classification.answer import Classifier
from ..classification.model_folder import Model
from ..evaluation.map_examination import FULL, QUICK, Examination
from ..evaluation.map_gates import examine, judge
from ..evaluation.map_report import gates_figure, gates_table
from .known_scans import FULL_EXTENT, LOSS, QUICK_EXTENT, known_scans

SIMULATED = (
    "Simulated scans of heads and cameras that the default model's training has not seen; planted lesions have lost "
    f"{LOSS:.0%}. What holds for patients is not known."
)


def explain_check(
    model: Model, output: Path, method: str, quick: bool, device: str, workers: int, say: Callable[[str], None]
) -> list[dict]:
    """Examine a model's maps and write the results.

    Args:
        output: folder; `output/scans` keeps the simulated scans for the next model.
        method: of `explanation.methods.METHODS`.
        quick: few scans, and thresholds that guard instead of goals.
        say: told how far it is.

    Returns:
        One row a gate.
    """
    scans = known_scans(output / "scans", QUICK_EXTENT if quick else FULL_EXTENT, workers)
    planted = sum(scan.lesion is not None for scan in scans)
    say(f"{len(scans)} simulated scans, {planted} of them with a planted lesion")
    examination = Examination(Classifier(model, device), scans, method, say)
    found = examine(examination, QUICK if quick else FULL)
    rows = judge(found["figures"], quick)
    table = gates_table(rows, found["lesions"], found["randomization"], found["deletion"])
    head = f"# Gates of the maps: {model.name}, {method}{', quick form' if quick else ''}\n{SIMULATED}\n\n"
    atomic_write_bytes(output / "explain_check.md", f"{head}{table}\n".encode())
    gates_figure(output / "explain_check.png", rows, found["randomization"], found["deletion"])
    content = {
        "version": VERSION,
        "model": model.name,
        "model_version": model.version,
        "reference": model.reference.describe(),
        "map": method,
        "quick": quick,
        "data": SIMULATED,
        "scans": len(scans),
        "scans_with_planted_lesion": planted,
        "gates": rows,
        "lesions": found["lesions"],
        "randomization": found["randomization"],
    }
    atomic_write_bytes(output / "explain_check.json", (json.dumps(content, indent=1) + "\n").encode())
    return rows
