"""Wenzel et al. 2019: a thick axial slab, and whether a network stays right when the camera's resolution changes.

Eur J Nucl Med Mol Imaging 46:2800. Networks are trained on the scans as they are, on copies smoothed by 18 mm, and on
both; two specific binding ratios with cut-offs from the same training scans are the comparison.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..evaluation.metrics import classification_metrics, youden_cutoff
from ..training.input_sets import ImageSet, Sets
from ..training.plans import Plan
from .model_training import logit_differences, trained_model, write_learning_curves
from .splits import allot
from .summary import Findings
from .wenzel_outcomes import (
    MEASURES,
    accuracies,
    comparisons,
    cut_offs,
    describe_test,
    draw,
    methods_of,
    networks_trained,
    shown,
    write_tables,
)
from .wenzel_samples import (
    METHODS,
    PAPER_NORMAL,
    PAPER_REDUCED,
    PREPROCESSING,
    SBR_METHODS,
    SETTINGS,
    Sample,
    samples,
)
from .workspace import Workspace

SHARES = (0.6, 0.2, 0.2)
PUBLISHED = {
    ("cnn", "original"): "97.2 ± 1.4 %",
    ("cnn", "smoothed"): "95.5 ± 0.9 %",
    ("cnn", "mixed"): "96.7 ± 1.8 %",
    ("aal", "original"): "95.7 ± 1.7 %",
    ("aal", "smoothed"): "95.2 ± 1.5 %",
    ("aal", "mixed"): "90.0 ± 2.9 %",
}
PUBLISHED_ACROSS = (("original", "smoothed", "62.9 %"), ("smoothed", "original", "94.5 %"))  # trained, tested
PUBLISHED_OF_MIXED = {"cnn": "similar", "aal": "p < 0.01", "hottest": "worse"}  # against the pure settings
CHOICES = [
    "The network has two unpadded convolutions a block, without bias: the only reading found that gives the paper's "
    "2,872,642 parameters.",
    "The slab is the mean of 6 slices of 2 mm around z = +4 mm; the lower putamen lies left, as in all networks.",
    "Adam with a rate of 3e-4 that falls along a cosine, batches of 16; the best validation loss counts.",
    "SBR is of the lower putamen; its cut-off has the largest Youden index in the 60 % training scans of a split.",
    "Mixed test sets hold both versions of every test scan.",
    "The abstract compares a method's settings with each other, by a test that it does not name: Wilcoxon's "
    "signed-rank test and Student's paired test over the splits. Splits share scans, so p is rather too small.",
    "Scans of one camera are the sample where the manifest's column site names one with the paper's numbers, or "
    "--camera names it; the other cameras' scans are then the independent sample.",
]


@dataclass(frozen=True)
class Form:
    """Sizes of the study; without `patience` all epochs are run."""

    splits: int
    epochs: int
    patience: int | None


FULL, QUICK = Form(10, 30, None), Form(2, 4, None)


def run(workspace: Workspace) -> Findings:
    """The whole study."""
    form = workspace.form(FULL, QUICK)
    sample, independent = samples(workspace)
    splits = [
        allot(sample.truth.tolist(), SHARES, np.random.default_rng([workspace.options.seed, number]))
        for number in range(form.splits)
    ]
    trained = form.splits if workspace.options.network_splits is None else workspace.options.network_splits
    lines, cuts = [], []
    for number, sets in enumerate(splits):
        for setting in SETTINGS:
            compute = partial(_both_sbr, sample, independent, sets, number, setting)
            found = workspace.finished(f"split_{number}_{setting}_sbr", compute)
            lines, cuts = lines + found["lines"], cuts + found["cuts"]
    names = [(number, setting) for number in range(min(trained, form.splits)) for setting in SETTINGS]
    for number, setting in names:
        compute = partial(_network, workspace, form, sample, independent, splits[number], number, setting)
        lines += workspace.finished(f"split_{number}_{setting}_network", compute)
    if names:
        write_learning_curves(workspace, [f"{setting}_{number}" for number, setting in names])
    write_tables(workspace, lines, cuts)
    draw(workspace, lines)
    return _findings(form, sample, independent, splits, lines, cuts)


def _network(workspace, form, sample, independent, sets, number, setting):
    """Train in one setting; its measures in every test setting, on the split and the independent scans."""
    training, validation, test = (np.flatnonzero(sets == k) for k in range(3))
    plan = Plan(
        "wenzel2019",
        PREPROCESSING,
        epochs=form.epochs,
        batch_size=16,
        learning_rate=3e-4,
        decay=True,
        seed=workspace.options.seed + 1000 * number,
    )

    def image_set(scans):
        images, truth = sample.stacked(scans, setting, "cnn")
        return ImageSet(images, truth.astype(np.int64))

    model = trained_model(
        workspace,
        f"{setting}_{number}",
        plan,
        [sample.scans[k] for k in training],
        lambda: Sets(image_set(training), image_set(validation)),
        form.patience,
    )
    score_of = partial(logit_differences, workspace, model, plan)
    return _lines("cnn", setting, number, 0.0, score_of, _tests(sample, test, independent))


def _both_sbr(sample, independent, sets, number, setting):
    """Cut-offs of both SBR in one setting, and their measures as of the network."""
    training, test = np.flatnonzero(sets == 0), np.flatnonzero(sets == 2)
    found = {"lines": [], "cuts": []}
    for method in SBR_METHODS:
        sbr, truth = sample.stacked(training, setting, method)
        limit = youden_cutoff(truth, -sbr)
        found["lines"] += _lines(method, setting, number, limit, np.negative, _tests(sample, test, independent))
        found["cuts"].append([number, setting, method, -limit])
    return found


def _tests(sample, test, independent):
    """`{place: (sample, numbers of its scans)}`."""
    tests: dict[str, tuple[Sample, np.ndarray]] = {"split": (sample, test)}
    if independent is not None:
        tests["independent"] = (independent, np.arange(len(independent.truth)))
    return tests


def _lines(method, setting, number, limit, score_of, tests):
    """Measures of a method trained in one setting, a line for each place and test setting."""
    lines = []
    for place, (of, scans) in tests.items():
        for tested in SETTINGS:
            values, truth = of.stacked(scans, tested, method)
            metrics = classification_metrics(truth, score_of(values) >= limit)
            shares = [metrics[name].value if metrics[name] else None for name in MEASURES]
            lines.append([place, method, setting, tested, number, *shares])
    return lines


def _findings(form, sample, independent, splits, lines, cuts):
    settings, methods = comparisons(lines)
    networks = networks_trained(lines)
    places = ["split"] if independent is None else ["split", "independent"]
    return Findings(
        title="Thick slab: robust to the camera's resolution?",
        source="Wenzel et al. 2019, Eur J Nucl Med Mol Imaging 46:2800",
        sizes={
            "splits": form.splits,
            "splits with a trained network": networks,
            "epochs": form.epochs,
            "scans": f"{(~sample.truth).sum()} normal and {sample.truth.sum()} reduced ({sample.what})",
            **{name: int((splits[0] == k).sum()) for k, name in enumerate(("training", "validation", "test"))},
            "independent": "none" if independent is None else f"{len(independent.truth)} ({independent.what})",
        },
        comparison=_comparison(lines, settings, places),
        results={
            "accuracy": {place: accuracies(lines, place) for place in places},
            "mixed_minus_pure": settings,
            "cnn_minus_sbr": methods,
            "cut_offs": cut_offs(cuts),
        },
        choices=CHOICES,
        deviations=_deviations(form, sample, networks),
        figures=["accuracy", "cross_testing_cnn", "cross_testing_aal"],
        warnings=_warnings(networks, form),
    )


def _comparison(lines, settings, places):
    """Lines of the main table: accuracies, the network across settings, tests of the mixed setting, other scans."""
    found = [
        (
            f"{METHODS[method]}, {setting}: accuracy",
            PUBLISHED.get((method, setting), "not at hand"),
            shown(lines, "split", method, setting, setting),
        )
        for setting in SETTINGS
        for method in METHODS
    ]
    for trained, tested, published in PUBLISHED_ACROSS:
        here = shown(lines, "split", "cnn", trained, tested)
        found.append((f"CNN trained on {trained}, tested on {tested}", published, here))
    for method, name in methods_of(lines).items():
        for pure in ("original", "smoothed"):
            here = describe_test(settings[method][pure])
            found.append((f"{name}, mixed minus {pure}", PUBLISHED_OF_MIXED[method], here))
    if "independent" in places:
        for method, name in METHODS.items():
            here = shown(lines, "independent", method, "mixed", "original")
            found.append((f"{name} of the mixed setting, independent scans", "not at hand", here))
    return found


def _warnings(networks, form):
    if networks >= 6:
        return []
    return [f"The network was trained in {networks} of {form.splits} splits: too few to compare it with SBR."]


def _deviations(form, sample, networks):
    """Where the run departs from the paper, one sentence each."""
    found = []
    reduced, normal = int(sample.truth.sum()), int((~sample.truth).sum())
    if (reduced, normal) != (PAPER_REDUCED, PAPER_NORMAL):
        found.append(
            f"{normal} normal and {reduced} reduced scans; the paper had {PAPER_NORMAL} and {PAPER_REDUCED}."
        )
    sites = sorted({one.case.site for one in sample.scans if one.case.site})
    if len(sites) > 1:
        found.append(
            f"The scans come from {len(sites)} cameras ({', '.join(sites)}), PPMI's are nearly of one kind: the "
            "original setting is mixed already, which lowers SBR with one cut-off. --camera chooses one."
        )
    if (form.splits, form.epochs) != (FULL.splits, FULL.epochs):
        found.append(f"{form.splits} splits of {form.epochs} epochs in place of {FULL.splits} and {FULL.epochs}.")
    if networks < form.splits:
        found.append(
            f"The network was trained in the first {networks} of {form.splits} splits; both SBR are of all of them."
        )
    return found
