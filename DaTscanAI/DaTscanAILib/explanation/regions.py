"""The regions that "what if" asks about and that a map's relevance is summed over."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..mni.atlas import GRID_AFFINE, GRID_SPACING, SIDES, load_atlas
from ..mni.geometry import FWHM_PER_SIGMA

COMMISSURE = 0.0  # MNI y in mm that parts the putamen: the anterior commissure
# AAL numbers of the left side; the right side's follow them.
_CAUDATE, _PUTAMEN, _PALLIDUM, _THALAMUS, _ACCUMBENS = 71, 73, 75, 77, 121
PARTS = ("caudate", "putamen_anterior", "putamen_posterior")
STRIATUM = "striatum"
THALAMUS = "thalamus"
LOBES = (
    "brain stem",
    "insula",
    "limbic",
    "frontal",
    "temporal",
    "parietal",
    "occipital",
    "cerebellum",
)  # of the atlas
# A camera smears a nucleus over its surroundings, so that its uptake has to be replaced there as well.
SMEAR = 6.0  # mm around the outline that are replaced with it
BORDER = 6.0  # mm FWHM of the Gaussian that blends the border
_REACH = 7  # voxels around the outline that hold both


@dataclass(frozen=True)
class Region:
    """A region on the MNI grid.

    Attributes:
        name: of `PARTS`, `striatum`, `thalamus` or of `LOBES`.
        side: `left`, `right` or `both`.
        outline: bool `(91, 109, 91)`.
        place: slices of the grid that hold all of `weight`.
        weight: float32, 1 inside, blended to 0 around.
    """

    name: str
    side: str
    outline: np.ndarray
    place: tuple[slice, slice, slice]
    weight: np.ndarray


@lru_cache(maxsize=1)
def striatal_regions() -> tuple[Region, ...]:
    """Caudate, anterior and posterior putamen, and the whole striatum, of each side."""
    return tuple(_region(name, side, outline) for side in SIDES for name, outline in striatal_outlines(side).items())


@lru_cache(maxsize=1)
def extrastriatal_regions() -> tuple[Region, ...]:
    """Thalamus and the atlas's lobes, both sides together; none reaches into what belongs to the striata."""
    atlas = load_atlas()
    free = np.ones(atlas.labels.shape, np.float32)
    for region in striatal_regions():
        if region.name == STRIATUM:
            free[region.place] *= 1 - region.weight
    numbers = {lobe: [number for number, (_, of, _) in atlas.names.items() if of == lobe] for lobe in LOBES}
    regions = []
    for name, chosen in {THALAMUS: (_THALAMUS, _THALAMUS + 1), **numbers}.items():
        region = _region(name, "both", np.isin(atlas.labels, chosen), smear=0.0)
        regions.append(replace(region, weight=region.weight * free[region.place]))
    return tuple(regions)


def striatal_outlines(side: str) -> dict[str, np.ndarray]:
    """`{name: bool (91, 109, 91)}` of the parts of one side's striatum and of the whole."""
    labels, right = load_atlas().labels, side == "right"
    y = GRID_AFFINE[1, 3] + GRID_SPACING * np.arange(labels.shape[1])
    front = (y > COMMISSURE)[None, :, None]
    putamen = labels == _PUTAMEN + right
    nuclei = [_CAUDATE + right, _PUTAMEN + right, _PALLIDUM + right, _ACCUMBENS + right]
    return {
        "caudate": labels == _CAUDATE + right,
        "putamen_anterior": putamen & front,
        "putamen_posterior": putamen & ~front,
        STRIATUM: np.isin(labels, nuclei),
    }


def relevance_sum(relevance: np.ndarray, region: Region) -> float:
    """Relevance in a region, weighted as its uptake is replaced."""
    return float((relevance[region.place] * region.weight).sum(dtype=np.float64))


def _region(name, side, outline, smear=SMEAR):
    """1 inside the outline and `smear` mm around it, falling to 0 along a Gaussian's edge."""
    from scipy import ndimage  # not above: Slicer's panel imports this file for its sentences

    place = tuple(
        slice(max(axis.start - _REACH, 0), axis.stop + _REACH)
        for axis in ndimage.find_objects(outline.astype(np.uint8))[0]
    )
    near = outline[place]
    if smear:
        near = ndimage.distance_transform_edt(~near) * GRID_SPACING <= smear
    weight = ndimage.gaussian_filter(near.astype(np.float32), BORDER / FWHM_PER_SIGMA / GRID_SPACING, truncate=2.5)
    return Region(name, side, outline, place, weight)
