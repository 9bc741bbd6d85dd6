"""Network inputs of training and calibration on disk, augmented in advance."""

import json
import sys
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ..base.files import atomic_write_bytes
from ..base.parallel import in_order
from ..classification.networks import first_average
from .plans import Plan
from .variants import variants_of

_SAVE_EVERY = 100  # scans after which an interrupted run goes on


@dataclass(frozen=True)
class ImageSet:
    """Network inputs on disk.

    Attributes:
        images: float16 `(n, x, y, z)`, memory-mapped.
        labels: int64 `(n,)`.
        losses: float32 `(n, regions)`, NaN where unknown; None where no region is learned.
        scans: int `(n,)`, number of the scan that each image is a copy of; None if each is of its own.
        rows: which images belong to the set; None for all.
        averaged: the network's first layer, an average, has been taken already.
    """

    images: np.ndarray
    labels: np.ndarray
    losses: np.ndarray | None = None
    scans: np.ndarray | None = None
    rows: np.ndarray | None = None
    averaged: bool = False

    def __len__(self):
        return len(self.labels) if self.rows is None else len(self.rows)

    def __getitem__(self, index):
        """Input `(1, x, y, z)` and target: the label or, with losses, a float vector of label and losses."""
        import torch

        row = index if self.rows is None else self.rows[index]
        image = torch.from_numpy(self.images[row].astype(np.float32))[None]
        if self.losses is None:
            return image, int(self.labels[row])
        return image, torch.from_numpy(np.append(np.float32(self.labels[row]), self.losses[row]))

    def subset(self, scans: np.ndarray) -> "ImageSet":
        """All copies of the scans of these numbers."""
        return replace(self, rows=np.flatnonzero(np.isin(self.scans, scans)))


@dataclass(frozen=True)
class Sets:
    """Training and validation inputs."""

    training: ImageSet
    validation: ImageSet


def build_sets(training, validation, plan: Plan, folder: Path, workers: int = 1) -> Sets:
    """Write the inputs of both sets once; later calls with the same plan and scans find them."""
    return Sets(
        write_set(folder / "training", training, plan, workers, copies=plan.copies, averaged=True),
        write_set(folder / "validation", validation, plan, workers, smoothed=plan.smooth_validation, averaged=True),
    )


def write_set(path: Path, prepared, plan: Plan, workers: int = 1, *, copies=0, smoothed=False, averaged=False):
    """The inputs of scans as an `ImageSet`, written once; an interrupted run goes on.

    Args:
        path: of the files, without suffix.
        copies: augmented copies of each scan, itself among them.
        smoothed: add an 18-mm-smoothed copy of each.
        averaged: take the average that the network begins with now, not in every step.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [one.case.name for one in prepared]
    variants = max(copies, 2 if smoothed else 1)
    recipe = {"names": names, "copies": copies, "smoothed": smoothed, "averaged": averaged, "seed": plan.seed}
    recipe |= {"architecture": plan.architecture, "preprocessing": asdict(plan.preprocessing)}
    recipe |= {"reference": plan.compared_with.sha256, "planted": plan.planted}
    recipe |= {"sources": [one.facts.get("source") for one in prepared]}
    average = first_average(plan.architecture) if averaged else None
    make = partial(variants_of, plan=plan, copies=copies, smoothed=smoothed, average=average)
    _write(path, recipe, prepared, variants, make, workers)
    targets = np.load(path.with_suffix(".targets.npy"))
    return ImageSet(
        np.load(path.with_suffix(".npy"), mmap_mode="r"),
        targets[:, 0].astype(int),
        targets[:, 1:] if plan.regions else None,
        np.repeat(np.arange(len(prepared)), variants),
        averaged=average is not None,
    )


def _write(path, recipe, prepared, variants, make, workers):
    files = [path.with_suffix(suffix) for suffix in (".npy", ".targets.npy", ".json")]
    done, images, targets = _finished(files[2], recipe), None, None
    if done == len(prepared):
        return
    if not done:
        files[2].unlink(missing_ok=True)  # the arrays of another recipe are overwritten before the first note
    for number, found in enumerate(in_order(make, list(enumerate(prepared))[done:], workers), done):
        if images is None:
            shapes = ((len(prepared) * variants, *part.shape) for part in found[0])
            images, targets = (
                np.lib.format.open_memmap(file, "r+" if done else "w+", kind, shape)
                for file, kind, shape in zip(files, (np.float16, np.float32), shapes, strict=False)
            )
        rows = slice(number * variants, (number + 1) * variants)
        images[rows], targets[rows] = ([one[part] for one in found] for part in (0, 1))
        if (number + 1) % _SAVE_EVERY == 0 or number + 1 == len(prepared):
            images.flush()
            targets.flush()
            atomic_write_bytes(files[2], json.dumps({**recipe, "done": number + 1}).encode())
            print(f"{path.name} inputs: {number + 1}/{len(prepared)}", file=sys.stderr, flush=True)


def _finished(file, recipe):
    """How many scans an earlier run of the same recipe has written."""
    if not file.exists():
        return 0
    found = json.loads(file.read_text(encoding="utf-8"))
    done = found.pop("done", 0)
    return done if found == json.loads(json.dumps(recipe)) else 0
