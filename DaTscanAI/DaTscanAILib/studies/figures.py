"""Figures of the studies as PNG and PDF (matplotlib; curves by scikit-learn)."""

from pathlib import Path

import numpy as np

from ..evaluation.figures import COLORS, headless_pyplot, save_figure

CURVE_POINTS = np.linspace(0, 1, 101)


def roc_band(truth: np.ndarray, score: np.ndarray, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper 95 % bound of the sensitivity at `CURVE_POINTS` of 1 - specificity, by the bootstrap.

    Scans are drawn with replacement within their class, so that no draw lacks one.
    """
    from sklearn.metrics import roc_curve
    from sklearn.utils import resample

    random, curves = np.random.RandomState(seed), []
    for _ in range(draws):
        chosen = resample(np.arange(len(truth)), stratify=truth, random_state=random)
        rest, sensitivity, _ = roc_curve(truth[chosen], score[chosen])
        curves.append(np.interp(CURVE_POINTS, rest, sensitivity))
    low, high = np.percentile(curves, [2.5, 97.5], axis=0)
    return low, high


def roc_figure(path: Path, curves: dict[str, tuple], band=None, mark=None) -> None:
    """ROC curves.

    Args:
        curves: `{legend: (truth, score)}`.
        band: of `roc_band`, for the first curve.
        mark: (1 - specificity, sensitivity) of the chosen threshold.
    """
    from sklearn.metrics import roc_curve

    def draw(axes):
        axes.plot([0, 1], [0, 1], color="#cccccc", lw=1)
        if band is not None:
            axes.fill_between(CURVE_POINTS, *band, color=COLORS["reduced"], alpha=0.2, lw=0, label="95 % band")
        for (legend, (truth, score)), color in zip(curves.items(), _line_colors(len(curves)), strict=True):
            rest, sensitivity, _ = roc_curve(truth, score)
            axes.plot(rest, sensitivity, lw=2, color=color, label=legend)
        if mark is not None:
            axes.plot(*mark, "o", color="black", ms=6, label="threshold")
        axes.set(xlabel="1 - specificity", ylabel="Sensitivity", xlim=(-0.01, 1), ylim=(0, 1.02), aspect="equal")
        axes.legend(frameon=False, loc="lower right", fontsize=8)

    save_figure(path, draw)


def precision_recall_figure(path: Path, truth: np.ndarray, score: np.ndarray) -> None:
    """Precision over recall of the reduced scans, with its average."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    def draw(axes):
        precision, recall, _ = precision_recall_curve(truth, score)
        axes.axhline(truth.mean(), color="#cccccc", lw=1)
        axes.step(recall, precision, where="post", lw=2, color=COLORS["reduced"])
        axes.text(0.02, 0.05, f"Average precision {average_precision_score(truth, score):.3f}")
        axes.set(xlabel="Recall (sensitivity)", ylabel="Precision", xlim=(0, 1.01), ylim=(0, 1.02), aspect="equal")

    save_figure(path, draw)


def histogram_figure(path: Path, truth, score, xlabel: str, cut: float | None = None, size=(4.2, 3.6)) -> None:
    """Distribution of a score by class, and the cut as a line."""

    def draw(axes):
        bins = np.histogram_bin_edges(score, 25)
        for label, mask in (("normal", ~truth), ("reduced", truth)):
            axes.hist(score[mask], bins, color=COLORS[label], alpha=0.65, label=f"labelled {label}")
        if cut is not None:
            axes.axvline(cut, color="black", lw=1, ls="--", label=f"cut {cut:.3g}")
        axes.set(xlabel=xlabel, ylabel="Scans")
        axes.legend(frameon=False, fontsize=8)

    save_figure(path, draw, size)


def stacked_histogram_figure(
    path: Path, groups: dict[str, np.ndarray], xlabel: str, cuts: dict[str, float], size=(4.2, 3.6)
) -> None:
    """Distribution of a score in several groups, one on top of the other, and cuts as lines.

    Args:
        groups: `{legend: values}`, at most six.
        cuts: `{legend: value}`, at most three.
    """

    def draw(axes):
        bins = np.histogram_bin_edges(np.concatenate(list(groups.values())), 25)
        legends = [f"{name} (n = {len(values)})" for name, values in groups.items()]
        axes.hist(list(groups.values()), bins, stacked=True, color=_line_colors(len(groups)), label=legends)
        for (name, cut), style in zip(cuts.items(), ("--", ":", "-."), strict=False):
            axes.axvline(cut, color="black", lw=1, ls=style, label=f"{name} {cut:.3g}")
        axes.set(xlabel=xlabel, ylabel="Scans")
        axes.legend(frameon=False, fontsize=8)

    save_figure(path, draw, size)


def learning_figure(path: Path, curves: dict[str, tuple], xlabel="Epoch", ylabel="Validation loss") -> None:
    """Learning curves `{legend: (x, y)}`; more than six are drawn alike."""

    def draw(axes):
        colors = _line_colors(len(curves))
        for (legend, (x, y)), color in zip(curves.items(), colors, strict=True):
            axes.plot(x, y, lw=1.3, color=color, label=legend if len(curves) <= 6 else None)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.set_ylim(bottom=0)
        if len(curves) <= 6:
            axes.legend(frameon=False, fontsize=8)

    save_figure(path, draw, (4.2, 3.4))


def scatter_figure(path: Path, x, y, truth, xlabel: str, ylabel: str, title: str) -> None:
    """One value over another by class, with the regression line of all scans."""
    from scipy.stats import linregress

    def draw(axes):
        for label, mask in (("normal", ~truth), ("reduced", truth)):
            axes.plot(
                x[mask], y[mask], "o", ms=4, alpha=0.7, color=COLORS[label], label=f"labelled {label}", mec="none"
            )
        line = linregress(x, y)
        ends = np.array([x.min(), x.max()])
        axes.plot(ends, line.intercept + line.slope * ends, color="black", lw=1)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.set_title(title, fontsize=9)
        axes.legend(frameon=False, fontsize=8)

    save_figure(path, draw, (4.2, 3.6))


def matrix_figure(path: Path, values: np.ndarray, rows: list[str], columns: list[str], xlabel: str, ylabel: str):
    """Shares as a colored table of percent."""

    def draw(axes):
        axes.imshow(values, vmin=0.5, vmax=1, cmap="Blues", aspect="auto")
        for row, column in np.ndindex(values.shape):
            shade = "white" if values[row, column] > 0.8 else "black"
            axes.text(column, row, f"{100 * values[row, column]:.1f}", ha="center", va="center", color=shade)
        axes.set(xticks=range(len(columns)), yticks=range(len(rows)), xlabel=xlabel, ylabel=ylabel)
        axes.set_xticklabels(columns)
        axes.set_yticklabels(rows)

    save_figure(path, draw, (4.2, 3.4))


def points_figure(path: Path, groups: dict[str, np.ndarray], ylabel: str) -> None:
    """One point a split for each group, with the mean as a bar."""

    def draw(axes):
        for place, values in enumerate(groups.values()):
            offsets = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else [0]
            axes.plot(place + np.array(offsets), values, "o", ms=4, color=COLORS["neutral"], alpha=0.7)
            axes.plot([place - 0.25, place + 0.25], [np.mean(values)] * 2, color=COLORS["reduced"], lw=2)
        axes.set(xticks=range(len(groups)), ylabel=ylabel)
        axes.set_xticklabels(list(groups), rotation=35, ha="right", fontsize=8)

    save_figure(path, draw, (5.0, 3.8))


def pictures_figure(path: Path, pictures: list[np.ndarray], titles: list[str], columns: int = 6) -> None:
    """8-bit pictures `(rows, columns)` of one shape in a grid, with a title above each."""
    plt = headless_pyplot()
    height, width = pictures[0].shape
    title, gap = 14, 4  # pixels of the pictures
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + title), columns * (width + gap)), 255, np.uint8)
    # One picture of them all: an axes for each would take a hundred times longer.
    figure = plt.figure(figsize=(1.6 * columns, 1.6 * columns * sheet.shape[0] / sheet.shape[1]))
    axes = figure.add_axes((0, 0, 1, 1))
    for number, (picture, text) in enumerate(zip(pictures, titles, strict=True)):
        top, left = (number // columns) * (height + title) + title, (number % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = np.clip(picture, 0, 255)
        axes.text(left + width / 2, top - 3, text, fontsize=6, ha="center")
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, aspect="auto")
    axes.set_axis_off()
    save_pages(figure, path)


def save_pages(figure, path: Path) -> None:
    """Save and close a figure of several axes; the same data give the same bytes."""
    from matplotlib import pyplot as plt

    fast = {"compress_level": 4}
    figure.savefig(path.with_suffix(".png"), dpi=150, metadata={"Software": None}, pil_kwargs=fast)
    figure.savefig(path.with_suffix(".pdf"), dpi=150, metadata={"CreationDate": None})
    plt.close(figure)


def _line_colors(count):
    """Distinct up to six, one thin gray beyond."""
    palette = ["#d95f02", "#2878b5", "#1b9e77", "#7570b3", "#e6ab02", "#666666"]
    return palette[:count] if count <= len(palette) else ["#88888866"] * count
