"""What an evaluation reads of the folders that the chain has written."""

import json
from pathlib import Path

from ..reading.inputs import Case


def read_results(cases: list[Case], folder: Path) -> list[tuple[Case, dict]]:
    """Each case with the content of its `result.json`, those without one left out.

    Args:
        cases: of the manifest.
        folder: that `analyze` or `evaluate` has written, with a folder for each case.
    """
    files = [(case, Path(folder) / case.name / "result.json") for case in cases]
    return [(case, json.loads(file.read_text(encoding="utf-8"))) for case, file in files if file.exists()]
