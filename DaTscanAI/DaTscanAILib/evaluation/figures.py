"""Figures of an evaluation: ROC curve, reliability, distribution of the probabilities (matplotlib)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

COLORS = {"normal": "#2878b5", "reduced": "#d95f02", "neutral": "#555555"}


def write_figures(folder: Path, answers, summary: dict) -> None:
    """Write `roc`, `reliability` and `probabilities` as PNG and PDF.

    Args:
        folder: made if need be.
        answers: `evaluate.Answers`.
        summary: for the numbers in the legends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (("roc", _roc), ("reliability", _reliability), ("probabilities", _probabilities)):
        save_figure(folder / name, lambda axes, draw=draw: draw(axes, answers, summary))


def headless_pyplot():
    """matplotlib's `pyplot`, which draws without a display."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def save_figure(path: Path, draw: Callable, size: tuple[float, float] = (4.2, 4.0)) -> None:
    """Draw on one pair of axes and save as PNG and PDF without dates, so that the same data give the same bytes.

    Args:
        path: without suffix.
        draw: draws on the axes that it is given.
        size: inches.
    """
    plt = headless_pyplot()
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    draw(axes)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path.with_suffix(".png"), dpi=200, metadata={"Software": None})
    figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None})
    plt.close(figure)


def roc_points(truth: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(1 - specificity, sensitivity) for every cut, from (0, 0) to (1, 1)."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)  # scans with the same score change sides together
    sensitivity = np.cumsum(truth[order])[last] / max(truth.sum(), 1)
    rest = np.cumsum(~truth[order])[last] / max((~truth).sum(), 1)
    return np.insert(rest, 0, 0), np.insert(sensitivity, 0, 0)


def _roc(axes, answers, summary):
    axes.plot([0, 1], [0, 1], color="#cccccc", lw=1)
    axes.plot(*roc_points(answers.truth, answers.probability), color=COLORS["reduced"], lw=2)
    area = summary["roc_auc"]
    if area:
        axes.text(0.98, 0.05, f"AUC {area['value']:.3f}\n({area['low']:.3f} to {area['high']:.3f})", ha="right")
    axes.set(xlabel="1 - specificity", ylabel="Sensitivity", xlim=(-0.01, 1), ylim=(0, 1.01), aspect="equal")


def _reliability(axes, answers, summary):
    place = np.minimum((answers.probability * 10).astype(int), 9)
    filled = [k for k in range(10) if (place == k).any()]
    axes.plot([0, 1], [0, 1], color="#cccccc", lw=1)
    axes.plot(
        [answers.probability[place == k].mean() for k in filled],
        [answers.truth[place == k].mean() for k in filled],
        "o-",
        color=COLORS["neutral"],
    )
    for k in filled:
        axes.annotate(
            str((place == k).sum()),
            (answers.probability[place == k].mean(), answers.truth[place == k].mean()),
            textcoords="offset points",
            xytext=(5, -9),
            fontsize=7,
        )
    axes.set(
        xlabel="Stated probability of reduced",
        ylabel="Share labelled reduced",
        xlim=(0, 1),
        ylim=(-0.02, 1.02),
        title=f"Expected calibration error {summary['expected_calibration_error']:.3f}",
    )


def _probabilities(axes, answers, _):
    bins = np.linspace(0, 1, 26)
    for label, mask in (("normal", ~answers.truth), ("reduced", answers.truth)):
        axes.hist(answers.probability[mask], bins, color=COLORS[label], alpha=0.65, label=f"labelled {label}")
    axes.set(xlabel="Probability of reduced", ylabel="Scans", yscale="symlog")
    axes.legend(frameon=False)
