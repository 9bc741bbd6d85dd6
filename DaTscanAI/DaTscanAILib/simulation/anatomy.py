"""The simulator's heads: two brains as maps of tissue and region codes (1 mm, MNI space), and ten heads made of them.

A named head is one of the two brains under a strong smooth deformation of its own (`deformation.py`, fixed by the
head's name), with its own breadth, white matter, scalp and skull. They share the two brains' topology: a head that is
held out is new in shape and in uptake outside the striatum, not in the pattern of its gyri.
"""

from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Traits:
    """What makes a head of a brain; uptakes are relative to cortical grey matter, (lowest, highest) of its owners.

    Attributes:
        brain: `colin27` (single subject) or `icbm152` (population average).
        deformation: standard deviation in mm of its fixed smooth deformation.
        breadth: left-right over front-back size against MNI's; 1.08 is a short, broad head (brachycephaly).
        height: size from neck to vertex against MNI's.
        white_matter: non-specific uptake.
        scalp: uptake of skin, muscle and fat.
        skull: uptake of bone and marrow.
        ventricles: mm by which the lateral ventricles are wider than the brain's at 50 years.
        nuclei: linear size of caudates and putamina against the brain's.
    """

    brain: str
    deformation: float = 0.0
    breadth: float = 1.0
    height: float = 1.0
    white_matter: tuple[float, float] = (0.80, 1.0)
    scalp: tuple[float, float] = (0.15, 0.55)
    skull: tuple[float, float] = (0.10, 0.35)
    ventricles: float = 0.0
    nuclei: float = 1.0


HEADS = {
    "colin27": Traits("colin27"),
    "icbm152": Traits("icbm152"),
    "colin27_broad": Traits("colin27", 2.5, breadth=1.09, height=0.98, white_matter=(0.70, 0.90)),
    "icbm152_broad": Traits("icbm152", 3.0, breadth=1.06, scalp=(0.40, 1.0), nuclei=0.98),
    "colin27_long": Traits("colin27", 2.5, breadth=0.95, ventricles=0.8, white_matter=(0.75, 1.0)),
    "icbm152_long": Traits("icbm152", 2.5, breadth=0.94, height=1.03, skull=(0.20, 0.70)),
    "colin27_pale": Traits("colin27", 2.5, white_matter=(0.50, 0.70), nuclei=1.03),
    "icbm152_pale": Traits("icbm152", 3.0, white_matter=(0.55, 0.80), ventricles=1.0, height=0.97),
    "colin27_wide_ventricles": Traits("colin27", 2.5, ventricles=2.0, nuclei=0.97, white_matter=(0.75, 0.95)),
    "icbm152_wide_ventricles": Traits("icbm152", 2.5, ventricles=2.5, nuclei=0.96, scalp=(0.15, 0.8)),
    "colin27_apart": Traits(
        "colin27", 3.5, breadth=1.05, white_matter=(0.60, 0.90), scalp=(0.25, 0.90), ventricles=1.0, nuclei=0.97
    ),
    "icbm152_apart": Traits(
        "icbm152", 3.5, breadth=0.97, white_matter=(0.65, 1.0), skull=(0.15, 0.60), ventricles=1.5, nuclei=0.97
    ),
}
ANATOMIES = tuple(HEADS)
# Not in basis, template or training: for every published figure on an unseen head.
HELD_OUT = ("colin27_apart", "icbm152_apart")
TRAINING_ANATOMIES = tuple(name for name in ANATOMIES if name not in HELD_OUT)


@dataclass(frozen=True)
class Anatomy:
    """One brain in its head.

    Attributes:
        name: of `ANATOMIES`.
        codes: `(x, y, z)` uint8 of `Region` of the undeformed brain, 1 mm, RAS order.
        origin: RAS mm of voxel (0, 0, 0).
        traits: what makes the head of the brain.
        patterns: `(n, 8)` the codes in every different block of 2x2x2 voxels; there are some thousand.
        pattern_of_block: `(x // 2, y // 2, z // 2)`, index of `patterns`.
    """

    name: str
    codes: np.ndarray = field(repr=False)
    origin: np.ndarray
    traits: Traits
    patterns: np.ndarray = field(repr=False)
    pattern_of_block: np.ndarray = field(repr=False)

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
        values = value_of_code[self.patterns.T]
        mean = sum(values[::2] + values[1::2]) / np.float32(8)
        return mean[self.pattern_of_block]


def load_anatomy(name: str) -> Anatomy:
    """Read an anatomy; `name` is one of `ANATOMIES`."""
    codes, origin, patterns, pattern_of_block = _load_brain(HEADS[name].brain)
    return Anatomy(name, codes, origin, HEADS[name], patterns, pattern_of_block)


@lru_cache(maxsize=2)
def _load_brain(brain):
    """Codes `(x, y, z)`, RAS position of the first voxel, and the blocks of 2x2x2 codes as `Anatomy` has them."""
    image = sitk.ReadImage(str(resource_path("Templates", f"anatomy_{brain}_1mm.nii.gz")))
    codes = np.ascontiguousarray(sitk.GetArrayFromImage(image).transpose(2, 1, 0))
    codes.flags.writeable = False
    x, y, z = (n - n % 2 for n in codes.shape)
    blocks = np.stack([codes[i:x:2, j:y:2, k:z:2] for i, j, k in np.ndindex(2, 2, 2)], axis=-1)
    patterns, pattern_of_block = np.unique(blocks.view(np.uint64)[..., 0], return_inverse=True)
    pattern_of_block = pattern_of_block.astype(np.int32).reshape(blocks.shape[:3])
    return codes, np.array(image.GetOrigin()) * (-1, -1, 1), patterns.view(np.uint8).reshape(-1, 8), pattern_of_block
