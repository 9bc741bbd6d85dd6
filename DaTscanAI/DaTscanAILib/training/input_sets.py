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
from ..classification.orientation import mirrored_weight
from ..mni.atlas import load_atlas
from ..quantification.mirroring import mirror
from .augmentation import augment, smooth_to
from .plans import Plan
from .targets import SWAPPED, regional_losses

LABELS = ("normal", "reduced")
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
    recipe["reference"] = plan.compared_with.sha256
    average = first_average(plan.architecture) if averaged else None
    make = partial(_variants, plan=plan, copies=copies, smoothed=smoothed, average=average)
    _write(path, recipe, prepared, variants, make, workers)
    losses = np.load(path.with_suffix(".losses.npy"))
    return ImageSet(
        np.load(path.with_suffix(".npy"), mmap_mode="r"),
        np.repeat([LABELS.index(one.case.label) for one in prepared], variants),
        losses if plan.regions else None,
        np.repeat(np.arange(len(prepared)), variants),
        averaged=average is not None,
    )


def _write(path, recipe, prepared, variants, make, workers):
    files = [path.with_suffix(suffix) for suffix in (".npy", ".losses.npy", ".json")]
    done, images, losses = _finished(files[2], recipe), None, None
    if done == len(prepared):
        return
    for number, found in enumerate(in_order(make, list(enumerate(prepared))[done:], workers), done):
        if images is None:
            shapes = (len(prepared) * variants, *found[0][0].shape), (len(prepared) * variants, *found[0][1].shape)
            images, losses = (
                np.lib.format.open_memmap(file, "r+" if done else "w+", kind, shape)
                for file, kind, shape in zip(files, (np.float16, np.float32), shapes, strict=False)
            )
        rows = slice(number * variants, (number + 1) * variants)
        images[rows], losses[rows] = [image for image, _ in found], [loss for _, loss in found]
        if (number + 1) % _SAVE_EVERY == 0 or number + 1 == len(prepared):
            images.flush()
            losses.flush()
            atomic_write_bytes(files[2], json.dumps({**recipe, "done": number + 1}).encode())
            print(f"{path.name} inputs: {number + 1}/{len(prepared)}", file=sys.stderr, flush=True)


def _finished(file, recipe):
    """How many scans an earlier run of the same recipe has written."""
    if not file.exists():
        return 0
    found = json.loads(file.read_text(encoding="utf-8"))
    done = found.pop("done", 0)
    return done if found == json.loads(json.dumps(recipe)) else 0


def _variants(numbered, plan, copies, smoothed, average):
    """`[(network input float16, losses), ...]` of one scan: itself, its augmented copies, or its smoothed copy."""
    number, one = numbered
    atlas, voxels, losses = load_atlas(), one.load(), regional_losses(one)
    reference = plan.compared_with.voxels
    chosen = [(voxels, losses)]
    if smoothed:
        chosen.append((smooth_to(voxels, 18.0, atlas.reference), losses))
    random = np.random.default_rng([plan.seed, 7919, number])
    turned = mirrored_weight(one.facts["asymmetry_percent"].get("putamen"))
    for _ in range(copies - 1):
        copy, of_copy = augment(voxels, atlas.reference, random), losses
        if random.random() < turned:  # as `analyze` sees scans of nearly equal sides
            copy, of_copy = mirror(copy), losses[list(SWAPPED)]
        chosen.append((copy, of_copy))
    return [
        (_averaged(plan.preprocessing.apply(image, atlas, reference), average), losses) for image, losses in chosen
    ]


def _averaged(image, average):
    import torch

    if average is not None:
        image = average(torch.from_numpy(np.ascontiguousarray(image, np.float32))[None])[0].numpy()
    return image.astype(np.float16)
