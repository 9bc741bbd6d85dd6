"""What a training was begun with: its folder resumes that, and nothing else."""

import json
from dataclasses import asdict, fields
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..classification.model_folder import Model
from .plans import Plan
from .preparation import Prepared

RECIPE_FILE = "recipe.json"
# Of a plan: more members may follow, and doubt is the calibration's, which is made anew; the reference has a digest.
_FREE = ("members", "spares", "doubt", "doubt_share", "reference")


def check_recipe(output: Path, plan: Plan, prepared: list[Prepared], start: Model | None) -> None:
    """Note in `output/work` what the networks depend on, or compare it with what an earlier call has noted there.

    Networks that are finished are used again: of other scans or options they would be taken for what was asked for.

    Args:
        output: the model's folder.
        plan: of the training.
        prepared: the usable scans.
        start: the model to adapt; None for networks that start from nothing.

    Raises:
        DaTscanError: the folder holds a training of other scans or options.
    """
    recipe = json.loads(json.dumps(_recipe(plan, prepared, start)))
    file = output / "work" / RECIPE_FILE
    if not file.exists():
        atomic_write_bytes(file, json.dumps(recipe).encode())
    elif json.loads(file.read_text(encoding="utf-8")) != recipe:
        raise DaTscanError(
            f"{output.name} holds a training of other scans or options: choose another folder with --output, or "
            "remove its folder work."
        )


def _recipe(plan, prepared, start):
    options = {field.name: getattr(plan, field.name) for field in fields(plan) if field.name not in _FREE}
    return {
        "plan": {**options, "preprocessing": asdict(plan.preprocessing)},
        "reference": plan.compared_with.sha256,
        "start": [digest for _, digest in start.weights] if start else None,
        "scans": [_identity(one) for one in prepared],
    }


def _identity(one):
    """What the networks depend on of a scan, whose voxels its files' names and sizes stand for."""
    losses = {column: text for column, text in one.case.other.items() if column.startswith("loss_")}
    return [one.case.name, one.case.label, losses, one.facts.get("source")]
