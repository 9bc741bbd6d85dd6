"""Kim et al. 2018: one axial slice, Inception v3 of ImageNet, only the top layer retrained.

Nucl Med Commun 39:887. The paper's promise is that little data is enough: 54 scans of either class, 44 copies each.
"""

from dataclasses import dataclass

import numpy as np

from ..classification.weights import write_weights
from ..evaluation.metrics import classification_metrics, roc_auc, youden_cutoff
from ..mni.atlas import GRID_AFFINE, load_atlas
from .figures import histogram_figure, learning_figure, pictures_figure, roc_band, roc_figure
from .heads import top_layer_scores, train_top_layer
from .inception import RANDOM_WARNING, cached_features, load_extractor
from .picture_augmentation import KIM_COPIES, kim_copies
from .slices import axial_picture, chosen_slice, random_slice, unmirrored
from .splits import allot, balanced
from .summary import Findings
from .tables import as_numbers, decimal, percent, shares_table, write_table
from .workspace import Workspace, truth_of

TEST_SHARE = 45 / 153  # 27 abnormal and 18 normal scans beside 54 and 54 for training
PARTS = (0.8, 0.1, 0.1)  # of the training scans: training, validation, internal test
LEARNING_RATE, BATCH_SIZE = 0.01, 100
UNUSED = ("excluded", "inconclusive")  # for balance of the classes; by the manifest
YES = ("1", "yes", "true", "y")
CHOICES = [
    "The slice is the axial one with most specific uptake in the striatal regions of the scan in MNI space; a column "
    "slice_z of the manifest (mm) names one chosen by hand, as in the paper.",
    "The picture's window is fixed, 0 to 5 times the reference region; the paper's is not given.",
    "44 copies: the picture and 21 random changes (rotation to 15 degrees, scale to 10 %, shear to 0.1), and all "
    "flipped left to right.",
    "The 80/10/10 parts are of scans, not of copies, so that copies of one scan never lie on both sides.",
    "Test scans are a stratified share of 45/153 drawn first; classes are balanced among the rest only.",
    "Batches of 100 pictures, as in the tool the paper used.",
    "Youden's index chooses the threshold on the probability of normal, below which a scan is abnormal. As in the "
    "paper it is read off the ROC curve of the test scans themselves, which flatters it; the figures at 0.5 do not "
    "have this fault.",
    "Inconclusive scans are excluded as in the paper: those that the manifest marks in a column inconclusive, or "
    "whose subtype is borderline.",
]


@dataclass(frozen=True)
class Form:
    """Sizes of the study."""

    copies: int
    iterations: int
    bootstrap: int


FULL, QUICK = Form(KIM_COPIES, 2000, 2000), Form(4, 400, 200)


def run(workspace: Workspace) -> Findings:
    """The whole study."""
    form = workspace.form(FULL, QUICK)
    extractor = load_extractor(workspace)
    roles = divide(workspace.truth, workspace.options.seed, inconclusive(workspace))
    pictures, slices = _pictures(workspace)
    used = np.flatnonzero(~np.isin(roles, UNUSED))

    def copies_of(index):
        scan = used[index]
        copies = 1 if roles[scan] == "test" else form.copies
        return (
            kim_copies(pictures[scan], workspace.options.seed + 7919 * int(scan), copies)
            if copies > 1
            else (pictures[scan][None].astype(np.float32))
        )

    names = [workspace.scans[scan].case.name for scan in used]
    features = dict(zip(used, cached_features(workspace, extractor, names, copies_of), strict=True))
    fitted = workspace.finished("top_layer", lambda: _fit(workspace, form, roles, features))
    truth, score = workspace.truth[roles == "test"], np.array(fitted["scores"])
    results = evaluate(truth, score)
    _write_tables(workspace, roles, slices, score, results)
    _draw(workspace, form, truth, score, results, fitted["curve"], pictures)
    return _findings(workspace, form, extractor, roles, results, fitted)


def inconclusive(workspace: Workspace) -> np.ndarray:
    """bool, which scans the manifest calls inconclusive (column `inconclusive`) or borderline (column `subtype`)."""
    others = [one.case.other for one in workspace.scans]
    return np.array(
        [
            other.get("inconclusive", "").strip().lower() in YES or other.get("subtype") == "borderline"
            for other in others
        ]
    )


def divide(truth: np.ndarray, seed: int, left_out: np.ndarray | None = None) -> np.ndarray:
    """Role of each scan: `training`, `validation`, `internal test`, `test`, or one of `UNUSED`.

    Args:
        left_out: bool, the inconclusive scans.
    """
    random = np.random.default_rng(seed)
    roles = np.full(truth.size, "excluded", dtype="<U13")
    conclusive = np.arange(truth.size) if left_out is None else np.flatnonzero(~left_out)
    roles[np.setdiff1d(np.arange(truth.size), conclusive)] = "inconclusive"
    is_test = allot(truth[conclusive].tolist(), (1 - TEST_SHARE, TEST_SHARE), random) == 1
    roles[conclusive[is_test]] = "test"
    rest = conclusive[~is_test]
    kept = rest[balanced(truth[rest], random)]
    parts = allot(truth[kept].tolist(), PARTS, random)
    roles[kept] = np.array(["training", "validation", "internal test"])[parts]
    return roles


def labelled_features(features: dict, truth: np.ndarray, scans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features `(n, 2048)` of all copies of some scans, and for each copy its scan's label."""
    counts = [len(features[scan]) for scan in scans]
    return np.concatenate([features[scan] for scan in scans]), np.repeat(truth[scans], counts)


def evaluate(truth: np.ndarray, score: np.ndarray) -> dict:
    """Area, the threshold from the ROC curve, and the shares at it and at 0.5.

    `threshold` is of the probability of reduced, from which on a scan is abnormal; `threshold_on_normal`, as in the
    paper, of the probability of normal, up to which it is abnormal.
    """
    threshold = youden_cutoff(truth, score)
    return {
        "roc_auc": roc_auc(truth, score),
        "threshold": threshold,
        "threshold_on_normal": 1 - threshold,
        "at_threshold": classification_metrics(truth, score >= threshold),
        "at_half": classification_metrics(truth, score >= 0.5),
    }


def _pictures(workspace):
    """8-bit picture of every scan, and the index of its slice."""
    atlas, pictures, slices = load_atlas(), [], []
    random = np.random.default_rng(workspace.options.seed) if workspace.options.random_slice else None
    for one in workspace.scans:
        voxels = unmirrored(one)
        slices.append(random_slice(random, atlas) if random else chosen_slice(one, voxels, atlas))
        pictures.append(axial_picture(voxels, slices[-1]))
    return pictures, slices


def _fit(workspace, form, roles, features):
    """Train the top layer on all copies; scores of the test scans and the internal test's accuracy."""

    def of(role):
        return labelled_features(features, workspace.truth, np.flatnonzero(roles == role))

    layer, curve = train_top_layer(
        of("training"), of("validation"), form.iterations, LEARNING_RATE, BATCH_SIZE, workspace.options.seed
    )
    write_weights(workspace.folder("models") / "top_layer.safetensors", layer.state_dict())
    internal, truth = of("internal test")
    right = (top_layer_scores(layer, internal) >= 0.5) == truth
    return {
        "curve": curve,
        "internal_test_accuracy": float(right.mean()),
        "scores": top_layer_scores(layer, of("test")[0]).tolist(),
    }


def _write_tables(workspace, roles, slices, score, results):
    folder = workspace.folder("tables")
    scores = iter(score)
    rows = [
        [
            one.case.name,
            one.case.label,
            role,
            GRID_AFFINE[2, 3] + GRID_AFFINE[2, 2] * index,
            None if role != "test" else 1 - next(scores),
        ]
        for one, role, index in zip(workspace.scans, roles, slices, strict=True)
    ]
    write_table(folder / "scans.csv", ["case", "label", "role", "slice_z", "probability_normal"], rows)
    shares_table(folder / "at_threshold.csv", results["at_threshold"])
    shares_table(folder / "at_0.5.csv", results["at_half"])
    truth = truth_of([one for one, role in zip(workspace.scans, roles, strict=True) if role == "test"])
    answer = score >= results["threshold"]
    rows = [
        [name, int((of_answer & truth).sum()), int((of_answer & ~truth).sum())]
        for name, of_answer in (("reduced", answer), ("normal", ~answer))
    ]
    write_table(folder / "contingency.csv", ["answer", "labelled reduced", "labelled normal"], rows)


def _draw(workspace, form, truth, score, results, curve, pictures):
    from sklearn.metrics import roc_curve

    folder, seed = workspace.folder("figures"), workspace.options.seed
    rest, sensitivity, cuts = roc_curve(truth, score, drop_intermediate=False)
    place = np.flatnonzero(cuts >= results["threshold"])[-1]
    legend = f"AUC {decimal(results['roc_auc'])}"
    band = roc_band(truth, score, form.bootstrap, seed)
    roc_figure(folder / "roc", {legend: (truth, score)}, band, (rest[place], sensitivity[place]))
    histogram_figure(folder / "scores", truth, 1 - score, "Probability of normal", results["threshold_on_normal"])
    learning_figure(
        folder / "learning_curve",
        {name.split("_")[0]: (curve["iteration"], curve[name]) for name in ("training_loss", "validation_loss")},
        "Iteration",
        "Cross entropy",
    )
    copies = kim_copies(pictures[0], seed, KIM_COPIES)
    pictures_figure(folder / "augmentation", list(copies), [f"copy {k + 1}" for k in range(len(copies))], 11)


def _findings(workspace, form, extractor, roles, results, fitted):
    warnings = [RANDOM_WARNING] if extractor.is_random else []
    if workspace.options.random_slice:
        warnings.append("The slice of each scan is a random one through the striatum, not the representative one.")
    at, half = results["at_threshold"], results["at_half"]
    counts = {role: int((roles == role).sum()) for role in np.unique(roles)}
    return Findings(
        title="One slice, Inception v3, top layer retrained",
        source="Kim et al. 2018, Nucl Med Commun 39:887",
        sizes={
            **{f"{role} scans": count for role, count in counts.items()},
            "copies": form.copies,
            "iterations": form.iterations,
        },
        comparison=[
            ("Test scans", "45 (27 abnormal)", f"{counts['test']}"),
            ("ROC AUC", "0.87", decimal(results["roc_auc"])),
            ("Threshold on the probability of normal", "0.395", f"{results['threshold_on_normal']:.3f}"),
            ("Inconclusive scans excluded", "yes", f"{counts.get('inconclusive', 0)}"),
            ("Sensitivity at it", "96.3 %", percent(at["sensitivity"])),
            ("Specificity at it", "66.7 %", percent(at["specificity"])),
            ("Positive predictive value at it", "81.3 %", percent(at["positive_predictive_value"])),
            ("Negative predictive value at it", "92.3 %", percent(at["negative_predictive_value"])),
            ("Accuracy at 0.5", "not given", percent(half["accuracy"])),
        ],
        results={
            "weights": extractor.source,
            "scans_by_role": counts,
            "roc_auc": results["roc_auc"].as_dict(),
            "threshold": results["threshold"],
            "threshold_on_normal": results["threshold_on_normal"],
            "at_threshold": as_numbers(at),
            "at_0.5": as_numbers(half),
            "internal_test_accuracy": fitted["internal_test_accuracy"],
        },
        choices=CHOICES,
        figures=["roc", "scores", "learning_curve"],
        warnings=warnings,
    )
