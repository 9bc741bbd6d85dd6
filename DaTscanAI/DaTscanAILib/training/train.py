"""Training a classifier from labelled scans: data, engine, choice of the best weights, calibration, model folder.

The engine is MONAI's (on ignite), which brings mixed precision, checkpoints and several GPUs: started by `torchrun`,
each process trains on its part of every epoch. The data are prepared once (`preparation.py`) and, where a plan asks
for it, augmented in advance: copies on disk cost less than the same transforms in every epoch of every member.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..base.parallel import in_order
from ..classification.answer import choose_device
from ..classification.model_folder import Model, write_model
from ..classification.networks import build_network, count_parameters
from ..reading.inputs import collect_cases
from .adapting import rule_of_adapted, train_on
from .calibration import CalibrationScans, calibrate
from .card import bundle_metadata, describe_data
from .input_sets import ImageSet, Sets, write_set
from .midway import with_own_midway
from .plans import Plan
from .preparation import Prepared, prepare_cases
from .recipe import check_recipe
from .variants import LABELS

LEAST_PER_CLASS = 5


def train(
    manifest: Path, output: Path, plan: Plan, device: str = "auto", workers: int = 1, start: Model | None = None
) -> Model:
    """Train a model from a manifest of labelled scans; the same call again resumes.

    Started by `torchrun`, all processes train each network together.

    Args:
        manifest: CSV with the columns `scan` and `label`.
        output: the model's folder; `output/work` keeps the cache and the checkpoints.
        plan: how.
        device: `auto`, `cpu` or `cuda`.
        workers: processes for preparing scans.
        start: a model to adapt to the scans (`adapting.py`), in place of networks that know nothing.

    Raises:
        DaTscanError: too few usable scans of a class, or the folder holds a training of other scans or options.
    """
    from .engine import first_process_first, process_group

    output = Path(output)
    with process_group(choose_device(device)):
        with first_process_first():
            data, trained_on, plan = _data(manifest, output, plan, workers, start)
        networks = train_members(data.training, plan, output / "work", device, workers, start)
        with first_process_first():
            return _calibrated_model(output, networks, data, plan, device, trained_on, start)


def _data(manifest, output, plan, workers, start):
    """Inputs of training and calibration, the sentence that describes the training scans, the plan for them."""
    cases = [case for case in collect_cases([manifest]) if case.label or case.error]
    prepared, failed = prepare_cases(cases, output / "work" / "prepared", workers)
    check_classes(prepared)
    training, held_out = split(prepared, plan.calibration_share, plan.seed)
    plan = with_own_midway(plan, output / "work", training)
    check_recipe(output, plan, prepared, start)
    folder = output / "work" / "inputs"
    inputs = write_set(folder / "training", training, plan, workers, copies=plan.copies, averaged=True)
    # With all voxels: relevance goes down to them.
    calibration = write_set(folder / "calibration", held_out, plan, workers, smoothed=plan.smooth_validation)
    return CalibrationScans(inputs, calibration, held_out), describe_data(training, failed), plan


def _calibrated_model(output, networks, data, plan, device, trained_on, start):
    """The model folder of trained networks."""
    rule, scores, features = calibrate(networks, data, plan, device)
    if start:
        rule = rule_of_adapted(start, rule, [one.case.label == "reduced" for one in data.scans])
        trained_on = f"{start.trained_on} Then adapted: {trained_on}"
    return write_model(
        output,
        plan.architecture,
        networks,
        plan.preprocessing,
        rule,
        trained_on,
        bundle_metadata(plan, trained_on, scores, count_parameters(networks[0])),
        reference=plan.compared_with,
        training_features=None if rule.unlike_cut is None else features,
    )


def check_classes(prepared: list[Prepared]) -> None:
    """Raise `DaTscanError` unless every class has enough usable scans."""
    for label in LABELS:
        count = sum(one.case.label == label for one in prepared)
        if count < LEAST_PER_CLASS:
            raise DaTscanError(
                f"The manifest has only {count} usable scans labelled {label}: give at least "
                f"{LEAST_PER_CLASS} of each class."
            )


def split(prepared: list[Prepared], share: float, seed: int) -> tuple[list[Prepared], list[Prepared]]:
    """(the others, the share), stratified by label; the same seed and scans give the same split."""
    random = np.random.default_rng(seed)
    chosen = set()
    for label in LABELS:
        names = sorted(one.case.name for one in prepared if one.case.label == label)
        chosen.update(random.permutation(names)[: max(round(share * len(names)), 1)])
    return (
        [one for one in prepared if one.case.name not in chosen],
        [one for one in prepared if one.case.name in chosen],
    )


def member_sets(inputs: ImageSet, plan: Plan, number: int) -> Sets:
    """What a member trains on, and the part of the scans that it leaves out to choose its best epoch.

    The parts are stratified by label, and all copies of a scan lie in one of them.
    """
    parts = max(round(1 / plan.validation_share), 2)
    labels = inputs.labels[np.unique(inputs.scans, return_index=True)[1]]
    part = np.empty(len(labels), int)
    random = np.random.default_rng([plan.seed, 31])
    for label in np.unique(labels):
        scans = np.flatnonzero(labels == label)
        part[scans] = random.permutation(np.arange(len(scans)) % parts)
    left_out = part == number % parts
    return Sets(inputs.subset(np.flatnonzero(~left_out)), inputs.subset(np.flatnonzero(left_out)))


def train_members(
    inputs: ImageSet, plan: Plan, work: Path, device: str, workers: int, start: Model | None = None
) -> list:
    """All members; on a CPU several at a time, one core each, which wastes less than many cores on one network."""
    import ignite.distributed as idist

    run = partial(train_member, inputs=inputs, plan=plan, work=work, device=device, start=start)
    numbers = range(plan.members + plan.spares)
    if choose_device(device) == "cpu" and idist.get_world_size() == 1 and min(workers, len(numbers)) > 1:
        list(in_order(partial(_trained, run=run), numbers, workers))
    networks = [run(number) for number in numbers]  # those of other processes are read back
    return [networks[number] for number in best_members(plan, work)]


def _trained(number, run):
    run(number)


def best_members(plan: Plan, work: Path) -> list[int]:
    """Numbers of the members with the lowest validation loss, in their order."""
    numbers = range(plan.members + plan.spares)
    if plan.spares == 0:
        return list(numbers)
    losses = {}
    for number in numbers:
        curve = json.loads((work / f"member_{number}" / "learning_curve.json").read_text())
        losses[number] = min(point["validation_loss"] for point in curve)
    return sorted(sorted(numbers, key=losses.get)[: plan.members])


def train_member(number: int, inputs: ImageSet, plan: Plan, work: Path, device: str, start: Model | None = None):
    """One network with the weights of its best epoch, on the CPU in evaluation mode."""
    import torch

    from ..classification.weights import read_weights, write_weights
    from .engine import run_engine
    from .optimization import new_network

    finished = work / f"member_{number}.safetensors"
    network = build_network(plan.architecture, initialize=not finished.exists())
    if finished.exists():
        network.load_state_dict(read_weights(finished), assign=True)
        return network.eval()
    seed, folder, sets = plan.seed + 1000 * number, work / f"member_{number}", member_sets(inputs, plan, number)
    torch.manual_seed(seed)
    if start:
        members = start.load_networks()
        network = members[number % len(members)]
        best = train_on(network, sets, plan, choose_device(device), folder, seed)
    else:
        network = new_network(plan)
        best = run_engine(network, sets, plan, choose_device(device), folder, seed, patience=plan.patience)
    network.load_state_dict(best)
    write_weights(finished, network.state_dict())
    return network.to("cpu").eval()
