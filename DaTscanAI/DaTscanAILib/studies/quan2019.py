"""Quan et al. 2019: three axial slices as colors, Inception v3, a dense head, ten-fold cross-validation."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..classification.weights import read_weights, write_weights
from ..evaluation.metrics import classification_metrics, roc_auc
from .figures import learning_figure, pictures_figure, precision_recall_figure, roc_figure
from .fine_tuning import fine_tune
from .heads import dense_head, dense_head_scores, train_dense_head
from .inception import RANDOM_WARNING, cached_features, departures, load_extractor
from .linear_control import PIXELS, block_means, linear_scores
from .picture_augmentation import quan_copies
from .slices import axial_picture, unmirrored
from .splits import allot, papers_classes
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
    "Inception's base is not trained (but see --fine-tune): its features of so many augmented copies of a scan are "
    "computed once, and each epoch takes one copy of a scan at random.",
    "Shifts to 10 % of the picture, flips left to right, brightness to 20 %.",
    "The dense layer has 1024 units and the dropout is 0.5, as in Keras's example of this construction.",
    "The learning rate falls tenfold after each quarter of the epochs: 1e-3, 1e-4, 1e-5, 1e-6.",
    "Scans are shown in the patient's own orientation.",
    "With --fine-tune the final model's base then learns together with its head: Adam at 1e-5, batches of 16, "
    "normalization as it was.",
    "The cross-validation divides the 80 % that the final model is trained on.",
]


@dataclass(frozen=True)
class Form:
    """Sizes of the study."""

    folds: int
    epochs: int
    copies: int
    fine_tuning_epochs: int


FULL, QUICK = Form(10, 500, 20, 10), Form(3, 40, 3, 1)


def run(workspace: Workspace) -> Findings:
    """The whole study."""
    form = workspace.form(FULL, QUICK)
    extractor = load_extractor(workspace)
    used = papers_classes(
        workspace.truth, PAPER_REDUCED, PAPER_NORMAL, workspace.options.seed, workspace.options.paper_shares
    )
    all_truth, scans = workspace.truth[used], [workspace.scans[k] for k in used]
    images = [color_picture(unmirrored(one)) for one in scans]
    features_of = partial(_features, workspace, form, [one.case.name for one in scans], images)
    features = features_of(extractor, "features")
    random = np.random.default_rng(workspace.options.seed)
    is_test = allot(all_truth.tolist(), (1 - TEST_SHARE, TEST_SHARE), random) == 1
    folds = _cross_validate(workspace, form, features[~is_test], all_truth[~is_test])
    final = workspace.finished("final", partial(_final_model, workspace, form, features, all_truth, is_test))
    others = _other_scores(workspace, form, extractor, images, features_of, all_truth, is_test)
    truth, score = all_truth[is_test], np.array(final["scores"])
    metrics, tested = classification_metrics(truth, score >= 0.5), np.flatnonzero(is_test)
    _write_tables(workspace, folds, [scans[k] for k in tested], score, metrics)
    _draw(workspace, folds, final, truth, score, others, [images[k] for k in tested])
    return _findings(form, extractor, folds, is_test, metrics, score, others, all_truth)


def _features(workspace, form, names, images, extractor, cache):
    """Features of all copies of each picture, `(scans, copies, 2048)`."""

    def copies_of(index):
        return quan_copies(images[index], workspace.options.seed + 7919 * index, form.copies)

    return np.stack(cached_features(workspace, extractor, names, copies_of, cache))


def _other_scores(workspace, form, extractor, images, features_of, truth, is_test):
    """`{name: scores of the test scans}` of what the options ask for beside the study: a trained base, controls."""
    found = {}
    if workspace.options.fine_tune:
        compute = partial(_fine_tuned, workspace, form, extractor, images, truth, is_test)
        found["base fine-tuned"] = np.array(workspace.finished("fine_tuned", compute)["scores"])
    if workspace.options.controls and not extractor.is_random:
        features = features_of(load_extractor(workspace, random=True), "features_random_weights")
        compute = partial(_final_model, workspace, form, features, truth, is_test, "_random_weights")
        found["random weights"] = np.array(workspace.finished("final_random_weights", compute)["scores"])
    if workspace.options.controls:
        means = block_means(images)
        found[PIXELS] = linear_scores(means[~is_test], truth[~is_test], means[is_test])
    return found


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


def _final_model(workspace, form, features, truth, is_test, suffix=""):
    workspace.say("final model")
    head, curve = train_dense_head(
        (features[~is_test], truth[~is_test]),
        None,  # the test scans have no say in the training, not even in a curve
        form.epochs,
        BATCH_SIZE,
        workspace.options.seed,
    )
    write_weights(workspace.folder("models") / f"dense_head{suffix}.safetensors", head.state_dict())
    return {"curve": curve, "scores": dense_head_scores(head, features[is_test, 0]).tolist()}


def _fine_tuned(workspace, form, extractor, images, truth, is_test):
    """Scores of the test scans once the final model's base has learned with its head."""
    workspace.say("the base learns, too")
    head = dense_head(workspace.options.seed)
    head.load_state_dict(read_weights(workspace.folder("models") / "dense_head.safetensors"))
    training = [images[k] for k in np.flatnonzero(~is_test)]
    tuned, head, curve = fine_tune(
        extractor,
        head,
        training,
        truth[~is_test],
        form.fine_tuning_epochs,
        BATCH_SIZE,
        workspace.options.seed,
    )
    write_weights(workspace.folder("models") / "base_fine_tuned.safetensors", tuned.network.state_dict())
    write_weights(workspace.folder("models") / "dense_head_fine_tuned.safetensors", head.state_dict())
    pictures = np.stack([images[k] for k in np.flatnonzero(is_test)]).astype(np.float32)
    return {"curve": curve, "scores": dense_head_scores(head, tuned(pictures)).tolist()}


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


def _draw(workspace, folds, final, truth, score, others, images):
    folder = workspace.folder("figures")
    scores = {"": score, **{f"{name}, ": one for name, one in others.items()}}
    roc_figure(
        folder / "roc", {f"{name}AUC {decimal(roc_auc(truth, one))}": (truth, one) for name, one in scores.items()}
    )
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


def _findings(form, extractor, folds, is_test, metrics, score, others, all_truth):
    from sklearn.metrics import average_precision_score

    truth = all_truth[is_test]
    area = roc_auc(truth, score)
    beside = {name: (classification_metrics(truth, one >= 0.5), roc_auc(truth, one)) for name, one in others.items()}
    across = {name: mean_and_deviation([fold[name] for fold in folds]) for name in MEASURES}
    means = dict(zip(MEASURES, _weighted_means(folds), strict=True))
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
        comparison=_comparison(across, means, metrics, area, beside),
        results={
            "weights": extractor.source,
            "cross_validation": across,
            "cross_validation_weighted_means": means,
            "test": as_numbers(metrics),
            "roc_auc": area.as_dict(),
            "average_precision": float(average_precision_score(truth, score)),
            "others": {name: {**as_numbers(one), "roc_auc": its.as_dict()} for name, (one, its) in beside.items()},
        },
        choices=CHOICES,
        deviations=_deviations(form, extractor, all_truth),
        figures=["roc", "precision_recall", "learning_curves"],
        warnings=[RANDOM_WARNING] if extractor.is_random else [],
    )


def _comparison(across, means, metrics, area, beside):
    """Lines of the main table: cross-validation, test scans, and what was done beside the study."""
    weighted = {name: percent({**across[name], "mean": means[name]}) for name in MEASURES}
    published = {"accuracy": "96.5 ± 1.3 %"}
    return [
        *(
            (f"{name.capitalize()}, cross-validation, weighted mean", published.get(name, "not at hand"), here)
            for name, here in weighted.items()
        ),
        ("Accuracy, test", "98.5 %", percent(metrics["accuracy"])),
        ("Sensitivity, test", "98.9 %", percent(metrics["sensitivity"])),
        ("Specificity, test", "97.7 %", percent(metrics["specificity"])),
        ("ROC AUC, test", "0.991", decimal(area)),
        *(
            (
                f"{name[0].upper()}{name[1:]}: accuracy, ROC AUC",
                "not at hand",
                f"{percent(one['accuracy'].value)}, {its.value:.3f}",
            )
            for name, (one, its) in beside.items()
        ),
    ]


def _deviations(form, extractor, truth):
    """Where the run departs from the paper, one sentence each."""
    found, counts = [], (int(truth.sum()), int((~truth).sum()))
    if counts != (PAPER_REDUCED, PAPER_NORMAL):
        found.append(
            f"{counts[0]} reduced and {counts[1]} normal scans; the paper had {PAPER_REDUCED} and {PAPER_NORMAL}."
        )
    if (form.folds, form.epochs) != (FULL.folds, FULL.epochs):
        found.append(f"{form.folds} folds of {form.epochs} epochs in place of {FULL.folds} and {FULL.epochs}.")
    if form.copies < FULL.copies:
        found.append(
            f"{form.copies} pictures of each scan, made once, of which an epoch takes one; the paper changes the "
            "picture anew in each epoch."
        )
    return [*found, *departures(extractor, "Keras's")]
