"""Uptake of a scan in spheres of 5 mm radius, as it was also measured in the mean map of healthy persons."""

from functools import lru_cache

import numpy as np

from ..mni.atlas import GRID_AFFINE, GRID_SHAPE, Atlas
from ..mni.geometry import apply_affine

_SPHERE_RADIUS = 5.0  # mm
SPHERES = {  # MNI mm, right side where there are two
    "caudate": (12.5, 10, 7),
    "anterior_putamen": (26, 8.5, -1),
    "posterior_putamen": (31, -7, 0),
    "accumbens": (9.5, 11, -8),
    "pallidum": (20, 0, 0),
    "amygdala": (23, -1, -18),
    "hippocampus": (27, -20, -12),
    "midbrain": (8, -18, -14),
    "thalamus": (11, -18, 8),
    "insula": (38, 6, 2),
    "pons": (0, -30, -33),
}


def sphere_uptake(voxels: np.ndarray, atlas: Atlas) -> dict[str, float]:
    """Mean of both sides' spheres over the mean of the occipital lobes.

    Args:
        voxels: `(91, 109, 91)` in MNI space, in any unit.
    """
    occipital = [number for number, (_, lobe, _) in atlas.names.items() if lobe == "occipital"]
    level = voxels[np.isin(atlas.labels, occipital)].mean()
    return {name: float(voxels[_sphere(center)].mean() / level) for name, center in SPHERES.items()}


@lru_cache(maxsize=len(SPHERES))
def _sphere(center):
    """Voxels within 5 mm of a point or of its mirror image."""
    points = apply_affine(GRID_AFFINE, np.moveaxis(np.indices(GRID_SHAPE), 0, -1).astype(float))
    points[..., 0] = np.abs(points[..., 0])
    return ((points - np.abs([center[0], 0, 0]) - (0, *center[1:])) ** 2).sum(axis=-1) <= _SPHERE_RADIUS**2
