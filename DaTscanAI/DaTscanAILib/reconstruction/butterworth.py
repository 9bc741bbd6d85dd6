"""The three-dimensional Butterworth filter that many hospitals put on an image."""

import numpy as np
from scipy import fft


def butterworth(image: np.ndarray, pixel: float, cutoff: float, order: float) -> np.ndarray:
    """Three-dimensional Butterworth low pass 1 / sqrt(1 + (f/cutoff)^(2 order)).

    By cosine transforms, which continue the image as its mirror image beyond each end. Fourier's would continue it
    with its other end: the neck would shine through the vertex.

    Args:
        image: `(x, y, z)`.
        pixel: edge of a voxel, mm.
        cutoff: frequency where half the power is left, cycles/mm.
        order: how steeply the gain falls there.

    Returns:
        float32 of the same shape.
    """
    frequencies = [np.arange(n) / (2 * n * pixel) for n in image.shape]
    squared = sum(np.meshgrid(*[f**2 for f in frequencies], indexing="ij", sparse=True))
    gain = 1 / np.sqrt(1 + (squared / cutoff**2) ** order)
    return fft.idctn(fft.dctn(image, norm="ortho") * gain, norm="ortho").astype(np.float32)
