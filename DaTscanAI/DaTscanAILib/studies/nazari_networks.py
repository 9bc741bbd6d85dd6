"""What both studies of Nazari et al. 2021 share: division of the scans, training, departures from the papers."""

from dataclasses import replace

import numpy as np

from ..base.errors import DaTscanError
from ..classification.model_folder import Model
from ..classification.networks import build_network
from ..explanation.reference import Reference
from ..training.input_sets import build_sets
from ..training.midway import own_midway
from ..training.optimization import first_dense, first_dense_rate
from ..training.plans import PLANS, Plan
from .model_training import trained_model
from .splits import age_differences, analysis_of_variance, best_for_age
from .tables import write_table
from .workspace import Workspace

SETS = ("training", "validation", "test")
PAPERS_RATE = 1e-4
ARCHITECTURE_CHOICE = (
    "Dense layers of 32 and 16 for the whole brain: only they make the 236 million parameters that the papers quote."
)
DIVISION_CHOICE = (
    "Of 100 divisions stratified by class and sex, the one whose sets differ least in mean age within the four "
    "subgroups; class, sex and age are compared between the sets by analysis of variance (balance.csv)."
)
START_CHOICE = (
    "Relevance starts as the difference of the logits, reduced minus normal, and the alpha-beta rule is the standard "
    "one (alpha 2, beta 1): both are needed for the maps that the paper shows."
)
SILENT_UNITS_CHOICE = (
    "Why units of the first dense layer fall silent: its inputs are never negative and much alike in all scans, so "
    "that a step moves a unit's sums of all scans at once. Seen in the compact network alone, where a normalization "
    "by batch kept all units alive: --normalized-dense."
)


def divide(workspace: Workspace, shares) -> np.ndarray:
    """0 training, 1 validation, 2 test: stratified by class and sex, ages balanced within these (best of 100)."""
    ages = [one.case.age for one in workspace.scans]
    return best_for_age(strata_of(workspace), ages, shares, np.random.default_rng(workspace.options.seed))


def strata_of(workspace: Workspace) -> list[tuple]:
    """(class, sex) of each scan."""
    return [(one.case.label, one.case.sex) for one in workspace.scans]


def subgroup_ages(workspace: Workspace, sets: np.ndarray) -> dict[str, float]:
    """Years between the mean ages of two sets, at most, in each subgroup of class and sex."""
    ages = [one.case.age for one in workspace.scans]
    differences = age_differences(strata_of(workspace), ages, sets)
    return {f"{label} {sex or 'of unknown sex'}": years for (label, sex), years in differences.items()}


def balance(workspace: Workspace, sets: np.ndarray) -> dict[str, dict]:
    """Age, share of women and share of reduced scans by set, and whether they differ (`analysis_of_variance`)."""
    cases = [one.case for one in workspace.scans]
    values = {
        "age": [case.age for case in cases],
        "female": [None if case.sex is None else float(case.sex == "F") for case in cases],
        "reduced": [float(case.label == "reduced") for case in cases],
    }
    return {name: analysis_of_variance(numbers, sets) for name, numbers in values.items()}


def write_division(workspace: Workspace, sets: np.ndarray) -> dict[str, dict]:
    """Tables `split.csv`, one line a scan, and `balance.csv`; the content of the latter."""
    folder, found = workspace.folder("tables"), balance(workspace, sets)
    rows = [
        [one.case.name, one.case.label, one.case.sex, one.case.age, SETS[number]]
        for one, number in zip(workspace.scans, sets, strict=True)
    ]
    write_table(folder / "split.csv", ["case", "label", "sex", "age", "set"], rows)
    rows = [[name, *one["means"], one["f"], one["p"]] for name, one in found.items()]
    write_table(folder / "balance.csv", ["quantity", *(f"mean_{name}" for name in SETS), "F", "p"], rows)
    return found


def midway_of(workspace: Workspace, sets: np.ndarray) -> Reference:
    """What the study's networks see the difference from: midway between the classes of its training scans."""
    return own_midway(workspace.folder("work"), [workspace.scans[k] for k in np.flatnonzero(sets == 0)])


def plan_of(workspace: Workspace, published: str, epochs: int, reference: Reference) -> Plan:
    """The paper's plan (Adam 1e-4, batches of 8) for its network, with what the options change.

    Args:
        reference: as of `midway_of`.

    Raises:
        DaTscanError: a network in place of the paper's does not take the same input.
    """
    options = workspace.options
    plan = replace(
        PLANS[published],
        epochs=epochs,
        seed=options.seed,
        reference=reference,
        dense_rate=options.dense_rate,
        warm_up=options.warm_up,
        initial_scale=options.initial_scale,
        normalized_dense=options.normalized_dense,
    )
    if options.plain_input:
        plan = replace(plan, preprocessing=replace(plan.preprocessing, from_reference=False))
    other = options.architecture
    if other is None or plan.preprocessing.box == "striatum":
        return plan
    if other not in PLANS or PLANS[other].preprocessing.box != "full":
        raise DaTscanError(
            f"{other}: this study needs a network of the whole brain: choose compact or nazari2021-full."
        )
    return replace(plan, architecture=other)


def train_on(workspace: Workspace, name: str, plan: Plan, sets: np.ndarray, patience: int | None) -> Model:
    """The model of a study's division; without `patience` all of the plan's epochs are run."""
    training, validation = ([workspace.scans[k] for k in np.flatnonzero(sets == number)] for number in (0, 1))

    def inputs():
        return build_sets(training, validation, plan, workspace.folder("work", "inputs", name))

    return trained_model(workspace, name, plan, training, inputs, patience)


def dense_rate_of(plan: Plan) -> float:
    """Adam's rate of the first dense layer."""
    return first_dense_rate(first_dense(build_network(plan.architecture, initialize=False)).in_features, plan)


def departures(plan: Plan, papers_sets: tuple[int, int, int], sets: np.ndarray) -> list[str]:
    """Where a run departs from what the paper says, one sentence each."""
    found, counts = [], [int((sets == k).sum()) for k in range(3)]
    if tuple(counts) != papers_sets:
        shown, papers = ("/".join(map(str, numbers)) for numbers in (counts, papers_sets))
        found.append(f"{shown} scans for training, validation and test; the paper had {papers}.")
    if plan.architecture != "nazari2021-full":
        found.append(f"The network {plan.architecture} stands in place of the paper's.")
    if plan.preprocessing.from_reference:
        found.append(
            "The network sees what a scan midway between the means of the normal and of the reduced training scans "
            "has more than the scan; the paper's sees the scan (--plain-input). With the scan itself relevance was "
            "negative in both classes, unlike the paper's maps."
        )
    rate = dense_rate_of(plan)
    if rate < PAPERS_RATE:
        found.append(
            f"Adam's rate is lowered from the paper's 1e-4 to {rate:.2g} in the first dense layer, "
            f"{PAPERS_RATE / rate:.0f} times, which holds nearly all parameters of the large networks: most of its "
            "units otherwise fell silent for good in the first epoch. --dense-rate 1e-4 is the paper's."
        )
    if plan.warm_up:
        found.append(f"Adam's rates rise to their values in the first {plan.warm_up} steps.")
    if plan.initial_scale != 1:
        found.append(f"The first dense layer starts from {plan.initial_scale:g} times its usual weights.")
    if plan.normalized_dense:
        found.append(
            "The first dense layer is normalized by batch while it trains; the networks kept are as published."
        )
    return found


def limits(workspace: Workspace) -> list[str]:
    """What the manifest or the options take from the paper's experiment."""
    found = []
    if workspace.options.architecture:
        found.append(f"The network {workspace.options.architecture} stands in place of the paper's.")
    if workspace.options.plain_input:
        found.append("The network saw the scan itself, not its difference from midway.")
    if any(one.case.sex is None for one in workspace.scans):
        found.append("The manifest does not give every sex: scans without one are a stratum of their own.")
    if any(one.case.age is None for one in workspace.scans):
        found.append("The manifest does not give every age: the balance of ages is of the others.")
    return found
