"""Random changes of training scans: pose left over by registration, other cameras' blur and noise, gain.

Strong, even unrealistic blur and noise make a network robust to cameras that it never saw (Buddenkotte and Buchert
2024, J Nucl Med 65:1463). After either the scan is scaled to its reference region again, as by
`quantification.scaling.normalize`. The transforms are MONAI's.
"""

import numpy as np

from ..mni.atlas import GRID_SPACING
from ..mni.geometry import FWHM_PER_SIGMA
from ..quantification.scaling import REFERENCE_PERCENTILE

BLUR = (4.0, 20.0)  # mm FWHM, weakest and strongest
NOISE = 0.6  # strongest standard deviation of a voxel, in multiples of the reference level


def scan_augmentation(reference: np.ndarray):
    """A MONAI transform of `(1, x, y, z)` tensors; seed it with `set_random_state`.

    Args:
        reference: bool `(x, y, z)`, the reference region in the image's box.
    """
    from monai.transforms import Compose, OneOf, RandAffine, RandGaussianNoise, RandScaleIntensity

    noise = RandGaussianNoise(prob=1.0, std=NOISE)
    return Compose(
        [
            RandAffine(
                prob=0.8,
                rotate_range=[np.deg2rad(4)] * 3,
                shear_range=[0.02] * 3,
                translate_range=[1.5] * 3,
                scale_range=[0.05] * 3,
                mode="bilinear",
                padding_mode="border",
            ),
            # Correlated noise is what filters leave.
            OneOf(
                [Compose([]), _random_blur(*BLUR), noise, Compose([noise, _random_blur(2.0, 6.0)])],
                weights=[0.25, 0.35, 0.15, 0.25],
            ),
            _scaling_to(reference),
            RandScaleIntensity(0.1, prob=0.5),
        ]
    )


def _random_blur(weakest, strongest):
    """Isotropic Gaussian of random width in mm FWHM (MONAI's own draws a width for each axis)."""
    from monai.transforms import GaussianSmooth, Randomizable, Transform

    class RandomBlur(Randomizable, Transform):
        def __call__(self, image):
            return GaussianSmooth(self.R.uniform(weakest, strongest) / FWHM_PER_SIGMA / GRID_SPACING)(image)

    return RandomBlur()


def _scaling_to(reference):
    from monai.transforms import Lambda

    inside = np.flatnonzero(reference)

    def scale(image):
        level = np.percentile(np.asarray(image).reshape(-1)[inside], REFERENCE_PERCENTILE)
        return image / max(float(level), 1e-3)

    return Lambda(scale)


def smooth_to(voxels: np.ndarray, fwhm: float, reference: np.ndarray) -> np.ndarray:
    """A normalized scan blurred by `fwhm` mm and scaled again: the 18-mm copies of Wenzel 2019.

    Args:
        voxels: `(91, 109, 91)` normalized.
        reference: bool of the same shape.
    """
    from scipy import ndimage

    blurred = ndimage.gaussian_filter(voxels.astype(np.float32), fwhm / FWHM_PER_SIGMA / GRID_SPACING, truncate=3)
    return blurred / np.percentile(blurred[reference], REFERENCE_PERCENTILE)
