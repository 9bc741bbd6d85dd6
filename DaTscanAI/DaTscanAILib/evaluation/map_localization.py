"""Does a map find a lesion whose place is known? Peak, hemisphere, and whether healing what it marks helps."""

from dataclasses import dataclass

import numpy as np

from ..explanation.regions import PARTS, relevance_sum, striatal_regions
from ..explanation.what_if import healed
from ..mni.atlas import GRID_AFFINE, GRID_SPACING
from ..mni.geometry import FWHM_PER_SIGMA, apply_affine

NEAR = 15.0  # mm from the lesion's middle
SMOOTHING = 6.0  # mm FWHM before the peak is looked for: a voxel of the networks' features has 4 to 8 mm


@dataclass(frozen=True)
class PlantedLesion:
    """A lesion that the simulator planted.

    Attributes:
        kind: of the part, `caudate`, `putamen_anterior` or `putamen_posterior`.
        side: `left`, `right` or `both`, as the networks see the scan.
        centers: `(n, 3)` MNI mm: middle of the difference between the scans without and with the lesion, one a side.
    """

    kind: str
    side: str
    centers: np.ndarray


def peak(relevance: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """MNI mm of the strongest argument for "reduced" inside the brain, after smoothing."""
    from scipy.ndimage import gaussian_filter

    inside = np.where(brain, relevance, 0).astype(np.float32)
    smooth = np.where(brain, gaussian_filter(inside, SMOOTHING / FWHM_PER_SIGMA / GRID_SPACING), -np.inf)
    return apply_affine(GRID_AFFINE, np.array(np.unravel_index(smooth.argmax(), smooth.shape), float))


def centers_of_difference(without: np.ndarray, lesioned: np.ndarray, sides: tuple[str, ...]) -> np.ndarray:
    """`(n, 3)` MNI mm: middle of what the lesion has taken, in each hemisphere asked for.

    Args:
        without, lesioned: `(91, 109, 91)` of the same registration.
        sides: `left`, `right` or both.
    """
    lost = np.maximum(without - lesioned, 0)
    places = apply_affine(GRID_AFFINE, np.indices(lost.shape).reshape(3, -1).T.astype(float))
    centers = []
    for side in sides:
        of_side = np.where(places[:, 0] < 0 if side == "left" else places[:, 0] > 0, lost.ravel(), 0)
        weight = np.where(of_side > 0.5 * of_side.max(), of_side, 0)
        centers.append(weight @ places / weight.sum())
    return np.array(centers)


def find(relevance: np.ndarray, brain: np.ndarray, lesion: PlantedLesion) -> dict:
    """Distance of the peak from the nearest of the lesion's centers, and whether the hemisphere is right."""
    place = peak(relevance, brain)
    distance = float(np.linalg.norm(lesion.centers - place, axis=1).min())
    hemisphere = None if lesion.side == "both" else bool((place[0] < 0) == (lesion.side == "left"))
    return {"distance_mm": distance, "near": distance <= NEAR, "hemisphere": hemisphere}


def healing_move(scan: np.ndarray, normal: np.ndarray, relevance: np.ndarray, scores) -> float:
    """What replacing the part that argues most for "reduced" by normal uptake does to the score, logits.

    Args:
        scores: of a list of scans.
    """
    parts = [region for region in striatal_regions() if region.name in PARTS]
    marked = max(parts, key=lambda region: relevance_sum(relevance, region))
    before, after = scores([scan, healed(scan, normal, marked)])
    return float(after - before)
