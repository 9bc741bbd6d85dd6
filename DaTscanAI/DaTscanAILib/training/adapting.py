"""Adapting a model to the scans of one site: its networks are trained on, the dense layers first.

Kim 2018 retrained a network's top layer alone, because little data is enough for it. Here the dense layers, which
read the features that many scans have taught, learn first and by themselves; then all layers follow at a lower rate.
"""

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..classification.answer_rule import AnswerRule
from ..classification.model_folder import Model

TOP_SHARE = 0.5  # of the epochs, for the dense layers alone
TOP_RATE, ALL_RATE = 0.3, 0.03  # factors on the plan's learning rate
LEAST_TO_CALIBRATE = 20  # validation images of either class


def plan_to_adapt(start: Model, plans: dict):
    """The plan of the model's network, with the model's input, heads and number of members.

    Args:
        plans: `plans.PLANS`.

    Raises:
        DaTscanError: there is no plan for the network.
    """
    if start.architecture not in plans:
        raise DaTscanError(f"{start.name}: there is no plan to train its network {start.architecture}.")
    plan = plans[start.architecture]
    weights = dict(zip((name for name, *_ in plan.heads), plan.head_weights, strict=True))
    heads = start.rule.heads or {"balanced": (0, 1)}
    return replace(
        plan,
        preprocessing=start.preprocessing,
        reference=start.reference,
        members=len(start.weights),
        spares=0,  # none of them starts from nothing
        heads=tuple((name, *pair) for name, pair in heads.items()),
        head_weights=tuple(weights.get(name, (1.0, 1.0)) for name in heads),
        doubt=start.rule.doubt,
    )


def train_on(network, sets, plan, device: str, folder: Path, seed: int) -> dict:
    """Train a network on: first its dense layers, then all; the state of the best epoch of both.

    Args:
        network: `torch.nn.Sequential` with the weights to start from, on the CPU.
        sets: `input_sets.Sets`.
        plan: `plans.Plan`, whose learning rate is for a start from nothing.
        folder: of the checkpoints, one in each stage; an interrupted run goes on.

    Returns:
        State dictionary on the CPU.
    """
    from .engine import run_engine

    # A new normalization would forget what the dense layer has learned.
    plan = replace(plan, normalized_dense=False)
    top = max(round(TOP_SHARE * plan.epochs), 1)
    stages = [
        ("top", replace(plan, epochs=top, learning_rate=TOP_RATE * plan.learning_rate)),
        ("all", replace(plan, epochs=max(plan.epochs - top, 1), learning_rate=ALL_RATE * plan.learning_rate)),
    ]
    lowest, best, whole = float("inf"), None, []
    for name, stage in stages:
        with frozen_features(network, name == "top"):
            state = run_engine(network, sets, stage, device, folder / name, seed, patience=plan.patience)
        network.to("cpu").load_state_dict(state)
        curve = json.loads((folder / name / "learning_curve.json").read_text(encoding="utf-8"))
        loss = min(point["validation_loss"] for point in curve)
        if loss < lowest:
            lowest, best = loss, {key: value.clone() for key, value in state.items()}
        whole += [{"stage": name, **point} for point in curve]
    atomic_write_bytes(folder / "learning_curve.json", json.dumps(whole, indent=1).encode())
    return best


def rule_of_adapted(start: Model, fitted: AnswerRule, labels) -> AnswerRule:
    """The fitted calibration, or with few validation images the one that the model brings: it is of many scans.

    Args:
        fitted: on the validation images.
        labels: of the validation images, 0 and 1.
    """
    reduced = int(sum(labels))
    if min(reduced, len(labels) - reduced) >= LEAST_TO_CALIBRATE:
        return fitted
    # What the networks now see in a scan is not what those of the start saw.
    return replace(start.rule, unlike_cut=None)


@contextmanager
def frozen_features(network, frozen: bool = True):
    """Everything before the dense layers keeps its weights, as long as the block runs."""
    from torch import nn

    features = [layer for layer in network if not isinstance(layer, nn.Linear)]
    parameters = [parameter for layer in features for parameter in layer.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(not frozen)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
