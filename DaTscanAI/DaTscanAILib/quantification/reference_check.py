"""Whether the reference region can carry a ratio: whole, without hot spots or empty parts, alike left and right.

A published case had a normal SBR because its background region lay partly outside the brain. The limits below are
beyond what 84 simulated scans of six camera families show: halves 1.5 % apart (standard deviation; largest 3.6 %),
no hot voxel, 1.5 % of empty ones at most.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..mni.atlas import GRID_AFFINE, GRID_SPACING, load_atlas
from .scaling import REFERENCE_PERCENTILE, Normalized

# Of the reference level, after a blur that takes the noise of single voxels away.
_HOT, _EMPTY = 2.0, 0.35
_BLUR_VOXELS = 1.5
_CLEAR_OF_STRIATA = 6.0  # mm
_MIDDLE_Y = -24.0  # mm, the middle of the reference region
_LEAST_HALF = 5000  # voxels
_LEAST_COVERAGE, _MOST_HOT, _MOST_EMPTY, _MOST_APART = 0.70, 0.005, 0.04, 0.06


@dataclass(frozen=True)
class ReferenceState:
    """What the reference region is like.

    Attributes:
        coverage: share inside the field of view.
        hot, empty: shares of it (striata's surroundings left out) with more than twice, or less than a third of the
            reference level.
        right_over_left, front_over_back: the 75th percentile of one half over the other's, minus 1; None where a
            half lies outside the field of view.
    """

    coverage: float
    hot: float
    empty: float
    right_over_left: float | None
    front_over_back: float | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each thing that is wrong."""
        found = []
        if self.coverage < _LEAST_COVERAGE:
            found.append(
                f"The field of view holds only {self.coverage:.0%} of the reference region: the SBRs rest on that "
                "part."
            )
        if self.hot > _MOST_HOT:
            found.append(
                f"{self.hot:.1%} of the reference region has more than twice its level (glands, a wrong fit?): look "
                "at its outline; the SBRs may be too low."
            )
        if self.empty > _MOST_EMPTY:
            found.append(
                f"{self.empty:.1%} of the reference region is almost empty, so it may lie partly outside the brain: "
                "look at its outline; the SBRs may be too high."
            )
        found += _apart(self.right_over_left, "right", "left")
        return (*found, *_apart(self.front_over_back, "front", "back"))


def check_reference(normalized: Normalized) -> ReferenceState:
    """The state of a scan's reference region.

    Args:
        normalized: the scan in MNI space.
    """
    from scipy.ndimage import gaussian_filter

    atlas = load_atlas()
    seen = atlas.reference & normalized.covered
    blurred = gaussian_filter(normalized.voxels, _BLUR_VOXELS, truncate=2)[seen & _clear_of_striata()]
    x, y = (GRID_AFFINE[axis, 3] + GRID_SPACING * np.arange(n) for axis, n in enumerate(seen.shape[:2]))
    right = np.broadcast_to((x > 0)[:, None, None], seen.shape)
    front = np.broadcast_to((y > _MIDDLE_Y)[None, :, None], seen.shape)
    return ReferenceState(
        coverage=float(seen.sum() / atlas.reference.sum()),
        hot=float((blurred > _HOT).mean()),
        empty=float((blurred < _EMPTY).mean()),
        right_over_left=_ratio(normalized.voxels, seen & right, seen & (x < 0)[:, None, None]),
        front_over_back=_ratio(normalized.voxels, seen & front, seen & ~front),
    )


def _ratio(voxels, one, other):
    if min(one.sum(), other.sum()) < _LEAST_HALF:
        return None
    level = [float(np.percentile(voxels[half], REFERENCE_PERCENTILE)) for half in (one, other)]
    return level[0] / level[1] - 1 if level[1] > 0 else None


def _apart(ratio, one, other):
    if ratio is None or abs(ratio) <= _MOST_APART:
        return []
    return [
        f"The reference region's {one} half has {abs(ratio):.0%} {'more' if ratio > 0 else 'less'} than its {other} "
        "half: look at its outline; the SBRs of one side may be off by as much."
    ]


@lru_cache(maxsize=1)
def _clear_of_striata():
    from scipy.ndimage import distance_transform_edt

    regions = load_atlas().regions
    striata = (regions > 0) & ~load_atlas().reference
    return distance_transform_edt(~striata) * GRID_SPACING > _CLEAR_OF_STRIATA
