"""Relevance maps of groups: means of true negatives and true positives, and what tells the classes apart."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..classification.answer import Classifier
from ..classification.evidence import OVERALL
from ..classification.model_folder import Model
from ..evaluation.figures import headless_pyplot
from ..explanation.lower_putamen import lower_putamen_relevance
from ..explanation.methods import INTEGRATED_GRADIENTS, LRP
from ..mni.atlas import GRID_AFFINE, GRID_SHAPE, Atlas, load_mri
from ..reporting.colors import relevance_table
from ..reporting.panels import (
    RELEVANCE_OPACITY,
    Strip,
    Volume,
    axial_mosaic,
    relevance_limit,
    relevance_slice,
    scan_limit,
    scan_slice,
)
from .figures import save_pages
from .workspace import Workspace

GROUPS = ("true_negative", "false_positive", "false_negative", "true_positive")  # 2 * labelled reduced + answered so
PERCENTILE = 95.0  # of the brain outside the striatum


@dataclass(frozen=True)
class Explained:
    """What a model says of a set of scans, and why.

    Attributes:
        truth: `(n,)` bool, labelled reduced.
        difference: `(n,)` reduced minus normal logit; above 0 the answer is "reduced".
        putamen: `(n,)` mean relevance (LRP) of the ipsilateral (lower) putamen.
        gradients: `(n,)` the same of integrated gradients from the model's reference; nan where not asked for.
        means: `{group: (91, 109, 91)}` mean relevance of `GROUPS`, lower putamen left; zero for an empty group.
        scans: the same of the normalized scans.
        counts: scans by group.
    """

    truth: np.ndarray
    difference: np.ndarray
    putamen: np.ndarray
    gradients: np.ndarray
    means: dict[str, np.ndarray]
    scans: dict[str, np.ndarray]
    counts: dict[str, int]

    @property
    def groups(self) -> np.ndarray:
        """Number in `GROUPS` of each scan, `(n,)`."""
        return 2 * self.truth.astype(int) + (self.difference > 0)

    @property
    def heat(self) -> np.ndarray:
        """Mean of the true positives minus mean of the true negatives: reduced minus normal."""
        return self.means["true_positive"] - self.means["true_negative"]


def explain(
    workspace: Workspace, name: str, model: Model, scans: list, truth: np.ndarray, gradients: bool = False
) -> Explained:
    """Answers and mean relevance maps of a set of scans, one pass, kept under `name` for a resumed run.

    Args:
        gradients: read the lower putamen in integrated gradients, too.
    """

    def compute():
        classifier = Classifier(model, workspace.device)
        sums = {what: np.zeros((len(GROUPS), *GRID_SHAPE)) for what in ("means", "scans")}
        counts, numbers = np.zeros(len(GROUPS), int), []
        for index, (one, is_reduced) in enumerate(zip(scans, truth, strict=True), 1):
            voxels = one.load()
            answer = classifier.classify(voxels, with_relevance=False)
            group = 2 * int(is_reduced) + int(answer.logit_difference > 0)
            relevance = map_of(classifier, voxels)
            sums["means"][group] += relevance
            sums["scans"][group] += voxels
            counts[group] += 1
            maps = [relevance, map_of(classifier, voxels, INTEGRATED_GRADIENTS)] if gradients else [relevance]
            putamen = [lower_putamen_relevance(one)[0] for one in maps]
            numbers.append((answer.logit_difference, *putamen, np.nan)[:3])
            if index % 20 == 0 or index == len(scans):
                workspace.say(f"{name}: relevance of {index} of {len(scans)} scans")
        divisor = np.maximum(counts, 1)[:, None, None, None]
        means = {what: (total / divisor).astype(np.float32) for what, total in sums.items()}
        return {"numbers": np.array(numbers), "counts": counts, **means}

    arrays = workspace.finished_arrays(f"groups_{name}", compute)
    return Explained(
        np.asarray(truth, bool),
        *arrays["numbers"].T,
        *(dict(zip(GROUPS, arrays[what], strict=True)) for what in ("means", "scans")),
        dict(zip(GROUPS, map(int, arrays["counts"]), strict=True)),
    )


def map_of(classifier: Classifier, voxels: np.ndarray, method: str = LRP) -> np.ndarray:
    """The relevance map of a normalized scan, float32 `(91, 109, 91)`; by default by LRP, as in the papers.

    Args:
        method: of `explanation.methods.METHODS`.
    """
    import torch

    image = np.ascontiguousarray(classifier.model.network_input(voxels, classifier.atlas), np.float32)
    tensor = torch.from_numpy(image)[None, None].to(classifier.device)
    return classifier.maps.relevance([(1.0, tensor)], OVERALL, method)


def outside_striatum(atlas: Atlas) -> np.ndarray:
    """Brain without the large striatal regions of the hottest voxels, bool."""
    return atlas.brain & ~((atlas.regions >= 1) & (atlas.regions <= 4))


def heat_threshold(heat: np.ndarray, atlas: Atlas) -> float:
    """95th percentile of a heat map in the brain outside the striatum, where the network saw anything."""
    outside = outside_striatum(atlas) & (heat != 0)
    return float(np.percentile(heat[outside], PERCENTILE)) if outside.any() else float("inf")


def map_row(relevance: np.ndarray, positions, limit: float | None = None, threshold: float = 0.1) -> Strip:
    """Axial slices of a map over the MRI.

    Args:
        positions: z in mm.
        limit: both ends of the color scale; by default of this map.
        threshold: part of the limit below which the MRI shows.
    """
    mri, affine = load_mri()
    layers = Volume(relevance, GRID_AFFINE), Volume(mri, affine)
    limit = limit or relevance_limit(relevance)
    return axial_mosaic(
        lambda cut, scale: relevance_slice(*layers, cut, limit, scale, threshold), positions, scale=1.25
    )


def scan_row(voxels: np.ndarray, positions) -> Strip:
    """Axial slices of a scan."""
    scan, limit = Volume(voxels, GRID_AFFINE), scan_limit(voxels)
    return axial_mosaic(lambda cut, scale: scan_slice(scan, cut, limit, scale), positions, scale=1.25)


def rows_figure(path: Path, rows: list[tuple[str, Strip]], title: str = "", signed: bool = True) -> None:
    """Rows of axial slices, each with its name, positions below the last, a bar of the relevance's colors.

    Args:
        rows: `(name, strip)`, all of the same positions.
        signed: whether the bar shows both signs, or only what argues for reduced.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap

    plt, first = headless_pyplot(), rows[0][1].image
    width = 12.0
    height = (width - 0.9) * first.height / first.width + 0.25
    head = 0.3 if title else 0.05
    figure = plt.figure(figsize=(width, len(rows) * height + head + 0.2))
    total = figure.get_size_inches()[1]
    for number, (name, strip) in enumerate(rows):
        bottom = 1 - (head + (number + 1) * height) / total
        axes = figure.add_axes((0.0, bottom, (width - 0.9) / width, (height - 0.25) / total))
        axes.imshow(np.asarray(strip.image), aspect="auto", interpolation="none")
        axes.set_axis_off()
        axes.set_title(name, fontsize=9, loc="left", pad=2)
        for cut, (left, wide) in zip(strip.cuts, strip.spans, strict=True):
            axes.text(left + 4, 4, "R", color="white", fontsize=6, va="top")
            if number == len(rows) - 1:
                axes.text(left + wide / 2, strip.image.height + 4, cut.name, fontsize=7, ha="center", va="top")
    bar = figure.add_axes(((width - 0.75) / width, 0.25, 0.15 / width, 0.5))
    colors = ListedColormap(relevance_table(0.1, RELEVANCE_OPACITY)[0 if signed else 128 :] / 255)
    names = ["normal", "0", "reduced"] if signed else ["0", "reduced"]
    ticks = figure.colorbar(ScalarMappable(cmap=colors), cax=bar, ticks=np.linspace(0, 1, len(names)))
    ticks.ax.set_yticklabels(names, fontsize=7)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left", y=1 - 0.05 / total)
    save_pages(figure, path)
