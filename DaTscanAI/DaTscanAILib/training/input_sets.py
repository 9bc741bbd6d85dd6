"""Network inputs of training and validation on disk, augmented in advance."""

import json
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..base.parallel import in_order
from ..mni.atlas import load_atlas
from .augmentation import scan_augmentation, smooth_to
from .plans import Plan

LABELS = ("normal", "reduced")


@dataclass(frozen=True)
class ImageSet:
    """Network inputs on disk: `images` float16 `(n, x, y, z)` memory-mapped, `labels` int64 `(n,)`."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        import torch

        return torch.from_numpy(self.images[index].astype(np.float32))[None], int(self.labels[index])


@dataclass(frozen=True)
class Sets:
    """Training and validation inputs."""

    training: ImageSet
    validation: ImageSet


def build_sets(training, validation, plan: Plan, folder: Path, workers: int = 1) -> Sets:
    """Write the inputs of both sets once; later calls with the same plan and scans find them."""
    folder.mkdir(parents=True, exist_ok=True)
    return Sets(
        _write_set(folder / "training", training, plan, plan.copies, False, workers),
        _write_set(folder / "validation", validation, plan, 0, plan.smooth_validation, workers),
    )


def _write_set(path, prepared, plan, copies, smoothed, workers):
    names = [one.case.name for one in prepared]
    recipe = json.dumps(
        {
            "names": names,
            "copies": copies,
            "smoothed": smoothed,
            "seed": plan.seed,
            "preprocessing": asdict(plan.preprocessing),
            "reference": plan.compared_with.sha256,
        }
    )
    labels = np.array([LABELS.index(one.case.label) for one in prepared])
    labels = np.repeat(labels, max(copies, 2 if smoothed else 1))
    image_file, recipe_file = path.with_suffix(".npy"), path.with_suffix(".json")
    if not (recipe_file.exists() and recipe_file.read_text() == recipe):
        images = None
        variants_of = partial(_variants, plan=plan, copies=copies, smoothed=smoothed)
        for number, variants in enumerate(in_order(variants_of, enumerate(prepared), workers)):
            if images is None:
                images = np.lib.format.open_memmap(image_file, "w+", np.float16, (len(labels), *variants[0].shape))
            images[number * len(variants) : (number + 1) * len(variants)] = variants
            _progress(f"{path.name} inputs", number + 1, len(prepared))
        images.flush()
        recipe_file.write_text(recipe)
    return ImageSet(np.load(image_file, mmap_mode="r"), labels)


def _variants(numbered, plan, copies, smoothed):
    """Network inputs of one scan, float16: augmented copies, or itself and its smoothed copy."""
    import torch

    number, one = numbered
    atlas, voxels, reference = load_atlas(), one.load(), plan.compared_with.voxels
    chosen = [voxels]
    if smoothed:
        chosen.append(smooth_to(voxels, 18.0, atlas.reference))
    if copies:
        augment = scan_augmentation(atlas.reference).set_random_state(plan.seed + 7919 * number)
        chosen += [np.asarray(augment(torch.from_numpy(voxels)[None])[0]) for _ in range(copies - 1)]
    return [plan.preprocessing.apply(variant, atlas, reference).astype(np.float16) for variant in chosen]


def _progress(what, done, total):
    if done % 50 == 0 or done == total:
        print(f"{what}: {done}/{total}", file=sys.stderr, flush=True)
