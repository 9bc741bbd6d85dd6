"""How archives keep images: few grey levels, windows, cut-off backgrounds, masks, MNI grids."""

import numpy as np
from scipy import ndimage

from ..mni.atlas import GRID_AFFINE, GRID_SHAPE, load_atlas
from ..mni.geometry import apply_affine, resample
from .pose import MIDDLE, rotation

# Shares of the kinds in a cohort by default: most scans are plain.
STORAGE_SHARES = {
    "plain": 0.64,
    "few_integers": 0.06,
    "window_8_bit": 0.05,
    "zero_background": 0.08,
    "zero_outside_circle": 0.05,
    "nan_outside_circle": 0.02,
    "zero_outside_brain": 0.03,
    "nan_outside_brain": 0.02,
    "mni": 0.05,
}
STORAGES = tuple(STORAGE_SHARES)
_LARGEST = 32000  # of int16, as scanners store images


def draw_storage(random: np.random.Generator) -> str:
    """A kind with its share."""
    return str(random.choice(STORAGES, p=list(STORAGE_SHARES.values())))


def store(
    voxels: np.ndarray, affine: np.ndarray, scanner_from_mni: np.ndarray, storage: str, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A scan as an archive of a kind keeps it.

    Args:
        voxels: `(x, y, z)` float32.
        affine: 4x4 to scanner RAS mm.
        scanner_from_mni: the true affine.
        storage: of `STORAGES`.
        random: of levels, thresholds, radii.

    Returns:
        (voxels, affine, scanner_from_mni) as stored: int16, uint8, or float32 where NaN or MNI values are.
    """
    if storage == "mni":
        return _in_mni(voxels, affine, scanner_from_mni, random)
    stored = _STORE[storage](voxels, affine, scanner_from_mni, random)
    if stored.dtype == np.float32 and not storage.startswith("nan"):
        stored = as_integers(stored, _LARGEST)
    return stored, affine, scanner_from_mni


def as_integers(voxels: np.ndarray, largest: int) -> np.ndarray:
    """int16 with a given maximum."""
    return np.rint(voxels * (largest / max(voxels.max(), 1e-12))).astype(np.int16)


def _plain(voxels, *_):
    return as_integers(voxels, _LARGEST)


def _few_integers(voxels, _, __, random):
    """Counts per voxel: maxima from 3 to 300."""
    return as_integers(voxels, round(float(np.exp(random.uniform(np.log(3), np.log(300))))))


def _window_8_bit(voxels, _, __, random):
    """What a screen shows: lowest values cut off, highest clipped at 80 to 100 % of the maximum."""
    low, high = random.uniform(0, 0.08) * voxels.max(), random.uniform(0.8, 1.0) * voxels.max()
    return np.rint(255 * np.clip((voxels - low) / (high - low), 0, 1)).astype(np.uint8)


def _zero_background(voxels, _, __, random):
    """Everything below a share of the brain's level set to zero."""
    level = np.median(voxels[voxels > voxels.mean()])
    return np.where(voxels < random.uniform(0.15, 0.5) * level, 0, voxels).astype(np.float32)


def _circle(voxels, affine, scanner_from_mni, random):
    """Inside a circle around the head in each slice."""
    center = (np.linalg.inv(affine) @ scanner_from_mni @ (*MIDDLE, 1))[:2]
    spacing = np.sqrt((affine[:3, 0] ** 2).sum())
    radius = random.uniform(105, 150) / spacing
    x, y = np.ogrid[: voxels.shape[0], : voxels.shape[1]]
    inside = (x - center[0]) ** 2 + (y - center[1]) ** 2 < radius**2
    return np.broadcast_to(inside[..., None], voxels.shape)


def _brain(voxels, affine, scanner_from_mni, random):
    """Inside the brain, two to ten millimeters more."""
    brain = ndimage.binary_dilation(load_atlas().brain, iterations=int(random.integers(1, 6)))
    brain = ndimage.binary_fill_holes(brain).astype(np.float32)  # a mask's own holes are another fault
    return resample(brain, np.linalg.inv(scanner_from_mni @ GRID_AFFINE) @ affine, voxels.shape) > 0.5


def _masked(mask, outside):
    def masked(voxels, *others):
        return np.where(mask(voxels, *others), voxels, np.float32(outside)).astype(np.float32)

    return masked


def _in_mni(voxels, affine, scanner_from_mni, random):
    """Resliced to MNI by somebody's registration, which is off by up to some millimeters and degrees."""
    error = np.eye(4)
    error[:3, :3] = rotation(*random.normal(0, 2, 3)) @ np.diag(random.normal(1, 0.02, 3))
    error[:3, 3] = random.normal(0, 2, 3) + MIDDLE - apply_affine(error, MIDDLE)
    resliced = resample(voxels, np.linalg.inv(affine) @ scanner_from_mni @ error @ GRID_AFFINE, GRID_SHAPE)
    return resliced.astype(np.float32), GRID_AFFINE.copy(), np.linalg.inv(error)


_STORE = {
    "plain": _plain,
    "few_integers": _few_integers,
    "window_8_bit": _window_8_bit,
    "zero_background": _zero_background,
    "zero_outside_circle": _masked(_circle, 0.0),
    "nan_outside_circle": _masked(_circle, np.nan),
    "zero_outside_brain": _masked(_brain, 0.0),
    "nan_outside_brain": _masked(_brain, np.nan),
}
