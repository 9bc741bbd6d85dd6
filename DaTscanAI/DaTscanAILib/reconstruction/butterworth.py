"""The three-dimensional Butterworth filter that many hospitals put on an image."""

import numpy as np


def butterworth(image: np.ndarray, pixel: float, cutoff: float, order: float) -> np.ndarray:
    """Three-dimensional Butterworth low pass 1 / sqrt(1 + (f/cutoff)^(2 order)).

    Args:
        image: `(x, y, z)`.
        pixel: edge of a voxel, mm.
        cutoff: frequency where half the power is left, cycles/mm.
        order: how steeply the gain falls there.

    Returns:
        float32 of the same shape.
    """
    squared = sum(
        np.meshgrid(
            *[np.fft.fftfreq(n, pixel) ** 2 for n in image.shape[:2]],
            np.fft.rfftfreq(image.shape[2], pixel) ** 2,
            indexing="ij",
        )
    )
    gain = 1 / np.sqrt(1 + (squared / cutoff**2) ** order)
    return np.fft.irfftn(np.fft.rfftn(image) * gain, image.shape, axes=(0, 1, 2)).astype(np.float32)
