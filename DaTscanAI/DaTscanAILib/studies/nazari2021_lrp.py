"""Nazari et al. 2021: the whole brain in one network, and relevance maps that show and correct its errors.

Eur J Nucl Med Mol Imaging 49:1176.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..base.errors import DaTscanError
from ..classification.answer import Classifier
from ..evaluation.metrics import classification_metrics, roc_auc, youden_cutoff
from ..reporting.panels import AXIAL_POSITIONS, relevance_limit
from ..training.input_sets import build_sets
from ..training.plans import PLANS, Plan
from .figures import histogram_figure, roc_figure
from .group_maps import GROUPS, explain, map_row, rows_figure, scan_row
from .model_training import trained_model, write_learning_curves
from .splits import age_differences, best_for_age
from .summary import Findings
from .tables import as_numbers, decimal, percent, shares_table, write_table
from .workspace import Workspace

SHARES = (864 / 1296, 144 / 1296, 288 / 1296)
SETS = ("training", "validation", "test")
TREE_DEPTH, LEAST_IN_LEAF = 3, 5
INPUT_CHOICE = (
    "Unless --plain-input is given, the network sees what a scan midway between normal and reduced has more than the "
    "scan: with the scan itself, relevance was negative in both classes, which the paper's maps are not."
)
RATE_CHOICE = (
    "Adam's rate of 1e-4 is lowered for the first dense layer, some 490 times in the full-size networks and so for "
    "99.9 % of their parameters: most of its units otherwise fell silent for good in the first epoch."
)
CHOICES = [
    "Dense layers of 32 and 16: only they make the 236 million parameters that the paper quotes.",
    "Of 100 divisions stratified by class and sex, the one whose sets differ least in mean age within the four "
    "subgroups.",
    "The number of epochs is not given: training stops after 5 without a lower validation loss, and the best epoch's "
    "weights count.",
    "Relevance starts as the difference of the logits, reduced minus normal, and the alpha-beta rule is the standard "
    "one (alpha 2, beta 1): both are needed for the maps that the paper shows.",
    INPUT_CHOICE,
    RATE_CHOICE,
    "The heat map is the mean of the true positives minus that of the true negatives: positive argues for reduced.",
    "The cut-off of the SBR (lower putamen) and the classification tree (SBR, asymmetry, caudate/putamen ratio; "
    "depth 3, 5 scans a leaf at least) are learned from training and validation scans.",
]


@dataclass(frozen=True)
class Form:
    """Sizes of the study."""

    epochs: int
    patience: int


FULL, QUICK = Form(40, 5), Form(3, 3)


def run(workspace: Workspace) -> Findings:
    """The whole study."""
    form = workspace.form(FULL, QUICK)
    sets = divide(workspace, SHARES)
    plan = plan_of(workspace, "nazari2021-full", form.epochs)
    model = train_on(workspace, "full", plan, sets, form.patience)
    write_learning_curves(workspace, ["full"])
    tested = np.flatnonzero(sets == 2)
    scans, truth = [workspace.scans[k] for k in tested], workspace.truth[tested]
    explained = explain(workspace, "test", model, scans, truth)
    answers = {
        "network": explained.difference > 0,
        "relevance of the ipsilateral putamen": explained.putamen > 0,
        **conventional(workspace, sets),
    }
    metrics = {name: classification_metrics(truth, answer) for name, answer in answers.items()}
    _write_tables(workspace, sets, scans, explained, answers, metrics)
    _draw(workspace, scans, truth, explained, model)
    return _findings(workspace, plan, sets, explained, truth, metrics, model)


def divide(workspace: Workspace, shares) -> np.ndarray:
    """0 training, 1 validation, 2 test: stratified by class and sex, ages balanced within these (best of 100)."""
    ages = [one.case.age for one in workspace.scans]
    return best_for_age(strata_of(workspace), ages, shares, np.random.default_rng(workspace.options.seed))


def strata_of(workspace: Workspace) -> list[tuple]:
    """(class, sex) of each scan."""
    return [(one.case.label, one.case.sex) for one in workspace.scans]


def plan_of(workspace: Workspace, published: str, epochs: int) -> Plan:
    """The paper's plan (Adam 1e-4, batches of 8) for its network or the one that the options put in its place.

    Raises:
        DaTscanError: the other network does not take the same input.
    """
    plan = replace(PLANS[published], epochs=epochs, seed=workspace.options.seed)
    if workspace.options.plain_input:
        plan = replace(plan, preprocessing=replace(plan.preprocessing, from_reference=False))
    other = workspace.options.architecture
    if other is None or plan.preprocessing.box == "striatum":
        return plan
    if other not in PLANS or PLANS[other].preprocessing.box != "full":
        raise DaTscanError(
            f"{other}: this study needs a network of the whole brain: choose compact or nazari2021-full."
        )
    return replace(plan, architecture=other)


def train_on(workspace: Workspace, name: str, plan: Plan, sets: np.ndarray, patience: int):
    """The model of a study's division."""
    training, validation = ([workspace.scans[k] for k in np.flatnonzero(sets == number)] for number in (0, 1))

    def inputs():
        return build_sets(training, validation, plan, workspace.folder("work", "inputs", name))

    return trained_model(workspace, name, plan, training, inputs, patience)


def sbr_features(one) -> list[float]:
    """SBR of lower and higher putamen and caudate, asymmetries (percent), caudate/putamen ratio of the lower side.

    A value that the field of view did not allow is nan, which the tree takes.
    """
    sbr = {key: np.nan if value is None else value for key, value in one.facts["sbr"].items()}
    values = [
        choose((sbr[f"{nucleus}_left"], sbr[f"{nucleus}_right"]))
        for nucleus in ("putamen", "caudate")
        for choose in (np.min, np.max)
    ]
    asymmetry = [one.facts["asymmetry_percent"][nucleus] for nucleus in ("putamen", "caudate")]
    return [*values, *(np.nan if value is None else value for value in asymmetry), values[2] / max(values[0], 0.1)]


def conventional(workspace: Workspace, sets: np.ndarray) -> dict[str, np.ndarray]:
    """Answers on the test scans by the lower putamen's SBR and by a classification tree of all numbers."""
    from sklearn.tree import DecisionTreeClassifier

    features = np.array([sbr_features(one) for one in workspace.scans])
    known, tested = sets != 2, sets == 2
    low = -np.nan_to_num(features[:, 0], nan=np.nanmedian(features[:, 0]))
    cut = youden_cutoff(workspace.truth[known], low[known])
    tree = DecisionTreeClassifier(
        max_depth=TREE_DEPTH, min_samples_leaf=LEAST_IN_LEAF, random_state=workspace.options.seed
    ).fit(features[known], workspace.truth[known])
    return {"SBR of the lower putamen": low[tested] >= cut, "classification tree": tree.predict(features[tested])}


def _write_tables(workspace, sets, scans, explained, answers, metrics):
    folder = workspace.folder("tables")
    for name, shares in metrics.items():
        shares_table(folder / f"{name.replace(' ', '_').lower()}.csv", shares)
    rows = [
        [one.case.name, one.case.label, one.case.sex, one.case.age, SETS[number]]
        for one, number in zip(workspace.scans, sets, strict=True)
    ]
    write_table(folder / "split.csv", ["case", "label", "sex", "age", "set"], rows)
    columns = ["case", "label", "logit_difference", "ipsilateral_putamen_relevance", *answers]
    rows = [
        [
            one.case.name,
            one.case.label,
            explained.difference[k],
            explained.putamen[k],
            *("reduced" if answer[k] else "normal" for answer in answers.values()),
        ]
        for k, one in enumerate(scans)
    ]
    write_table(folder / "test_answers.csv", columns, rows)


def _draw(workspace, scans, truth, explained, model):
    folder = workspace.folder("figures")
    area = f"network, AUC {decimal(roc_auc(truth, explained.difference))}"
    putamen = f"putamen relevance, AUC {decimal(roc_auc(truth, explained.putamen))}"
    roc_figure(folder / "roc", {area: (truth, explained.difference), putamen: (truth, explained.putamen)})
    histogram_figure(
        folder / "putamen_relevance", truth, explained.putamen, "Mean relevance of the ipsilateral putamen", 0.0
    )
    rows = [
        ("Mean of the true negatives (n = {})".format(explained.counts["true_negative"]), "true_negative"),
        ("Mean of the true positives (n = {})".format(explained.counts["true_positive"]), "true_positive"),
    ]
    limit = max(relevance_limit(explained.means[group]) for _, group in rows)
    strips = [(name, map_row(explained.means[group], AXIAL_POSITIONS, limit)) for name, group in rows]
    strips.append(("Heat map: reduced minus normal", map_row(explained.heat, AXIAL_POSITIONS)))
    rows_figure(folder / "mean_maps", strips)
    _draw_misclassified(workspace, scans, truth, explained, model)


def _draw_misclassified(workspace, scans, truth, explained, model):
    """Every misclassified scan with its map, in pictures of their own."""
    wrong = np.flatnonzero((explained.difference > 0) != truth)
    folder = workspace.folder("figures", "misclassified")
    missing = [k for k in wrong if not (folder / f"{scans[k].case.name}.pdf").exists()]
    classifier = Classifier(model, workspace.device) if missing else None
    for k in missing:
        voxels = scans[k].load()
        relevance = classifier.classify(voxels).relevance
        rows = [("Scan, the lower putamen on the left", voxels), ("Relevance", relevance)]
        strips = [(rows[0][0], scan_row(voxels, AXIAL_POSITIONS)), (rows[1][0], map_row(relevance, AXIAL_POSITIONS))]
        difference, putamen = explained.difference[k], explained.putamen[k]
        title = (
            f"{scans[k].case.name}: labelled {scans[k].case.label}, "
            f"answered {'reduced' if difference > 0 else 'normal'} "
            f"(logit difference {difference:+.2f}), relevance of the ipsilateral putamen {putamen:+.2g}"
        )
        rows_figure(folder / scans[k].case.name, strips, title)


def inconsistent(explained, truth: np.ndarray) -> dict[str, int]:
    """False answers, and how many of them the putamen's relevance contradicts."""
    answer = explained.difference > 0
    wrong = answer != truth
    return {
        "errors": int(wrong.sum()),
        "contradicted_by_relevance": int((wrong & ((explained.putamen > 0) == truth)).sum()),
    }


def _findings(workspace, plan, sets, explained, truth, metrics, model):
    network, putamen = metrics["network"], metrics["relevance of the ipsilateral putamen"]
    errors = inconsistent(explained, truth)
    ages = [
        float(
            np.mean(
                [one.case.age for one, n in zip(workspace.scans, sets, strict=True) if n == k and one.case.age] or [0]
            )
        )
        for k in range(3)
    ]
    published = {
        "accuracy": ("95.8 %", "96.9 %"),
        "sensitivity": ("92.8 %", "97.8 %"),
        "specificity": ("98.7 %", "96.0 %"),
        "positive_predictive_value": ("98.5 %", "not at hand"),
        "negative_predictive_value": ("93.7 %", "not at hand"),
    }
    comparison = [
        (f"Network: {name.replace('_', ' ')}", paper, percent(network[name]))
        for name, (paper, _) in published.items()
    ]
    comparison += [
        (f"Sign of the putamen's relevance: {name}", published[name][1], percent(putamen[name]))
        for name in ("accuracy", "sensitivity", "specificity")
    ]
    comparison += [
        (f"{name[0].upper()}{name[1:]}: accuracy", "not at hand", percent(metrics[name]["accuracy"]))
        for name in ("SBR of the lower putamen", "classification tree")
    ]
    comparison.append(
        (
            "Errors that the relevance contradicts",
            "7 of 10 false negatives",
            "{contradicted_by_relevance} of {errors}".format(**errors),
        )
    )
    return Findings(
        title="Relevance maps of a network for the whole brain",
        source="Nazari et al. 2021, Eur J Nucl Med Mol Imaging 49:1176",
        sizes={
            **{name: int((sets == k).sum()) for k, name in enumerate(SETS)},
            "network": plan.architecture,
            "epochs at most": plan.epochs,
        },
        comparison=comparison,
        results={
            "mean_age_by_set": dict(zip(SETS, ages, strict=True)),
            "largest_age_difference_by_subgroup": subgroup_ages(workspace, sets),
            "groups": {name: explained.counts[name] for name in GROUPS},
            "test": {name: as_numbers(shares) for name, shares in metrics.items()},
            "roc_auc": roc_auc(truth, explained.difference).as_dict(),
            "errors": errors,
            "model": f"models/{model.folder.name}",
        },
        choices=CHOICES,
        figures=["mean_maps", "putamen_relevance", "roc", "learning_curves"],
        warnings=limits(workspace),
    )


def subgroup_ages(workspace: Workspace, sets: np.ndarray) -> dict[str, float]:
    """Years between the mean ages of two sets, at most, in each subgroup of class and sex."""
    ages = [one.case.age for one in workspace.scans]
    differences = age_differences(strata_of(workspace), ages, sets)
    return {f"{label} {sex or 'of unknown sex'}": years for (label, sex), years in differences.items()}


def limits(workspace: Workspace) -> list[str]:
    """What the options take from the paper's experiment."""
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
