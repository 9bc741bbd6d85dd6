"""Quan et al. 2019: three axial slices as colors, Inception v3, a dense head, ten-fold cross-validation."""

from dataclasses import dataclass

import numpy as np

from ..classification.weights import write_weights
from ..evaluation.metrics import classification_metrics, roc_auc
from .figures import learning_figure, pictures_figure, precision_recall_figure, roc_figure
from .heads import dense_head_scores, train_dense_head
from .inception import RANDOM_WARNING, cached_features, load_extractor
from .picture_augmentation import quan_copies
from .slices import axial_picture, unmirrored
from .splits import allot
from .summary import Findings
from .tables import as_numbers, decimal, mean_and_deviation, percent, shares_table, write_table
from .workspace import Workspace

SLICES = (40, 41, 42)  # counted from 0 below: z = 8, 10, 12 mm
TEST_SHARE, BATCH_SIZE = 0.2, 16
PAPER_REDUCED, PAPER_NORMAL = 449, 210  # of PPMI
MEASURES = ("accuracy", "precision", "recall", "f1")
LOSSES = ("training_loss", "training_accuracy", "validation_loss")  # of the last epoch, as in the paper's table 1
CHOICES = [
    "Slices 40 to 42 are counted from 0, which puts the middle one at z = +10 mm.",
    "The 8-bit window is 0 to 5 times the reference region; the paper's is not given.",
    "Inception's base is not trained: its features of so many augmented copies of a scan are computed once, and each "
    "epoch takes one copy of a scan at random.",
    "Shifts to 10 % of the picture, flips left to right, brightness to 20 %.",
    "The dense layer has 1024 units and the dropout is 0.5, as in Keras's example of this construction.",
    "The learning rate falls tenfold after each quarter of the epochs: 1e-3, 1e-4, 1e-5, 1e-6.",
    "Scans are shown in the patient's own orientation.",
    "The cross-validation divides the 80 % that the final model is trained on.",
]


@dataclass(frozen=True)
class Form:
    """Sizes of the study."""

    folds: int
    epochs: int
    copies: int


FULL, QUICK = Form(10, 500, 20), Form(3, 40, 3)


def run(workspace: Workspace) -> Findings:
    """The whole study."""
    form = workspace.form(FULL, QUICK)
    extractor = load_extractor(workspace)
    used = papers_classes(workspace.truth, workspace.options.seed, workspace.options.paper_shares)
    truth_of_used, scans = workspace.truth[used], [workspace.scans[k] for k in used]
    images = [color_picture(unmirrored(one)) for one in scans]
    names = [one.case.name for one in scans]
    features = np.stack(
        cached_features(
            workspace,
            extractor,
            names,
            lambda index: quan_copies(images[index], workspace.options.seed + 7919 * index, form.copies),
        )
    )
    random = np.random.default_rng(workspace.options.seed)
    is_test = allot(truth_of_used.tolist(), (1 - TEST_SHARE, TEST_SHARE), random) == 1
    folds = _cross_validate(workspace, form, features[~is_test], truth_of_used[~is_test])
    final = workspace.finished("final", lambda: _final_model(workspace, form, features, truth_of_used, is_test))
    truth, score = truth_of_used[is_test], np.array(final["scores"])
    metrics, area = classification_metrics(truth, score >= 0.5), roc_auc(truth, score)
    _write_tables(workspace, folds, [scans[k] for k in np.flatnonzero(is_test)], score, metrics)
    _draw(workspace, folds, final, truth, score, area, [images[k] for k in np.flatnonzero(is_test)])
    return _findings(form, extractor, folds, is_test, metrics, area, truth, score)


def papers_classes(truth: np.ndarray, seed: int, paper_shares: bool) -> np.ndarray:
    """Indices of the scans used: all, or as many as there are, 659 at most, in the paper's share of 449 reduced."""
    if not paper_shares:
        return np.arange(truth.size)
    share = min(1.0, truth.sum() / PAPER_REDUCED, (~truth).sum() / PAPER_NORMAL)
    random, chosen = np.random.default_rng(seed), []
    for of_class, count in ((truth, PAPER_REDUCED), (~truth, PAPER_NORMAL)):
        chosen.append(random.permutation(np.flatnonzero(of_class))[: round(share * count)])
    return np.sort(np.concatenate(chosen))


def color_picture(voxels: np.ndarray) -> np.ndarray:
    """Slices 40, 41 and 42 as red, green and blue: uint8 `(3, 109, 91)`."""
    return np.stack([axial_picture(voxels, index) for index in SLICES])


def fold_measures(truth: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """Accuracy, and precision, recall and F1 of both classes weighted by their scans, at 0.5."""
    from sklearn.metrics import precision_recall_fscore_support

    answer = score >= 0.5
    precision, recall, f1, _ = precision_recall_fscore_support(truth, answer, average="weighted", zero_division=0)
    values = (np.mean(answer == truth), precision, recall, f1)
    return {name: float(value) for name, value in zip(MEASURES, values, strict=True)}


def _cross_validate(workspace, form, features, truth):
    """Measures and learning curve of each fold."""
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(form.folds, shuffle=True, random_state=workspace.options.seed)

    def of_fold(number, training, validation):
        workspace.say(f"fold {number + 1} of {form.folds}")
        held_out = (features[validation, 0], truth[validation])
        head, curve = train_dense_head(
            (features[training], truth[training]),
            held_out,
            form.epochs,
            BATCH_SIZE,
            workspace.options.seed + 1000 * number,
        )
        return {
            "curve": curve,
            "scans": len(validation),
            "training_loss": curve["training_loss"][-1],
            "training_accuracy": float(
                np.mean((dense_head_scores(head, features[training, 0]) >= 0.5) == truth[training])
            ),
            "validation_loss": curve["validation_loss"][-1],
            **fold_measures(truth[validation], dense_head_scores(head, held_out[0])),
        }

    return [
        workspace.finished(f"fold_{number}", lambda number=number, split=split: of_fold(number, *split))
        for number, split in enumerate(folds.split(features, truth))
    ]


def _final_model(workspace, form, features, truth, is_test):
    workspace.say("final model")
    head, curve = train_dense_head(
        (features[~is_test], truth[~is_test]),
        None,  # the test scans have no say in the training, not even in a curve
        form.epochs,
        BATCH_SIZE,
        workspace.options.seed,
    )
    write_weights(workspace.folder("models") / "dense_head.safetensors", head.state_dict())
    return {"curve": curve, "scores": dense_head_scores(head, features[is_test, 0]).tolist()}


def _write_tables(workspace, folds, tested, score, metrics):
    folder = workspace.folder("tables")
    columns = (*LOSSES, *MEASURES)
    rows = [[number + 1, fold["scans"], *(fold[name] for name in columns)] for number, fold in enumerate(folds)]
    deviations = [np.std([fold[name] for fold in folds], ddof=1) for name in columns]
    rows += [
        ["weighted mean", sum(fold["scans"] for fold in folds), *_weighted_means(folds, columns)],
        ["standard deviation", None, *deviations],
    ]
    write_table(folder / "cross_validation.csv", ["fold", "scans", *columns], rows)
    shares_table(folder / "test.csv", metrics)
    rows = [[one.case.name, one.case.label, value] for one, value in zip(tested, score, strict=True)]
    write_table(folder / "test_scores.csv", ["case", "label", "score"], rows)


def _weighted_means(folds, columns=MEASURES):
    scans = [fold["scans"] for fold in folds]
    return [float(np.average([fold[name] for fold in folds], weights=scans)) for name in columns]


def _draw(workspace, folds, final, truth, score, area, images):
    folder = workspace.folder("figures")
    roc_figure(folder / "roc", {f"AUC {decimal(area)}": (truth, score)})
    precision_recall_figure(folder / "precision_recall", truth, score)
    curves = {
        f"fold {k + 1}": (fold["curve"]["epoch"], fold["curve"]["validation_loss"]) for k, fold in enumerate(folds)
    }
    curves["final model"] = (final["curve"]["epoch"], final["curve"]["training_loss"])
    learning_figure(folder / "learning_curves", curves)
    wrong = np.flatnonzero((score >= 0.5) != truth)
    for name in (folder / f"misclassified.{kind}" for kind in ("png", "pdf")):
        name.unlink(missing_ok=True)
    if wrong.size:
        titles = [f"labelled {'reduced' if truth[k] else 'normal'}, score {score[k]:.2f}" for k in wrong]
        pictures_figure(folder / "misclassified", [images[k][1] for k in wrong], titles)


def _findings(form, extractor, folds, is_test, metrics, area, truth, score):
    from sklearn.metrics import average_precision_score

    across = {name: mean_and_deviation([fold[name] for fold in folds]) for name in MEASURES}
    means = dict(zip(MEASURES, _weighted_means(folds), strict=True))
    weighted = {name: {**across[name], "mean": means[name]} for name in MEASURES}
    return Findings(
        title="Three slices as colors, Inception v3 and a dense head",
        source="Quan et al. 2019, arXiv 1909.04142",
        sizes={
            "training scans": int((~is_test).sum()),
            "test scans": int(is_test.sum()),
            "folds": form.folds,
            "epochs": form.epochs,
            "copies": form.copies,
        },
        comparison=[
            ("Accuracy, cross-validation, weighted mean", "96.5 ± 1.3 %", percent(weighted["accuracy"])),
            *(
                (f"{name.capitalize()}, cross-validation, weighted mean", "not at hand", percent(weighted[name]))
                for name in MEASURES[1:]
            ),
            ("Accuracy, test", "98.5 %", percent(metrics["accuracy"])),
            ("Sensitivity, test", "98.9 %", percent(metrics["sensitivity"])),
            ("Specificity, test", "97.7 %", percent(metrics["specificity"])),
            ("ROC AUC, test", "0.991", decimal(area)),
        ],
        results={
            "weights": extractor.source,
            "cross_validation": across,
            "cross_validation_weighted_means": means,
            "test": as_numbers(metrics),
            "roc_auc": area.as_dict(),
            "average_precision": float(average_precision_score(truth, score)),
        },
        choices=CHOICES,
        figures=["roc", "precision_recall", "learning_curves"],
        warnings=[RANDOM_WARNING] if extractor.is_random else [],
    )
