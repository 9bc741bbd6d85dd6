"""Smooth shapes of heads: each head's fixed deformation, each person's own, wider ventricles, smaller nuclei.

All fields are displacements in mm `(3, x, y, z)` on a coarse grid over the head: what is seen at a point `p` lies at
`p + displacement` in the undeformed brain.
"""

import zlib
from functools import lru_cache

import numpy as np
from scipy import ndimage

from .anatomy import Anatomy, Region, load_anatomy

COARSE = 8.0  # mm of the grid
PERSON_LENGTH, HEAD_LENGTH = 28.0, 36.0  # mm over which displacements are alike: sigma of the smoothing

_NUCLEUS_REACH = 15.0  # mm around a nucleus' middle that shrinks with it
_VENTRICLE_REACH = 22.0  # mm over which the widening of the ventricles fades


def smooth_noise(shape, sigma: float, random: np.random.Generator) -> np.ndarray:
    """Gaussian random field of unit variance; `sigma` in voxels."""
    noise = ndimage.gaussian_filter(random.standard_normal(shape, dtype=np.float32), sigma, mode="wrap", truncate=3)
    return noise / noise.std()


def person_field(shape, random: np.random.Generator) -> np.ndarray:
    """A person's own deformation, unit variance."""
    return _field(shape, PERSON_LENGTH, random)


def head_field(anatomy: Anatomy, shape) -> np.ndarray:
    """The fixed deformation of a named head in mm; its name is the seed."""
    random = np.random.default_rng(zlib.crc32(anatomy.name.encode()))
    return anatomy.traits.deformation * _field(shape, HEAD_LENGTH, random)


def _field(shape, length, random):
    return np.stack([smooth_noise(shape, length / COARSE, random) for _ in range(3)])


def widened_ventricles(points: np.ndarray, widening: float) -> np.ndarray:
    """Tissue pushed away from the lateral ventricles' walls.

    Args:
        points: `(x, y, z, 3)` MNI mm of the grid.
        widening: mm by which each wall moves.
    """
    if not widening:
        return np.zeros((3, *points.shape[:-1]), np.float32)
    x, y, z = np.moveaxis(points, -1, 0)
    # The bodies of the ventricles as two rods beside the midline, from the frontal horns to the trigone.
    along = np.clip((18 - y) / 56, 0, 1)
    from_rod = np.stack(
        [x - np.sign(x) * (9 + 9 * along), y - (18 - 56 * along), z - (8 + 10 * np.sin(np.pi * along))]
    )
    distance = np.sqrt((from_rod**2).sum(axis=0)) + 1e-3
    # Next to nothing moves on the rod itself, walls (about 6 mm from it) move most.
    strength = widening * np.tanh(distance / 5) * np.exp(-np.maximum(distance - 6, 0) / _VENTRICLE_REACH)
    outwards = from_rod / distance
    outwards[0] *= np.tanh(np.abs(x) / 6)  # nothing crosses the midline
    return (-strength * outwards).astype(np.float32)


def smaller_nuclei(anatomy: Anatomy, points: np.ndarray, shrinkage: float) -> np.ndarray:
    """Caudates and putamina contracted about their own middles, their surroundings drawn in.

    Args:
        anatomy: whose nuclei.
        points: `(x, y, z, 3)` MNI mm of the grid.
        shrinkage: share of the linear size that is lost; negative for larger nuclei.
    """
    field = np.zeros((3, *points.shape[:-1]), np.float32)
    if not shrinkage:
        return field
    for center in nuclei_centers(anatomy.traits.brain):
        offset = np.moveaxis(points - center, -1, 0)
        weight = np.exp(-(offset**2).sum(axis=0) / (2 * _NUCLEUS_REACH**2))
        field += (shrinkage * weight * offset).astype(np.float32)
    return field


@lru_cache(maxsize=2)
def nuclei_centers(brain: str) -> tuple[np.ndarray, ...]:
    """Middles (3,) in MNI mm of both caudates and both putamina of one of the two brains."""
    anatomy = load_anatomy(brain)
    return tuple(
        anatomy.mean_position(*(Region[f"{part}_{side}"] for part in parts))
        for side in "LR"
        for parts in (("CAUDATE",), ("ANTERIOR_PUTAMEN", "POSTERIOR_PUTAMEN"))
    )


def without_affine_part(field: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Remove the affine part of a field inside a mask, so that the stated affine is the best one there.

    Args:
        field: `(3, x, y, z)`.
        inside: bool, at most as large as one component.
    """
    grid = tuple(slice(0, n) for n in inside.shape)
    design = np.column_stack([np.ones(inside.sum()), *np.nonzero(inside)]).astype(np.float64)
    everywhere = np.column_stack([np.ones(field[0].size), *[axis.ravel() for axis in np.indices(field.shape[1:])]])
    out = np.empty_like(field)
    for k in range(3):
        coefficients, *_ = np.linalg.lstsq(design, field[k][grid][inside].astype(np.float64), rcond=None)
        out[k] = field[k] - (everywhere @ coefficients).reshape(field.shape[1:])
    return out
