"""The simulator's two brains as maps of tissue and region codes, 1 mm, in MNI space."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache

import numpy as np
import SimpleITK as sitk

from ..base.resources import resource_path


class Region(IntEnum):
    """Codes of the maps `anatomy_*_1mm.nii.gz`; L and R are the patient's sides."""

    AIR = 0
    SOFT_TISSUE = 1
    SKULL = 2
    CSF = 3
    WHITE_MATTER = 4
    FRONTAL = 5
    PARIETAL = 6
    TEMPORAL = 7
    OCCIPITAL = 8
    CEREBELLUM = 9
    CAUDATE_L = 10
    CAUDATE_R = 11
    ANTERIOR_PUTAMEN_L = 12
    ANTERIOR_PUTAMEN_R = 13
    POSTERIOR_PUTAMEN_L = 14
    POSTERIOR_PUTAMEN_R = 15
    PALLIDUM_L = 16
    PALLIDUM_R = 17
    ACCUMBENS_L = 18
    ACCUMBENS_R = 19
    THALAMUS = 20
    MIDBRAIN = 21
    PONS = 22
    MEDULLA = 23
    INSULA = 24
    AMYGDALA = 25
    HIPPOCAMPUS = 26
    VENTROMEDIAL_FRONTAL = 27
    TEMPORAL_POLE = 28


FIRST_INTRACRANIAL = Region.CSF
ANATOMIES = ("colin27", "icbm152")


@dataclass(frozen=True)
class Anatomy:
    """One brain in its head.

    Attributes:
        name: `colin27` (single subject) or `icbm152` (population average).
        codes: `(x, y, z)` uint8 of `Region`, 1 mm, RAS order.
        origin: RAS mm of voxel (0, 0, 0).
    """

    name: str
    codes: np.ndarray
    origin: np.ndarray

    def mean_position(self, *regions: Region) -> np.ndarray:
        """Centre of gravity (3,) in RAS mm of the union of regions."""
        return np.argwhere(np.isin(self.codes, regions)).mean(axis=0) + self.origin

    def halved(self, value_of_code: np.ndarray) -> np.ndarray:
        """A value for each code as its mean over blocks of 2x2x2 voxels.

        Args:
            value_of_code: (29,) float32, indexed by `Region`.

        Returns:
            `(x // 2, y // 2, z // 2)` float32; its voxel (0, 0, 0) lies 0.5 mm above `origin` on every axis.
        """
        total = np.zeros(self._corners[0].shape, np.float32)
        for low, high in zip(self._corners[::2], self._corners[1::2], strict=True):
            total += value_of_code[low] + value_of_code[high]
        total /= 8
        return total

    @cached_property
    def _corners(self):
        """The codes of each of a block's eight voxels, every one contiguous: a lookup in them is fast."""
        x, y, z = (n - n % 2 for n in self.codes.shape)
        starts = np.ndindex(2, 2, 2)
        return [np.ascontiguousarray(self.codes[i:x:2, j:y:2, k:z:2]) for i, j, k in starts]


@lru_cache(maxsize=2)
def load_anatomy(name: str) -> Anatomy:
    """Read an anatomy; `name` is one of `ANATOMIES`."""
    image = sitk.ReadImage(str(resource_path("Templates", f"anatomy_{name}_1mm.nii.gz")))
    codes = np.ascontiguousarray(sitk.GetArrayFromImage(image).transpose(2, 1, 0))
    codes.flags.writeable = False
    return Anatomy(name, codes, np.array(image.GetOrigin()) * (-1, -1, 1))
