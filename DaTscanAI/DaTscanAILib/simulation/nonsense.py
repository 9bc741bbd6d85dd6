"""Images that are no DAT scan, to test that they are refused: perfusion and FDG brains, phantoms, other organs."""

import numpy as np
from scipy import ndimage

from ..mni.geometry import scaling_and_translation
from .anatomy import TRAINING_ANATOMIES, Region, load_anatomy
from .cameras import draw_camera
from .field_of_view import draw_field
from .glands import draw_glands
from .head import Head
from .pose import draw_pose
from .simulator import acquire
from .uptake import Uptake

PHANTOMS = ("cylinder", "blobs", "noise", "torso", "sphere", "thyroid")
KINDS = ("perfusion", "fdg", *PHANTOMS)


def simulate_nonsense(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One image of a kind of `KINDS`: voxels `(x, y, z)` float32 and the voxel-to-RAS affine."""
    random = np.random.default_rng([seed, KINDS.index(kind)])
    if kind in PHANTOMS:
        return _phantom(kind, random)
    return _brain(random, white=0.3 if kind == "perfusion" else 0.38, cerebellum=1.1 if kind == "perfusion" else 0.85)


def _brain(random, white, cerebellum):
    """Blood flow or glucose: grey matter three times white, striatum little above cortex."""
    concentration = np.ones(len(Region))
    concentration[Region.FRONTAL : Region.CEREBELLUM] *= random.normal(1, 0.05, 4)
    concentration[Region.CEREBELLUM] = cerebellum
    concentration[Region.CAUDATE_L : Region.THALAMUS] = 1.15
    concentration[Region.MIDBRAIN : Region.INSULA] = 0.8
    concentration[Region.WHITE_MATTER] = white + random.uniform(0, 0.08)
    concentration[[Region.SOFT_TISSUE, Region.SKULL, Region.CSF, Region.AIR]] = 0.25, 0.1, 0.05, 0
    pose = draw_pose(60, random)
    head = Head(
        load_anatomy(str(random.choice(TRAINING_ANATOMIES))),
        Uptake(concentration, {}),
        draw_glands(random),
        pose,
        random,
    )
    camera = draw_camera(random)
    shown = draw_field(pose, camera.pixel, camera.matrix, random)
    image, affine, *_ = acquire(head, camera, 0.0, (shown.bottom, shown.top), random)
    return image, affine


def _phantom(kind, random):
    pixel, shape = random.uniform(3, 4.5), (128, 128, 60)
    grid = np.stack(np.meshgrid(*[(np.arange(n) - (n - 1) / 2) * pixel for n in shape], indexing="ij"))
    activity = _ACTIVITY[kind](grid, random)
    blurred = ndimage.gaussian_filter(activity, 4.4 / pixel)
    counts = random.poisson(blurred / max(blurred.max(), 1e-6) * random.uniform(10, 80) + 0.5).astype(np.float32)
    image = ndimage.gaussian_filter(counts, random.uniform(0, 1.5))
    return image, scaling_and_translation(pixel, -(np.array(shape) - 1) / 2 * pixel)


def _ellipsoid(grid, center, radii):
    return sum(((x - c) / r) ** 2 for x, c, r in zip(grid, center, radii, strict=True)) <= 1


def _cylinder(grid, _):
    return ((grid[0] ** 2 + grid[1] ** 2 < 100**2) & (np.abs(grid[2]) < 85)).astype(float)


def _noise(grid, _):
    return np.zeros(grid.shape[1:])


def _sphere(grid, _):
    return ((grid**2).sum(axis=0) < 80**2).astype(float)


def _blobs(grid, random):
    return sum(
        random.uniform(0.3, 3) * _ellipsoid(grid, random.uniform(-90, 90, 3), random.uniform(10, 40, 3))
        for _ in range(8)
    )


def _torso(grid, _):
    body = 0.5 * ((grid[0] / 170) ** 2 + (grid[1] / 110) ** 2 < 1)
    lungs = _ellipsoid(grid, (-60, 0, 0), (45, 60, 110)) | _ellipsoid(grid, (60, 0, 0), (45, 60, 110))
    return body - 0.4 * lungs * (body > 0) + 3 * _ellipsoid(grid, (70, -20, -60), (45, 45, 45))


def _thyroid(grid, _):
    neck = 0.15 * (grid[0] ** 2 + grid[1] ** 2 < 65**2)
    return neck + 5.0 * (
        _ellipsoid(grid, (-22, 30, -30), (12, 12, 28)) | _ellipsoid(grid, (22, 30, -30), (12, 12, 28))
    )


_ACTIVITY = {
    "cylinder": _cylinder,
    "blobs": _blobs,
    "noise": _noise,
    "torso": _torso,
    "sphere": _sphere,
    "thyroid": _thyroid,
}
