"""Images of heads that are no DAT scan: MRI contrasts, CT, maps of tissue and labels, other tracers.

Made of the simulator's heads by a value for each region, the scanner's resolution, a slow shading and noise; coarse
but with the contrasts by which each kind is told. Perfusion and FDG SPECT come from `simulation/nonsense.py`.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from DaTscanAILib.mni.geometry import FWHM_PER_SIGMA, translation
from DaTscanAILib.simulation.anatomy import ANATOMIES, FIRST_INTRACRANIAL, Region, load_anatomy
from DaTscanAILib.simulation.pose import MIDDLE, rotation

_STRIATUM = range(Region.CAUDATE_L, Region.THALAMUS)
_GREY = (*range(Region.FRONTAL, Region.CEREBELLUM), *range(Region.INSULA, len(Region)))


@dataclass(frozen=True)
class Contrast:
    """Values of tissues, grey matter of the cortex about 1 unless that is the point.

    Attributes:
        cortex to stem, csf, white, soft, skull, air: of the regions; `stem` holds midbrain, pons and medulla.
        fwhm: (finest, coarsest) resolution in mm.
        noise: standard deviation.
        stripped: whether such images often come without skull.
        whole_numbers: values are codes, neither blurred nor noisy.
    """

    cortex: float
    striatum: float
    thalamus: float
    cerebellum: float
    stem: float
    csf: float
    white: float
    soft: float = 0.0
    skull: float = 0.0
    air: float = 0.0
    fwhm: tuple[float, float] = (0.0, 1.5)
    noise: float = 0.03
    stripped: bool = True
    whole_numbers: bool = False


_PET = {"fwhm": (4.5, 7.0), "noise": 0.08, "soft": 0.15, "skull": 0.08}
CONTRASTS = {
    "t1": Contrast(0.70, 0.80, 0.88, 0.72, 0.95, 0.25, 1.0, soft=0.8, skull=0.25, air=0.02),
    "t2": Contrast(1.10, 1.00, 0.95, 1.05, 0.85, 2.4, 0.75, soft=0.7, skull=0.15, air=0.02),
    "pd": Contrast(1.00, 0.97, 0.93, 1.00, 0.85, 1.1, 0.80, soft=0.8, skull=0.2, air=0.02),
    "flair": Contrast(1.00, 1.00, 0.95, 0.98, 0.85, 0.15, 0.82, soft=0.6, skull=0.15, air=0.02),
    "epi": Contrast(1.00, 0.90, 0.90, 0.95, 0.75, 1.6, 0.70, soft=0.25, skull=0.1, air=0.02, fwhm=(3.0, 4.0)),
    "ct": Contrast(1062, 1062, 1060, 1058, 1055, 1030, 1054, 1040, 1900, 0, noise=8, stripped=False),
    "grey_matter_map": Contrast(1, 1, 0.6, 1, 0.2, 0, 0, noise=0.01),
    "white_matter_map": Contrast(0, 0, 0.4, 0, 0.8, 0, 1, noise=0.01),
    "tissue_labels": Contrast(2, 2, 2, 2, 3, 1, 3, whole_numbers=True),
    "brain_mask": Contrast(1, 1, 1, 1, 1, 1, 1, whole_numbers=True),
    "d2": Contrast(0.40, 3.6, 0.75, 0.2, 0.35, 0.1, 0.2, **_PET),
    "serotonin": Contrast(0.60, 2.0, 2.1, 0.35, 2.4, 0.1, 0.35, **_PET),
    "gaba": Contrast(1.00, 0.40, 0.55, 0.75, 0.25, 0.05, 0.15, **_PET),
    "amyloid": Contrast(0.75, 0.85, 1.0, 0.65, 1.3, 0.3, 1.15, **_PET),
    "region_labels": Contrast(0, 0, 0, 0, 0, 0, 0, whole_numbers=True),
}
KINDS = tuple(CONTRASTS)


def simulate_other_image(
    kind: str, seed: int, spacing: int | None = None, stripped: bool | None = None, fwhm: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """One image of a kind of `KINDS`: voxels `(x, y, z)` float32 and the voxel-to-RAS affine.

    Args:
        kind: what it shows.
        seed: of head, pose, resolution, shading and noise.
        spacing: 1, 2 or 3 mm; None draws one.
        stripped: without skull and scalp; None draws it where such images come so.
        fwhm: mm by which it was smoothed afterwards.
    """
    random = np.random.default_rng([seed, 20261127, KINDS.index(kind)])
    contrast, anatomy = CONTRASTS[kind], load_anatomy(str(random.choice(ANATOMIES)))
    drawn = bool(random.random() < 0.5) and contrast.stripped
    image = _values(kind, contrast, drawn if stripped is None else stripped, random)[anatomy.codes]
    spacing = spacing or int(random.integers(1, 4))
    if not contrast.whole_numbers:
        resolution = np.hypot(random.uniform(*contrast.fwhm), fwhm)
        image = ndimage.gaussian_filter(image * _shading(image.shape, random), resolution / FWHM_PER_SIGMA)
        image = ndimage.zoom(image, 1 / spacing, order=1) if spacing > 1 else image
        noise = contrast.noise * random.uniform(0.5, 1.5) / (1 + fwhm)
        image = np.maximum(image + noise * random.standard_normal(image.shape, np.float32), 0) * (image > 0)
    else:
        image = image[(slice(None, None, spacing),) * 3]
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = anatomy.origin
    turn = np.eye(4)
    turn[:3, :3] = rotation(*random.normal(0, (8, 4, 4)))
    return np.ascontiguousarray(image, np.float32), translation(MIDDLE) @ turn @ translation(-MIDDLE) @ affine


def _values(kind, contrast, stripped, random):
    """A value for each code of the head."""
    values = np.full(len(Region), contrast.cortex, np.float32)
    values[list(_STRIATUM)] = contrast.striatum
    values[Region.THALAMUS] = contrast.thalamus
    values[Region.CEREBELLUM] = contrast.cerebellum
    values[[Region.MIDBRAIN, Region.PONS, Region.MEDULLA]] = contrast.stem
    values[Region.CSF], values[Region.WHITE_MATTER] = contrast.csf, contrast.white
    values[Region.SOFT_TISSUE], values[Region.SKULL] = contrast.soft, contrast.skull
    values[Region.AIR] = contrast.air
    if kind == "region_labels":
        values = np.arange(len(Region), dtype=np.float32)
    elif not contrast.whole_numbers and kind != "ct":
        values[list(_GREY)] *= random.normal(1, 0.04, len(_GREY))
    if stripped or contrast.whole_numbers:
        values[:FIRST_INTRACRANIAL] = 0
    return values


def _shading(shape, random):
    """The slow variation of a coil's sensitivity: at most 15 %."""
    coarse = ndimage.gaussian_filter(random.standard_normal((9, 9, 9)), 2, mode="nearest")
    coarse *= 0.12 / max(np.abs(coarse).max(), 1e-6)
    return 1 + ndimage.zoom(coarse.astype(np.float32), np.array(shape) / 9, order=1)
