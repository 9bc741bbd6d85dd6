"""Small cohorts of scans made in MNI space from the atlas, ready prepared: cheap input of the studies."""

import csv
import json
from functools import cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from DaTscanAILib.benchmarking.zennit_peer import declare_torchvision_operators
from DaTscanAILib.mni.atlas import GRID_SHAPE, load_atlas
from DaTscanAILib.quantification.mirroring import ipsilateral_left
from DaTscanAILib.quantification.sbr import quantify
from DaTscanAILib.quantification.scaling import Normalized

CAUDATE, PUTAMEN, INSULA = (71, 72), (73, 74), (29, 30)
RESOLUTIONS = (10.0, 12.0, 14.0)  # mm FWHM
NORMAL_RATIO = 6.0


def make_torchvision_importable():
    """Declares the operators that torchvision lacks beside a CPU build of torch; the studies use none of them."""
    try:
        import torchvision.models
    except RuntimeError:
        declare_torchvision_operators()
        import torchvision.models
    return torchvision.models


@cache
def blurred(labels: tuple[int, ...], fwhm: float) -> np.ndarray:
    """A region of the atlas as a camera of this resolution sees it; no labels stand for the whole brain."""
    atlas = load_atlas()
    region = np.isin(atlas.labels, labels) if labels else atlas.brain
    return ndimage.gaussian_filter(region.astype(np.float32), fwhm / 2.3548 / 2, truncate=3)


@cache
def _noise():
    return ndimage.gaussian_filter(np.random.default_rng(99).standard_normal(GRID_SHAPE).astype(np.float32), 2) * 8


def synthetic_scan(random, reduced: bool, insula_loss: float = 0.0, noise: float = 0.05) -> np.ndarray:
    """A normalized scan `(91, 109, 91)`, patient's left left; reduced ones lack 40 to 75 % in a putamen.

    Args:
        insula_loss: share of the insula's uptake that reduced scans lack.
    """
    fwhm = float(random.choice(RESOLUTIONS))
    voxels = 1.0 * blurred((), fwhm)
    worse = random.integers(2)
    for side in (0, 1):
        loss = random.uniform(0.4, 0.75) * (1.0 if side == worse else random.uniform(0.4, 0.9)) if reduced else 0.0
        common = NORMAL_RATIO * random.normal(1, 0.08)
        voxels = voxels + common * (1 - loss) * blurred(PUTAMEN[side : side + 1], fwhm)
        voxels = voxels + common * (1 - 0.4 * loss) * blurred(CAUDATE[side : side + 1], fwhm)
    voxels = voxels + (0.2 - insula_loss * reduced) * blurred(INSULA, fwhm)
    voxels = voxels + noise * np.roll(_noise(), random.integers(0, 60, 3), (0, 1, 2))
    return (voxels / np.percentile(voxels[load_atlas().reference], 75)).astype(np.float32)


def write_cohort(folder: Path, count: int, seed: int = 0, insula_loss: float = 0.0) -> tuple[Path, Path]:
    """A manifest and its cache of prepared scans, every other scan reduced.

    Returns:
        Paths of the manifest and of the cache, for `--manifest` and `--prepared`.
    """
    random, atlas = np.random.default_rng(seed), load_atlas()
    prepared = folder / "prepared"
    prepared.mkdir(parents=True)
    rows = []
    for number in range(count):
        name, reduced = f"case{number:03d}", bool(number % 2)
        voxels = synthetic_scan(random, reduced, insula_loss)
        found = quantify(Normalized(voxels, np.ones(GRID_SHAPE, bool), 1.0), atlas)
        np.save(prepared / f"{name}.npy", ipsilateral_left(voxels, found.mirrored).astype(np.float16))
        facts = {
            "sbr": found.sbr,
            "sbr_aal": found.sbr_aal,
            "asymmetry_percent": found.asymmetry_percent,
            "mirrored": found.mirrored,
            "quality": 1.0,
            "accepted": True,
        }
        (prepared / f"{name}.json").write_text(json.dumps(facts))
        (folder / f"{name}.nii.gz").touch()  # never read: the cache has it
        age, sex = round(float(random.normal(67, 11)), 1), "FM"[number // 2 % 2]
        rows.append([name, f"{name}.nii.gz", "reduced" if reduced else "normal", age, sex])
    with (folder / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["case", "scan", "label", "age", "sex"], *rows])
    return folder / "manifest.csv", prepared
