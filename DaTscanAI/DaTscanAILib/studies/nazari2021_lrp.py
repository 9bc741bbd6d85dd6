"""Nazari et al. 2021: the whole brain in one network, and relevance maps that show and correct its errors.

Eur J Nucl Med Mol Imaging 49:1176.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..classification.answer import Classifier
from ..classification.model_folder import Model
from ..evaluation.metrics import classification_metrics, roc_auc, youden_cutoff
from ..reporting.panels import AXIAL_POSITIONS, relevance_limit
from ..training.preparation import Prepared
from ..training.relevance_cut import cut_and_band
from .figures import roc_figure, stacked_histogram_figure
from .group_maps import GROUPS, Explained, explain, map_of, map_row, rows_figure, scan_row
from .model_training import write_learning_curves
from .nazari_networks import (
    ARCHITECTURE_CHOICE,
    DIVISION_CHOICE,
    SETS,
    SILENT_UNITS_CHOICE,
    START_CHOICE,
    departures,
    divide,
    limits,
    midway_of,
    plan_of,
    subgroup_ages,
    train_on,
    write_division,
)
from .nazari_tries import run_tries, summarize_tries
from .summary import Findings
from .tables import as_numbers, decimal, percent, shares_table, write_table
from .workspace import Workspace

PAPERS_SETS = (864, 144, 288)
SHARES = tuple(count / 1296 for count in PAPERS_SETS)
TREE_DEPTH, LEAST_IN_LEAF = 3, 5
SIGN = "relevance of the ipsilateral putamen"
LEARNED_CUT = "relevance of the ipsilateral putamen above a learned cut"
GRADIENTS = "integrated gradients of the ipsilateral putamen"
PUBLISHED = {  # by the network, by the sign of the putamen's relevance
    "accuracy": ("95.8 %", "96.9 %"),
    "sensitivity": ("92.8 %", "97.8 %"),
    "specificity": ("98.7 %", "96.0 %"),
    "positive_predictive_value": ("98.5 %", "not at hand"),
    "negative_predictive_value": ("93.7 %", "not at hand"),
}
CHOICES = [
    ARCHITECTURE_CHOICE,
    DIVISION_CHOICE,
    "The number of epochs is not given: training stops after 5 without a lower validation loss, and the best epoch's "
    "weights count.",
    START_CHOICE,
    SILENT_UNITS_CHOICE,
    "The second reading is also made with integrated gradients from the model's reference, the way of the maps that "
    "this software shows by default.",
    "A third reading takes a cut on the putamen's relevance in place of its sign: where a logistic fit to the "
    "validation scans finds both labels equally likely.",
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


@dataclass(frozen=True)
class Readings:
    """The test scans and what every way of reading says of them.

    Attributes:
        scans: prepared, in the workspace's order.
        explained: the network's answers and maps.
        cut: on the lower putamen's relevance, learned on the validation scans.
        answers: `(n,)` by way of reading, True for reduced.
    """

    scans: list[Prepared]
    explained: Explained
    cut: float
    answers: dict[str, np.ndarray]

    @cached_property
    def metrics(self) -> dict:
        """`classification_metrics` by way of reading."""
        return {name: classification_metrics(self.explained.truth, answer) for name, answer in self.answers.items()}


def run(workspace: Workspace) -> Findings:
    """The whole study."""
    form = workspace.form(FULL, QUICK)
    sets = divide(workspace, SHARES)
    plan = plan_of(workspace, "nazari2021-full", form.epochs, midway_of(workspace, sets))
    model = train_on(workspace, "full", plan, sets, form.patience)
    write_learning_curves(workspace, ["full"])
    test = _read(workspace, model, sets)
    tries = run_tries(workspace, plan, sets, form.patience, model, test.explained)
    _write_tables(workspace, test)
    differences = write_division(workspace, sets)
    _draw(workspace, test, model)
    found = {
        "balance_of_sets": differences,
        "largest_age_difference_by_subgroup": subgroup_ages(workspace, sets),
        **_results(test),
        "model": f"models/{model.folder.name}",
        "tries": tries,
    }
    return Findings(
        title="Relevance maps of a network for the whole brain",
        source="Nazari et al. 2021, Eur J Nucl Med Mol Imaging 49:1176",
        sizes={
            **{name: int((sets == k).sum()) for k, name in enumerate(SETS)},
            "network": plan.architecture,
            "epochs at most": plan.epochs,
        },
        comparison=[*_comparison(test), *summarize_tries(tries)],
        results=found,
        choices=CHOICES,
        deviations=departures(plan, PAPERS_SETS, sets),
        figures=["mean_maps", "putamen_relevance", "roc", "learning_curves"],
        warnings=limits(workspace),
    )


def _read(workspace, model, sets):
    """The test scans, read by the network, by its maps and by the numbers."""
    tested = np.flatnonzero(sets == 2)
    scans, truth = [workspace.scans[k] for k in tested], workspace.truth[tested]
    explained = explain(workspace, "test", model, scans, truth, gradients=True)
    cut = learned_cut(workspace, model, np.flatnonzero(sets == 1))
    answers = {
        "network": explained.difference > 0,
        SIGN: explained.putamen > 0,
        LEARNED_CUT: explained.putamen > cut,
        GRADIENTS: explained.gradients > 0,
        **conventional(workspace, sets),
    }
    return Readings(scans, explained, cut, answers)


def learned_cut(workspace: Workspace, model: Model, validation: np.ndarray) -> float:
    """The cut on the lower putamen's relevance from the validation scans, by their numbers in the workspace."""
    truth = workspace.truth[validation]
    explained = explain(workspace, "validation", model, [workspace.scans[k] for k in validation], truth)
    return cut_and_band(truth, explained.putamen)[0]


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


def _write_tables(workspace, test):
    folder = workspace.folder("tables")
    for name, shares in test.metrics.items():
        shares_table(folder / f"{name.replace(' ', '_').lower()}.csv", shares)
    numbers = ["logit_difference", "ipsilateral_putamen_relevance", "ipsilateral_putamen_integrated_gradients"]
    columns = ["case", "label", *numbers, *test.answers]
    explained = test.explained
    rows = [
        [
            one.case.name,
            one.case.label,
            explained.difference[k],
            explained.putamen[k],
            explained.gradients[k],
            *("reduced" if answer[k] else "normal" for answer in test.answers.values()),
        ]
        for k, one in enumerate(test.scans)
    ]
    write_table(folder / "test_answers.csv", columns, rows)


def _draw(workspace, test, model):
    folder, explained = workspace.folder("figures"), test.explained
    truth = explained.truth
    area = f"network, AUC {decimal(roc_auc(truth, explained.difference))}"
    putamen = f"putamen relevance, AUC {decimal(roc_auc(truth, explained.putamen))}"
    roc_figure(folder / "roc", {area: (truth, explained.difference), putamen: (truth, explained.putamen)})
    stacked_histogram_figure(  # figure 5
        folder / "putamen_relevance",
        {name.replace("_", " "): explained.putamen[explained.groups == k] for k, name in enumerate(GROUPS)},
        "Mean relevance of the ipsilateral putamen",
        {"the paper's cut": 0.0, "learned cut": test.cut},
    )
    limit = _limit(explained)
    strips = []
    for group in ("true_negative", "true_positive"):  # figure 3: the mean scan above its mean map
        name = f"{group.replace('_', ' ')}s (n = {explained.counts[group]})"
        strips.append((f"Mean scan of the {name}", scan_row(explained.scans[group], AXIAL_POSITIONS)))
        strips.append((f"Mean map of the {name}", map_row(explained.means[group], AXIAL_POSITIONS, limit)))
    strips.append(("Heat map: reduced minus normal", map_row(explained.heat, AXIAL_POSITIONS)))
    rows_figure(folder / "mean_maps", strips)
    _draw_misclassified(workspace, test, model)


def _limit(explained):
    """One scale of colors for both mean maps."""
    return max(relevance_limit(explained.means[group]) for group in ("true_negative", "true_positive"))


def _draw_misclassified(workspace, test, model):
    """Figure 4: every misclassified scan with its map beside the mean maps of both classes, a picture each."""
    scans, explained = test.scans, test.explained
    wrong = np.flatnonzero(test.answers["network"] != test.explained.truth)
    folder = workspace.folder("figures", "misclassified")
    missing = [k for k in wrong if not (folder / f"{scans[k].case.name}.pdf").exists()]
    if not missing:
        return
    classifier, limit = Classifier(model, workspace.device), _limit(explained)
    means = [
        (f"Mean map of the {group.replace('_', ' ')}s", map_row(explained.means[group], AXIAL_POSITIONS, limit))
        for group in ("true_negative", "true_positive")
    ]
    for k in missing:
        voxels = scans[k].load()
        relevance = map_of(classifier, voxels)
        strips = [
            ("Scan, the lower putamen on the left", scan_row(voxels, AXIAL_POSITIONS)),
            ("Its relevance, in colors of its own scale", map_row(relevance, AXIAL_POSITIONS)),
            *means,
        ]
        difference, putamen = explained.difference[k], explained.putamen[k]
        title = (
            f"{scans[k].case.name}: labelled {scans[k].case.label}, "
            f"answered {'reduced' if difference > 0 else 'normal'} "
            f"(logit difference {difference:+.2f}), relevance of the ipsilateral putamen {putamen:+.2g}"
        )
        rows_figure(folder / scans[k].case.name, strips, title)


def inconsistent(explained: Explained) -> dict[str, int]:
    """False answers, and how many of them the putamen's relevance contradicts."""
    wrong = (explained.difference > 0) != explained.truth
    return {
        "errors": int(wrong.sum()),
        "contradicted_by_relevance": int((wrong & ((explained.putamen > 0) == explained.truth)).sum()),
    }


def _results(test):
    """The measures of `summary.json` that are of the test scans."""
    explained, truth = test.explained, test.explained.truth
    return {
        "groups": {name: explained.counts[name] for name in GROUPS},
        "test": {name: as_numbers(shares) for name, shares in test.metrics.items()},
        "roc_auc": roc_auc(truth, explained.difference).as_dict(),
        "roc_auc_of_putamen_relevance": roc_auc(truth, explained.putamen).as_dict(),
        "learned_cut": test.cut,
        "errors": inconsistent(explained),
    }


def _comparison(test):
    """Lines of the main table: the network, the second reading by the map's sign, other readings."""
    metrics = test.metrics
    network = [
        (f"Network: {name.replace('_', ' ')}", paper, percent(metrics["network"][name]))
        for name, (paper, _) in PUBLISHED.items()
    ]
    sign = [
        (f"Sign of the putamen's relevance: {name}", PUBLISHED[name][1], percent(metrics[SIGN][name]))
        for name in ("accuracy", "sensitivity", "specificity")
    ]
    others = [
        (f"{name[0].upper()}{name[1:]}: accuracy", "not at hand", percent(metrics[name]["accuracy"]))
        for name in (LEARNED_CUT, GRADIENTS, "SBR of the lower putamen", "classification tree")
    ]
    contradicted = "{contradicted_by_relevance} of {errors}".format(**inconsistent(test.explained))
    return [
        *network,
        *sign,
        *others,
        ("Errors that the relevance contradicts", "7 of 10 false negatives", contradicted),
    ]
