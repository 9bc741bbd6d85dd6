"""What a camera records beside the primary photons: scatter, septal penetration, Poisson noise."""

import numpy as np
from scipy import ndimage

from ..reconstruction.camera import Camera


def scatter(primary: np.ndarray, camera: Camera) -> np.ndarray:
    """Scattered and penetrating photons `(views, size, slices)` from the primary counts.

    Scatter in the photopeak window is the primary image blurred with wide tails (two Gaussians of 22 and 55 mm, as
    measured line-spread functions of a head show); penetration of 529-keV photons is nearly flat.
    """
    wide = [
        ndimage.gaussian_filter(primary, (0, sigma, sigma), mode="constant", truncate=2.5)
        for sigma in (22 / camera.pixel, 55 / camera.pixel)
    ]
    flat = np.broadcast_to(primary.mean(axis=(1, 2), keepdims=True), primary.shape)
    return camera.scatter_ratio * (0.7 * wide[0] + 0.3 * wide[1]) + camera.penetration_ratio * flat


def record(expected: np.ndarray, counts: float, random: np.random.Generator) -> np.ndarray:
    """Poisson counts of projections scaled to a total."""
    return random.poisson(expected * (counts / expected.sum())).astype(np.float32)
