"""Random changes of training scans: pose left over by registration, other cameras' blur and noise, gain.

Strong, even unrealistic blur and noise make a network robust to cameras that it never saw (Buddenkotte and Buchert
2024, J Nucl Med 65:1463); Poisson noise and turns helped on uncurated scans (DaT-Park 2026), changes of gamma did
not. Turns are those that registration leaves. After blur and noise the scan is scaled to its reference region again,
as by `quantification.scaling.normalize`.
"""

import numpy as np
from scipy import ndimage

from ..mni.atlas import GRID_SPACING
from ..mni.geometry import FWHM_PER_SIGMA
from ..quantification.scaling import REFERENCE_PERCENTILE

TURN, SHIFT = 6.0, 3.0  # degrees and mm, largest
SIZE, SHEAR = 0.06, 0.02
BLUR = (4.0, 20.0)  # mm FWHM, weakest and strongest
FILTER = (2.0, 8.0)  # mm FWHM of what a camera's software does to noise
COUNTS = (2.0, 60.0)  # fewest and most in a voxel of the reference level
GAIN = 0.1
# Blur, noise, noise with a filter after it, neither.
_KINDS, _SHARES = ("blur", "noise", "filtered noise", "none"), (0.35, 0.15, 0.30, 0.20)


def augment(voxels: np.ndarray, reference: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A changed copy of a normalized scan; the same state of `random` gives the same one.

    Args:
        voxels: `(91, 109, 91)`, reference level 1.
        reference: bool of the same shape, the reference region.
    """
    image = _moved(voxels.astype(np.float32), random) if random.random() < 0.8 else voxels.astype(np.float32)
    kind = random.choice(_KINDS, p=_SHARES)
    if "noise" in kind:
        image = _noisy(image, np.exp(random.uniform(*np.log(COUNTS))), random)
    if kind in ("blur", "filtered noise"):
        image = _blurred(image, random.uniform(*(BLUR if kind == "blur" else FILTER)))
    gain = random.uniform(1 - GAIN, 1 + GAIN) if random.random() < 0.5 else 1.0
    return image * np.float32(gain / max(float(np.percentile(image[reference], REFERENCE_PERCENTILE)), 1e-3))


def smooth_to(voxels: np.ndarray, fwhm: float, reference: np.ndarray) -> np.ndarray:
    """A normalized scan blurred by `fwhm` mm and scaled again: the 18-mm copies of Wenzel 2019.

    Args:
        voxels: `(91, 109, 91)` normalized.
        reference: bool of the same shape.
    """
    blurred = _blurred(voxels.astype(np.float32), fwhm)
    return blurred / np.percentile(blurred[reference], REFERENCE_PERCENTILE)


def _moved(image, random):
    """Turned about the middle, shifted, stretched and sheared by small random amounts."""
    turns = np.deg2rad(random.uniform(-TURN, TURN, 3))
    matrix = np.diag(random.uniform(1 - SIZE, 1 + SIZE, 3)) + random.uniform(-SHEAR, SHEAR, (3, 3)) * (1 - np.eye(3))
    for axis, turn in enumerate(turns):
        first, second = (other for other in range(3) if other != axis)
        rotation = np.eye(3)
        rotation[[first, second], [first, second]] = np.cos(turn)
        rotation[first, second], rotation[second, first] = -np.sin(turn), np.sin(turn)
        matrix = rotation @ matrix
    middle = (np.array(image.shape) - 1) / 2
    offset = middle - matrix @ middle + random.uniform(-SHIFT, SHIFT, 3) / GRID_SPACING
    return ndimage.affine_transform(image, matrix, offset, order=1, mode="nearest", output=np.float32)


def _noisy(image, counts, random):
    """Poisson noise of so many counts in a voxel of level 1, as a Gaussian of that variance cut at 0."""
    noise = random.standard_normal(image.shape, np.float32)
    return np.maximum(image + noise * np.sqrt(np.maximum(image, 0) / np.float32(counts)), 0)


def _blurred(image, fwhm):
    return ndimage.gaussian_filter(image, fwhm / FWHM_PER_SIGMA / GRID_SPACING, truncate=3)
