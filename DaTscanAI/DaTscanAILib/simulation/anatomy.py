"""The simulator's two brains as maps of tissue and region codes, 1 mm, in MNI space."""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

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


@lru_cache(maxsize=2)
def load_anatomy(name: str) -> Anatomy:
    """Read an anatomy; `name` is one of `ANATOMIES`."""
    image = sitk.ReadImage(str(resource_path("Templates", f"anatomy_{name}_1mm.nii.gz")))
    codes = np.ascontiguousarray(sitk.GetArrayFromImage(image).transpose(2, 1, 0))
    codes.flags.writeable = False
    return Anatomy(name, codes, np.array(image.GetOrigin()) * (-1, -1, 1))
