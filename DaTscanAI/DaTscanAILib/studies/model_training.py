"""Training the studies' own networks with the project's engine, into model folders that `analyze --model` takes."""

import json
import shutil
from collections.abc import Callable

import numpy as np

from ..classification.answer_rule import AnswerRule
from ..classification.model_folder import Model, read_model, write_model
from ..classification.networks import count_parameters
from ..training.calibration import member_differences
from ..training.card import bundle_metadata, describe_data
from ..training.input_sets import ImageSet, Sets
from ..training.plans import Plan
from .figures import learning_figure
from .tables import write_table
from .workspace import Workspace


def trained_model(
    workspace: Workspace, name: str, plan: Plan, training: list, sets: Callable[[], Sets], patience: int | None
) -> Model:
    """A model of this name in the study's folder `models`: one network, the weights of its best epoch.

    The answer is the larger of both logits, as in the papers: no calibration.

    Args:
        training: the scans, for the model's description.
        sets: gives the inputs; asked only if there is still something to train.
        patience: epochs without a better validation loss before training stops; None for all of the plan's.
    """
    folder, checkpoints = workspace.output / "models" / name, workspace.folder("work", "checkpoints") / name
    if not (folder / "configs" / "metadata.json").exists():
        workspace.say(f"training {name}")
        network = _train(workspace, plan, sets(), checkpoints, patience)
        curve = json.loads((checkpoints / "learning_curve.json").read_text())
        workspace.finished(f"curve_{name}", lambda: curve)
        scores = {"validation_loss": min(point["validation_loss"] for point in curve)}
        trained_on = describe_data(training, {})
        metadata = bundle_metadata(plan, trained_on, scores, count_parameters(network))
        rule, reference = AnswerRule(), plan.compared_with
        write_model(
            folder, plan.architecture, [network], plan.preprocessing, rule, trained_on, metadata, reference=reference
        )
    shutil.rmtree(checkpoints, ignore_errors=True)  # the largest network's take four times its weights
    return read_model(folder)


def _train(workspace, plan, sets, checkpoints, patience):
    import torch

    from ..training.engine import run_engine
    from ..training.optimization import new_network

    torch.manual_seed(plan.seed)
    network = new_network(plan)
    best = run_engine(network, sets, plan, workspace.device, checkpoints, seed=plan.seed, patience=patience)
    network.load_state_dict(best)
    return network.to("cpu").eval()


def logit_differences(workspace: Workspace, model: Model, plan: Plan, images: np.ndarray) -> np.ndarray:
    """Reduced minus normal of network inputs `(n, ...)`."""
    (network,) = model.load_networks()
    return member_differences(network, ImageSet(images, np.zeros(len(images), int)), plan, workspace.device)


def write_learning_curves(workspace: Workspace, names: list[str]) -> None:
    """The models' learning curves as a table and a figure."""
    curves = {name: workspace.finished(f"curve_{name}", list) for name in names}
    rows = [
        [name, point["epoch"], point["last_training_loss"], point["validation_loss"]]
        for name, curve in curves.items()
        for point in curve
    ]
    path = workspace.folder("tables") / "learning_curves.csv"
    write_table(path, ["model", "epoch", "last_training_loss", "validation_loss"], rows)
    lines = {
        name: ([point["epoch"] for point in curve], [point["validation_loss"] for point in curve])
        for name, curve in curves.items()
    }
    learning_figure(workspace.folder("figures") / "learning_curves", lines)
