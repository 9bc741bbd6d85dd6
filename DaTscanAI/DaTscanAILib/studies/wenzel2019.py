"""Wenzel et al. 2019: a thick axial slab, and whether a network stays right when the camera's resolution changes.

Eur J Nucl Med Mol Imaging 46:2800. Networks are trained on the scans as they are, on copies smoothed by 18 mm, and on
both; two specific binding ratios with cut-offs from the same training scans are the comparison.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..base.parallel import in_order
from ..classification.preprocessing import Preprocessing
from ..evaluation.metrics import classification_metrics, youden_cutoff
from ..mni.atlas import SIDES, load_atlas
from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML, hottest_voxels_mean
from ..training.augmentation import smooth_to
from ..training.input_sets import ImageSet, Sets
from ..training.plans import Plan
from .figures import matrix_figure, points_figure
from .model_training import logit_differences, trained_model, write_learning_curves
from .splits import allot
from .summary import Findings
from .tables import mean_and_deviation, percent, write_table
from .workspace import Workspace, truth_of

SHARES = (0.6, 0.2, 0.2)
FWHM = 18.0  # mm
KINDS = ("original", "smoothed")
SETTINGS = {"original": ("original",), "smoothed": ("smoothed",), "mixed": KINDS}
METHODS = {"cnn": "CNN", "aal": "AAL-SBR", "hottest": "Hottest-voxels SBR"}
MEASURES = ("accuracy", "sensitivity", "specificity")
PREPROCESSING = Preprocessing(box="slab")
PUBLISHED = {
    ("cnn", "original"): "97.2 ± 1.4 %",
    ("cnn", "smoothed"): "95.5 ± 0.9 %",
    ("cnn", "mixed"): "96.7 ± 1.8 %",
    ("aal", "original"): "95.7 ± 1.7 %",
    ("aal", "smoothed"): "95.2 ± 1.5 %",
    ("aal", "mixed"): "90.0 ± 2.9 %",
}
CHOICES = [
    "The network has two unpadded convolutions a block, without bias: the only reading found that gives the paper's "
    "2,872,642 parameters.",
    "The slab is the mean of 6 slices of 2 mm around z = +4 mm; the lower putamen lies left, as in all networks.",
    "Adam with a rate of 3e-4 that falls along a cosine, batches of 16; best validation loss, early stop.",
    "SBR is of the lower putamen; its cut-off has the largest Youden index in the 60 % training scans of a split.",
    "Mixed test sets hold both versions of every test scan.",
    "Pairs of methods are compared by Wilcoxon's signed-rank test of their accuracies over the splits, which share "
    "scans: its p values are too small rather than too large.",
]


@dataclass(frozen=True)
class Form:
    """Sizes of the study."""

    splits: int
    epochs: int
    patience: int


FULL, QUICK = Form(10, 30, 8), Form(2, 4, 4)


def run(workspace: Workspace) -> Findings:
    """The whole study."""
    form = workspace.form(FULL, QUICK)
    data = _measured(workspace, workspace.scans, "slabs")
    other = _independent(workspace)
    splits = [
        allot(workspace.truth.tolist(), SHARES, np.random.default_rng([workspace.options.seed, number]))
        for number in range(form.splits)
    ]
    records = []
    for number, sets in enumerate(splits):
        for setting in SETTINGS:
            compute = partial(_one_training, workspace, form, data, other, sets, number, setting)
            records.append(workspace.finished(f"split_{number}_{setting}", compute))
    write_learning_curves(workspace, [f"{setting}_{k}" for k in range(form.splits) for setting in SETTINGS])
    lines = [line for record in records for line in record["lines"]]
    _write_tables(workspace, lines)
    _draw(workspace, lines, form)
    return _findings(form, splits, lines)


def measure(voxels: np.ndarray) -> dict[str, tuple]:
    """Slab, AAL-SBR and hottest-voxels SBR of the lower putamen of a scan as it is and smoothed by 18 mm.

    Args:
        voxels: `(91, 109, 91)` normalized.
    """
    atlas, found = load_atlas(), {}
    for kind in KINDS:
        one = voxels if kind == "original" else smooth_to(voxels, FWHM, atlas.reference)
        aal = min(one[atlas.anatomical_region("putamen", side)].mean(dtype=float) for side in SIDES) - 1
        hottest = (
            min(
                hottest_voxels_mean(one[atlas.hottest_voxels_region("putamen", side)], HOTTEST_VOLUME_ML["putamen"])
                for side in SIDES
            )
            - 1
        )
        found[kind] = (PREPROCESSING.apply(one, atlas, one).astype(np.float16), float(aal), float(hottest))
    return found


def _measure_scan(one):
    return measure(one.load())


def _measured(workspace, scans, name):
    """Arrays `cnn_KIND` (slabs), `aal_KIND`, `hottest_KIND` of all scans."""

    def compute():
        found = list(in_order(_measure_scan, scans, workspace.options.workers))
        return {
            f"{method}_{kind}": np.array([one[kind][place] for one in found])
            for kind in KINDS
            for place, method in enumerate(METHODS)
        }

    workspace.say(f"slabs and SBR of {len(scans)} scans")
    return workspace.finished_arrays(name, compute)


def _independent(workspace):
    """Data and truth of the independent manifest; None without one."""
    if workspace.options.independent is None:
        return None
    scans, failed = workspace.prepare(workspace.options.independent, "prepared_independent")
    for name, reason in failed.items():
        workspace.say(f"{name} of the independent manifest is left out: {reason}")
    return _measured(workspace, scans, "slabs_independent"), truth_of(scans)


def _one_training(workspace, form, data, other, sets, number, setting):
    """Train in one setting; every method's measures in every test setting, on the split and the independent scans."""
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
        images, truth = _stacked(data, workspace.truth, scans, setting, "cnn")
        return ImageSet(images, truth.astype(np.int64))

    model = trained_model(
        workspace,
        f"{setting}_{number}",
        plan,
        [workspace.scans[k] for k in training],
        lambda: Sets(image_set(training), image_set(validation)),
        form.patience,
    )
    cuts = {"cnn": 0.0}
    for method in ("aal", "hottest"):
        sbr, truth = _stacked(data, workspace.truth, training, setting, method)
        cuts[method] = youden_cutoff(truth, -sbr)
    tests = {"split": (data, workspace.truth, test)}
    if other is not None:
        tests["independent"] = (*other, np.arange(len(other[1])))
    lines = []
    for place, (arrays, labels, scans) in tests.items():
        for tested in SETTINGS:
            for method, cut in cuts.items():
                values, truth = _stacked(arrays, labels, scans, tested, method)
                score = logit_differences(workspace, model, plan, values) if method == "cnn" else -values
                metrics = classification_metrics(truth, score >= cut)
                shares = [metrics[name].value if metrics[name] else None for name in MEASURES]
                lines.append([place, method, setting, tested, number, *shares])
    return {"lines": lines}


def _stacked(data, truth, scans, setting, method):
    """Values of a method and labels of the scans in all versions that a setting has."""
    kinds = SETTINGS[setting]
    return np.concatenate([data[f"{method}_{kind}"][scans] for kind in kinds]), np.tile(truth[scans], len(kinds))


def _select(lines, place, method, trained, tested, measure_name="accuracy"):
    """A measure over the splits."""
    column = 5 + MEASURES.index(measure_name)
    return np.array([line[column] for line in lines if line[:4] == [place, method, trained, tested]], float)


def compare(first: np.ndarray, second: np.ndarray) -> dict:
    """Mean difference of accuracies over the same splits and Wilcoxon's p (1 where all are equal)."""
    from scipy.stats import wilcoxon

    difference = first - second
    p = float(wilcoxon(difference).pvalue) if np.any(difference) else 1.0
    return {"mean_difference": float(difference.mean()), "p": p, "splits": len(difference)}


def _write_tables(workspace, lines):
    folder = workspace.folder("tables")
    names = ["test_scans", "method", "trained_on", "tested_on"]
    write_table(folder / "splits.csv", [*names, "split", *MEASURES], lines)
    rows = []
    for place, method, trained, tested in dict.fromkeys(tuple(line[:4]) for line in lines):
        row = [place, METHODS[method], trained, tested]
        for name in MEASURES:
            values = mean_and_deviation(_select(lines, place, method, trained, tested, name))
            row += [values["mean"], values["sd"]]
        rows.append(row)
    header = [f"{name}_{part}" for name in MEASURES for part in ("mean", "sd")]
    write_table(folder / "cross_testing.csv", [*names, *header], rows)


def _draw(workspace, lines, form):
    folder = workspace.folder("figures")
    groups = {
        f"{METHODS[method]}, {setting}": 100 * _select(lines, "split", method, setting, setting)
        for setting in SETTINGS
        for method in METHODS
    }
    points_figure(folder / "accuracy", groups, f"Accuracy in percent, {form.splits} splits")
    for place in dict.fromkeys(line[0] for line in lines):
        for method, name in METHODS.items():
            values = np.array(
                [
                    [_select(lines, place, method, trained, tested).mean() for tested in SETTINGS]
                    for trained in SETTINGS
                ]
            )
            suffix = "" if place == "split" else f"_{place}"
            path = folder / f"cross_testing_{method}{suffix}"
            matrix_figure(path, values, list(SETTINGS), list(SETTINGS), "Tested on", f"{name} trained on")


def _findings(form, splits, lines):
    places = dict.fromkeys(line[0] for line in lines)
    comparison = [
        (
            f"{METHODS[method]}, {setting}: accuracy",
            PUBLISHED.get((method, setting), "not at hand"),
            percent(mean_and_deviation(_select(lines, "split", method, setting, setting))),
        )
        for setting in SETTINGS
        for method in METHODS
    ]
    for trained, tested, published in (("original", "smoothed", "62.9 %"), ("smoothed", "original", "94.5 %")):
        here = percent(mean_and_deviation(_select(lines, "split", "cnn", trained, tested)))
        comparison.append((f"CNN trained on {trained}, tested on {tested}", published, here))
    if "independent" in places:
        here = percent(mean_and_deviation(_select(lines, "independent", "cnn", "mixed", "original")))
        comparison.append(("CNN trained on mixed, independent scans", "not at hand", here))
    accuracies = {
        place: {
            method: {
                trained: {
                    tested: mean_and_deviation(_select(lines, place, method, trained, tested)) for tested in SETTINGS
                }
                for trained in SETTINGS
            }
            for method in METHODS
        }
        for place in places
    }
    pairs = {
        setting: {
            other: compare(*(_select(lines, "split", method, setting, setting) for method in ("cnn", other)))
            for other in ("aal", "hottest")
        }
        for setting in SETTINGS
    }
    return Findings(
        title="Thick slab: robust to the camera's resolution?",
        source="Wenzel et al. 2019, Eur J Nucl Med Mol Imaging 46:2800",
        sizes={
            "splits": form.splits,
            "epochs": form.epochs,
            **{name: int((splits[0] == k).sum()) for k, name in enumerate(("training", "validation", "test"))},
        },
        comparison=comparison,
        results={"accuracy": accuracies, "cnn_minus_sbr": pairs},
        choices=CHOICES,
        figures=["accuracy", "cross_testing_cnn", "cross_testing_aal"],
        warnings=[f"{form.splits} splits are too few for a comparison of methods."] if form.splits < 6 else [],
    )
