"""Lesions planted into normalized scans: any region of the striatum may have faded, in any pattern.

The simulator draws the patterns that clinics see. A network that is to grade every region, and to call no scan more
normal because a region has faded, must have met fading regions in all company: so some of the augmented copies get
one more loss, with their truth and label changed alike.
"""

from functools import lru_cache

import numpy as np
from scipy import ndimage

from ..classification.grades import REGIONS
from ..mni.atlas import GRID_AFFINE, GRID_SHAPE, GRID_SPACING, SIDES, load_atlas
from ..mni.geometry import FWHM_PER_SIGMA
from .targets import reduced_from

RESOLUTION = 9.0  # mm FWHM, by which a camera mixes the regions' uptake
COMMISSURE = 0.0  # mm MNI y of the anterior commissure, which parts the putamen
_LEAST, _MOST = 0.2, 0.97  # share that a planted lesion takes
REDUCED_FROM_MEAN = 0.35
# What is lost together: one region, a nucleus of one or both sides, a whole striatum, everything.
_TOGETHER = (
    *((region,) for region in REGIONS),
    *(tuple(r for r in REGIONS if r.startswith("putamen") and r.endswith(side)) for side in SIDES),
    ("caudate_left", "caudate_right"),
    *(tuple(r for r in REGIONS if r.endswith(side)) for side in SIDES),
    REGIONS,
)


def plant(voxels: np.ndarray, losses: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A scan and its losses with one more lesion.

    Args:
        voxels: `(91, 109, 91)`, reference level 1.
        losses: `(regions,)` of `grades.REGIONS`, sides as in `voxels`, all known.
    """
    regions = _TOGETHER[random.integers(len(_TOGETHER))]
    lost = random.uniform(_LEAST, _MOST)
    after = losses.copy()
    for region in regions:
        place = REGIONS.index(region)
        after[place] = 1 - (1 - losses[place]) * (1 - lost)
    return fade(voxels, dict.fromkeys(regions, lost)), after


def fade(voxels: np.ndarray, lost: dict[str, float]) -> np.ndarray:
    """A normalized scan whose regions have lost these shares of their specific uptake."""
    taken = sum(np.float32(share) * region_shares()[REGIONS.index(region)] for region, share in lost.items())
    return voxels - taken * np.maximum(voxels - 1, 0)


def is_reduced(losses: np.ndarray) -> bool:
    """Whether these losses make a scan "reduced" (`simulation.disease`)."""
    limits = np.array([reduced_from(region) for region in REGIONS])
    return bool((losses >= limits).any() or losses.mean() >= REDUCED_FROM_MEAN)


@lru_cache(maxsize=1)
def region_shares() -> np.ndarray:
    """Share of each voxel's specific uptake that comes from each of `grades.REGIONS`, float32 `(6, 91, 109, 91)`.

    A camera's image is the sum of the regions' uptakes, each blurred, and these are about alike: so the share is that
    of the blurred outline in the sum of all.
    """
    blurred = np.stack([_blurred(_outline(region)) for region in REGIONS])
    return blurred / (blurred.sum(axis=0) + np.float32(0.01))


def _outline(region):
    name, side = region.rsplit("_", 1)
    outline = load_atlas().anatomical_region(name.split("_")[0], side)
    front = (GRID_AFFINE[1, 3] + GRID_SPACING * np.arange(GRID_SHAPE[1]) > COMMISSURE)[None, :, None]
    if name == "putamen_anterior":
        return outline & front
    return outline & ~front if name == "putamen_posterior" else outline


def _blurred(outline):
    return ndimage.gaussian_filter(outline.astype(np.float32), RESOLUTION / FWHM_PER_SIGMA / GRID_SPACING)
