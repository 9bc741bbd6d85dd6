"""Chang's first-order correction of attenuation (1978, IEEE Trans Nucl Sci 25:638)."""

import numpy as np
from scipy import ndimage


def chang_factors(outline: np.ndarray, pixel: float, attenuation: float, directions: int = 24) -> np.ndarray:
    """Factors that correct the attenuation of a uniform head.

    Args:
        outline: `(size, size, slices)` head mask.
        pixel: mm.
        attenuation: effective (broad-beam) coefficient, 1/mm.
        directions: evenly around the head, in which the way out is averaged.

    Returns:
        Factors >= 1 of the same shape, 1 outside.
    """
    total = np.zeros(outline.shape, np.float32)
    mask = outline.astype(np.float32)
    for angle in np.arange(directions) * 360 / directions:
        turned = ndimage.rotate(mask, angle, axes=(0, 1), reshape=False, order=1)
        length = (np.cumsum(turned[::-1], axis=0)[::-1] - turned / 2) * pixel
        total += ndimage.rotate(np.exp(-attenuation * length), -angle, axes=(0, 1), reshape=False, order=1, cval=1.0)
    return np.where(outline, directions / np.maximum(total, 1e-3), 1.0).astype(np.float32, copy=False)
