"""Kim et al. 2018: one axial slice, Inception v3 of ImageNet, only the top layer retrained.

Nucl Med Commun 39:887. The paper's promise is that little data is enough: 54 scans of either class, 44 copies each.
"""

from dataclasses import dataclass

import numpy as np

from ..evaluation.metrics import classification_metrics, roc_auc, youden_cutoff
from ..mni.atlas import GRID_AFFINE, load_atlas
from .figures import histogram_figure, learning_figure, pictures_figure, roc_band, roc_figure
from .inception import RANDOM_WARNING, departures, load_extractor
from .kim_training import train_and_score
from .linear_control import PIXELS, block_means, linear_scores
from .picture_augmentation import KIM_COPIES, kim_copies
from .slices import SLICE_COLUMN, axial_picture, chosen_slice, random_slice, unmirrored
from .splits import allot, balanced
from .summary import Findings
from .tables import as_numbers, decimal, percent, shares_table, write_table
from .workspace import Workspace

PAPERS_TRAINING, PAPERS_TEST = (54, 54), (27, 18)  # abnormal and normal scans
TEST_SHARE = 45 / 153  # where there are fewer
PARTS = (0.8, 0.1, 0.1)  # of the training scans: training, validation, internal test
YES = ("1", "yes", "true", "y")
CHOICES = [
    "The picture's window is fixed, 0 to 5 times the reference region; the paper's is not given.",
    "44 copies: the picture and 21 random changes (rotation to 15 degrees, scale to 10 %, shear to 0.1), and all "
    "flipped left to right.",
    "The 80/10/10 parts are of scans, not of copies, so that copies of one scan never lie on both sides.",
    "Where there are as many scans of both classes as in the paper, as many are drawn at random. Of fewer, the test "
    "scans are a stratified share of 45/153 drawn first; classes are balanced among the rest only.",
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
    pictures, slices = _pictures(workspace, workspace.options.random_slice)
    fitted = train_and_score(workspace, form, extractor, roles, pictures)
    truth, score = workspace.truth[roles == "test"], np.array(fitted["scores"])
    results = evaluate(truth, score)
    controls = _controls(workspace, form, extractor, roles, pictures) if workspace.options.controls else {}
    _write_tables(workspace, roles, slices, score, results, controls)
    _draw(workspace, form, truth, score, results, fitted["curve"], pictures)
    return _findings(workspace, form, extractor, roles, results, fitted, controls)


def _controls(workspace, form, extractor, roles, pictures):
    """`{name: results of evaluate}` with random weights, with a random slice, and of the pixels without Inception."""
    truth, found = workspace.truth[roles == "test"], {}
    if not extractor.is_random:
        weightless = load_extractor(workspace, random=True)
        fitted = train_and_score(workspace, form, weightless, roles, pictures, "_random_weights")
        found["random weights"] = evaluate(truth, np.array(fitted["scores"]))
    if not workspace.options.random_slice:
        others, _ = _pictures(workspace, at_random=True)
        fitted = train_and_score(workspace, form, extractor, roles, others, "_random_slice")
        found["random slice"] = evaluate(truth, np.array(fitted["scores"]))
    means, training = block_means(pictures), roles == "training"
    scores = linear_scores(means[training], workspace.truth[training], means[roles == "test"])
    found[PIXELS] = evaluate(truth, scores)
    return found


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

    As many scans as the paper had where there are as many, else all that balance leaves.

    Args:
        left_out: bool, the inconclusive scans.
    """
    random = np.random.default_rng(seed)
    roles = np.full(truth.size, "excluded", dtype="<U13")
    conclusive = np.arange(truth.size) if left_out is None else np.flatnonzero(~left_out)
    roles[np.setdiff1d(np.arange(truth.size), conclusive)] = "inconclusive"
    test, kept = _drawn(truth, conclusive, random)
    roles[test] = "test"
    parts = allot(truth[kept].tolist(), PARTS, random)
    roles[kept] = np.array(["training", "validation", "internal test"])[parts]
    return roles


def _drawn(truth, scans, random):
    """Scans for the test, and those for training, validation and internal test."""
    classes = [random.permutation(scans[truth[scans] == of_class]) for of_class in (True, False)]
    sizes = list(zip(PAPERS_TEST, PAPERS_TRAINING, strict=True))
    if all(len(members) >= sum(counts) for members, counts in zip(classes, sizes, strict=True)):
        parts = [
            np.split(members, [test, test + training])
            for members, (test, training) in zip(classes, sizes, strict=True)
        ]
        return tuple(np.sort(np.concatenate([of_class[k] for of_class in parts])) for k in (0, 1))
    is_test = allot(truth[scans].tolist(), (1 - TEST_SHARE, TEST_SHARE), random) == 1
    rest = scans[~is_test]
    return scans[is_test], rest[balanced(truth[rest], random)]


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


def _pictures(workspace, at_random):
    """8-bit picture of every scan, and the index of its slice."""
    atlas, pictures, slices = load_atlas(), [], []
    random = np.random.default_rng(workspace.options.seed) if at_random else None
    for one in workspace.scans:
        voxels = unmirrored(one)
        slices.append(random_slice(random, atlas) if random else chosen_slice(one, voxels, atlas))
        pictures.append(axial_picture(voxels, slices[-1]))
    return pictures, slices


def _write_tables(workspace, roles, slices, score, results, controls):
    folder = workspace.folder("tables")
    normal = np.full(len(roles), None, dtype=object)
    normal[roles == "test"] = 1 - score
    rows = [
        [one.case.name, one.case.label, role, GRID_AFFINE[2, 3] + GRID_AFFINE[2, 2] * index, probability]
        for one, role, index, probability in zip(workspace.scans, roles, slices, normal, strict=True)
    ]
    write_table(folder / "scans.csv", ["case", "label", "role", "slice_z", "probability_normal"], rows)
    shares_table(folder / "at_threshold.csv", results["at_threshold"])
    shares_table(folder / "at_0.5.csv", results["at_half"])
    rows = [
        [name, one["roc_auc"].value, one["roc_auc"].low, one["roc_auc"].high, one["at_half"]["accuracy"].value]
        for name, one in {"study": results, **controls}.items()
    ]
    write_table(folder / "controls.csv", ["run", "roc_auc", "low", "high", "accuracy_at_0.5"], rows)
    truth = workspace.truth[roles == "test"]
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


def _findings(workspace, form, extractor, roles, results, fitted, controls):
    warnings = [RANDOM_WARNING] if extractor.is_random else []
    if workspace.options.random_slice:
        warnings.append("The slice of each scan is a random one through the striatum, not the representative one.")
    counts = {role: int((roles == role).sum()) for role in np.unique(roles)}
    return Findings(
        title="One slice, Inception v3, top layer retrained",
        source="Kim et al. 2018, Nucl Med Commun 39:887",
        sizes={
            **{f"{role} scans": count for role, count in counts.items()},
            "copies": form.copies,
            "iterations": form.iterations,
        },
        comparison=_comparison(counts, results, controls),
        results={
            "weights": extractor.source,
            "scans_by_role": counts,
            "roc_auc": results["roc_auc"].as_dict(),
            "threshold": results["threshold"],
            "threshold_on_normal": results["threshold_on_normal"],
            "at_threshold": as_numbers(results["at_threshold"]),
            "at_0.5": as_numbers(results["at_half"]),
            "internal_test_accuracy": fitted["internal_test_accuracy"],
            "controls": {name: one["roc_auc"].as_dict() for name, one in controls.items()},
        },
        choices=CHOICES,
        deviations=_deviations(workspace, roles, extractor),
        figures=["roc", "scores", "learning_curve"],
        warnings=warnings,
    )


def _comparison(counts, results, controls):
    """Lines of the main table."""
    at = results["at_threshold"]
    return [
        ("Test scans", "45 (27 abnormal)", f"{counts['test']}"),
        ("ROC AUC", "0.87", decimal(results["roc_auc"])),
        ("Threshold on the probability of normal", "0.395", f"{results['threshold_on_normal']:.3f}"),
        ("Inconclusive scans excluded", "yes", f"{counts.get('inconclusive', 0)}"),
        ("Sensitivity at it", "96.3 %", percent(at["sensitivity"])),
        ("Specificity at it", "66.7 %", percent(at["specificity"])),
        ("Positive predictive value at it", "81.3 %", percent(at["positive_predictive_value"])),
        ("Negative predictive value at it", "92.3 %", percent(at["negative_predictive_value"])),
        ("Accuracy at 0.5", "not given", percent(results["at_half"]["accuracy"])),
        *((f"ROC AUC with {name}", "not done", decimal(one["roc_auc"])) for name, one in controls.items()),
    ]


def _deviations(workspace, roles, extractor):
    """Where the run departs from the paper, one sentence each."""
    found = []
    training = np.isin(roles, ["training", "validation", "internal test"])
    counts = [
        int((part & of_class).sum())
        for part in (training, roles == "test")
        for of_class in (workspace.truth, ~workspace.truth)
    ]
    if counts != [*PAPERS_TRAINING, *PAPERS_TEST]:
        found.append(
            "{} abnormal and {} normal scans for training, {} and {} for the test; the paper had {} and {}, {} and "
            "{}.".format(*counts, *PAPERS_TRAINING, *PAPERS_TEST)
        )
    by_hand = sum(bool(one.case.other.get(SLICE_COLUMN, "").strip()) for one in workspace.scans)
    if workspace.options.random_slice:
        found.append("The slice of each scan is a random one through the striatum; in the paper a person chose it.")
    elif by_hand < len(workspace.scans):
        found.append(
            f"The slice was chosen by hand in {by_hand} of {len(workspace.scans)} scans (column slice_z of the "
            "manifest, mm), in the paper in all; the others' is the axial one in MNI space with most specific uptake "
            "in the striatal regions."
        )
    return [*found, *departures(extractor, "TensorFlow's")]
