"""The image that a camera's own software would make of its projections."""

import numpy as np
from scipy import ndimage

from ..mni.geometry import FWHM_PER_SIGMA
from ..reconstruction.butterworth import butterworth
from ..reconstruction.camera import Camera
from ..reconstruction.chang import chang_factors
from ..reconstruction.filtered_back_projection import filtered_back_projection
from ..reconstruction.osem import osem
from ..reconstruction.projector import Projector


def widen(volume: np.ndarray, size: int, axes: tuple[int, ...]) -> np.ndarray:
    """Zeros on both sides of the given axes up to `size`."""
    margins = [((size - n) // 2, (size - n + 1) // 2) if k in axes else (0, 0) for k, n in enumerate(volume.shape)]
    return np.pad(volume, margins)


def reconstruct_counts(counts: np.ndarray, camera: Camera, projector: Projector, scattered: np.ndarray) -> np.ndarray:
    """The image that a camera's own software would give, never negative, as wide as the camera's matrix.

    Args:
        counts: projections `(views, size, slices)`.
        camera: says how to reconstruct.
        projector: of the camera and the head's attenuation, for the methods that correct it.
        scattered: expected scatter `(views, size, slices)`, for the methods that correct attenuation.

    Returns:
        `(matrix, matrix, slices)` float32.
    """
    if not camera.reconstruction.startswith("fbp"):
        return widen(_iterative(counts, camera, projector, scattered), camera.matrix, (0, 1))
    image = filtered_back_projection(widen(counts, camera.matrix, (1,)), camera.pixel)
    if camera.reconstruction != "fbp_shepp_logan":
        image = butterworth(image, camera.pixel, camera.butterworth_cutoff, camera.butterworth_order)
    if camera.reconstruction.endswith("chang"):
        outline = projector.attenuation > projector.attenuation.max() / 2
        image *= widen(chang_factors(outline, camera.pixel, camera.chang_attenuation), camera.matrix, (0, 1))
    return np.maximum(image, 0)


def _iterative(counts, camera, projector, scattered):
    corrects = "ac" in camera.reconstruction
    if not corrects:
        projector = Projector(camera, counts.shape[1], None, resolve=False)
    elif not camera.reconstruction.endswith("rr"):
        projector = projector.unblurred()
    background = camera.scatter_correction * scattered if corrects else 0.0
    image = osem(counts, projector, camera.iterations, camera.subsets, background)
    return ndimage.gaussian_filter(image, camera.post_filter / FWHM_PER_SIGMA / camera.pixel)
