"""Whether the stored values can carry a ratio: cut off at the top or the bottom, few grey levels, zero out of place.

Told by counting values as they are stored, not resampled, where they count: in the striata, in the reference region
and around the head. The limits were set on simulated scans of six camera families (`simulate --storage plain` stays
silent) and their copies made worse: whatever changed an SBR by more than 10 % is said.

A background that was subtracted, negative values set to zero, is told by the air: scatter and blur leave little
there, but seldom nothing, and what they leave fades away. Here the air is exactly zero and ends in a step.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np

from ..mni.atlas import GRID_AFFINE, GRID_SPACING, SIDES, VOXEL_VOLUME_ML, load_atlas
from ..mni.geometry import apply_affine, voxel_spacing
from ..reading.scan import Scan

_FEW_STEPS, _TOO_FEW_STEPS = 8.0, 2.5
_AT_CEILING, _MUCH_AT_CEILING = 1.0, 15.0  # ml; the SBR of a striatum is measured in 15 ml
_ZEROS, _MANY_ZEROS = 0.25, 0.50  # noisy back-projections, negative values cut off, reach 0.1
_ZEROS_AROUND = 0.35
_ZEROS_IN_AIR, _STEP = 0.75, 0.012  # plain scans: up to 0.3 and, where there is more, a step of 0.002
_HALF_OF_AIR = 0.6  # at most: noise about zero without its negative values leaves half at zero
_FEWEST_STEPS = 1.5  # of a stored value: a single one is rounding
_AIR, _FAR_FROM_ZERO = 0.08, 0.25
_LEVELS_OF_A_PICTURE = 255  # steps between them
_SAME = 1e-5  # of the range of values: a plateau that was resampled is one but for rounding
_THINNED = 5  # of the reference region one voxel in so many is looked at
_AROUND = (14.0, 24.0)  # mm outside the brain: scalp and what lies just outside it
_AROUND_ABOVE = -20.0  # MNI mm
_NEAR_AIR, _AIR_FROM, _AIR_TO = (
    10.0,
    24.0,
    60.0,
)  # mm outside the brain: from where the step, where the air is counted
_COARSE = 2  # of the grid's voxels one along each axis, for the air
_LEAST_AIR = 300
_LEAST_IN_A_PLANE = 100
_IMAGE_AT_CEILING = 20.0  # ml
_FEWEST_VALUES = 17
_GAP, _GAP_ZEROS = 0.15, 0.3  # of the 98th percentile, of the voxels


@dataclass(frozen=True)
class StoredValues:
    """What counting says.

    Attributes:
        at_ceiling_ml: volume of the striata that has the highest value of the scan.
        zeros: share of the reference region that is exactly zero.
        zeros_around: share of the scalp and of what lies just outside it that has the lowest value of the scan.
        steps: grey levels between zero and the reference level; a million stands for more.
        air: level of the image's corners over the reference level, or of the air around the head if that is below.
        of_a_picture: the values run over exactly 256 levels.
        zeros_in_air: share of the air around the head that has the lowest value of the scan.
        step_at_air: from that value to those beside it, typically, over the reference level.
    """

    at_ceiling_ml: float
    zeros: float
    zeros_around: float
    steps: float
    air: float
    of_a_picture: bool
    zeros_in_air: float = 0.0
    step_at_air: float = 0.0

    def refusal(self, name: str) -> str | None:
        """Why there can be no answer, one sentence that begins with the scan's name; None if there can."""
        if self.steps < _TOO_FEW_STEPS:
            return (
                f"{name}: the brain's background is stored in {max(1, round(self.steps))} grey levels, too few to "
                "measure: export the scan with its full range of values."
            )
        if abs(self.air) > _FAR_FROM_ZERO:
            return (
                f"{name}: the air around the head is at {self.air:.0%} of the brain's background, so zero is not "
                "where it should be: export the scan again with its rescale intercept."
            )
        if self.zeros > _MANY_ZEROS:
            return (
                f"{name}: {self.zeros:.0%} of the reference region is exactly zero, as a display threshold leaves "
                "it: give the scan before that."
            )
        if self.at_ceiling_ml > _MUCH_AT_CEILING:
            return (
                f"{name}: {self.at_ceiling_ml:.0f} ml of the striata share the scan's highest value, so the uptake "
                "was cut off: export the scan with its full range of values."
            )
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each thing that is wrong."""
        found = []
        if self.steps < _FEW_STEPS:
            found.append(
                f"The brain's background is stored in {max(1, round(self.steps))} grey levels only: the SBRs are "
                "coarse."
            )
        if self.at_ceiling_ml > _AT_CEILING:
            found.append(
                f"{self.at_ceiling_ml:.1f} ml of the striata share the scan's highest value, so the uptake seems to "
                "be cut off: the SBRs are too low."
            )
        if self.air > _AIR:
            found.append(
                f"The air around the head is at {self.air:.0%} of the brain's background and should be near zero: "
                "the SBRs are too low."
            )
        if self.air < -_AIR:
            found.append(
                f"The air around the head is at {self.air:.0%} of the brain's background and should be near zero: "
                "the SBRs are too high."
            )
        return (*found, *self._cut_below())

    def _cut_below(self):
        if self.zeros > _ZEROS:
            yield (
                f"{self.zeros:.0%} of the reference region is exactly zero, as a threshold leaves it: the SBRs may "
                "be too high."
            )
        elif self.zeros_around > _ZEROS_AROUND and not self._negative_cut_off:
            yield (
                f"{self.zeros_around:.0%} of the head's surroundings are exactly zero, as after a threshold or a "
                "mask: if a background was subtracted, the SBRs are too high."
            )
        elif self.zeros_in_air > _ZEROS_IN_AIR and self.step_at_air > max(_STEP, _FEWEST_STEPS / self.steps):
            yield (
                f"{self.zeros_in_air:.0%} of the air around the head is exactly zero and ends in a step, as where a "
                "background was subtracted: if so, the SBRs are too high."
            )
        if self.of_a_picture:
            yield (
                "The values run over 256 levels, as in pictures of a screen: if its window cut values off at either "
                "end, the SBRs are wrong."
            )

    @property
    def _negative_cut_off(self):
        """Noise about zero without its negative values leaves half of the air at zero; a threshold or mask all."""
        return 0 < self.zeros_in_air <= _HALF_OF_AIR

    def to_json(self) -> dict:
        """The entry `quantification.stored_values` of `result.json`."""
        return {name: round(value, 4) if name != "of_a_picture" else value for name, value in asdict(self).items()}


def check_stored_values(scan: Scan, scanner_from_mni: np.ndarray, reference_level: float) -> StoredValues:
    """Count the stored values of a registered scan.

    Args:
        scan: as read.
        scanner_from_mni: 4x4, MNI to scanner RAS mm.
        reference_level: in the scan's own units, of `normalize`.
    """
    voxels, measured = scan.voxels, _measured(scan)
    values = voxels[measured]
    lowest, highest = float(values.min()), float(values.max())
    ceiling = highest - _SAME * (highest - lowest)
    voxel_from_mni = np.linalg.inv(scan.affine) @ scanner_from_mni
    striata, reference, around = (_indices(voxel_from_mni, points, measured) for points in _points())
    near_air, air = (_indices(voxel_from_mni, points, measured) for points in _points_of_air())
    step = _smallest_step(voxels[reference], reference[2])
    corners = _level_of_corners(voxels, scan.covered)
    below = min(0.0, float(np.median(voxels[air]))) if air[0].size > _LEAST_AIR else 0.0
    return StoredValues(
        at_ceiling_ml=float((voxels[striata] >= ceiling).sum() * VOXEL_VOLUME_ML),
        zeros=_share(voxels[reference] == 0),
        zeros_around=_share(voxels[around] <= lowest),
        steps=min(reference_level / step, 1e6) if step > 0 else 1e6,
        air=(min(below, corners) if below else corners) / reference_level,
        of_a_picture=step > 0 and round((highest - lowest) / step) == _LEVELS_OF_A_PICTURE,
        zeros_in_air=_share(voxels[air] <= lowest) if air[0].size > _LEAST_AIR else 0.0,
        step_at_air=_step_from(lowest, voxels, near_air) / reference_level,
    )


def fault_of_image(scan: Scan, name: str) -> str | None:
    """What is wrong with the values of a scan that could not be registered, one sentence; None if nothing is."""
    values = scan.voxels[_measured(scan)]
    air, bright = _level_of_corners(scan.voxels, scan.covered), float(np.percentile(values, 98))
    if bright > 0 and abs(air) > _FAR_FROM_ZERO * bright:
        return (
            f"{name}: the image's corners are not near zero, as where the rescale intercept was lost: export the "
            "scan again."
        )
    if np.unique(values[::7]).size < _FEWEST_VALUES:  # of a coarse scan both of what follows is true by rounding
        return None
    lowest, highest = float(values.min()), float(values.max())
    at_ceiling = int((values >= highest - _SAME * (highest - lowest)).sum())
    volume = at_ceiling * float(np.prod(voxel_spacing(scan.affine))) / 1000
    if volume > _IMAGE_AT_CEILING:
        return (
            f"{name}: {volume:.0f} ml of the image share its highest value, so the uptake was cut off: export the "
            "scan with its full range of values."
        )
    if lowest >= 0 and float(values[values > 0].min()) > _GAP * bright and (values == 0).mean() > _GAP_ZEROS:
        return (
            f"{name}: no value lies between zero and {values[values > 0].min() / bright:.0%} of the bright ones, as "
            "after a display threshold or a mask: give the scan before that."
        )
    return None


@lru_cache(maxsize=1)
def _points():
    """MNI points `(n, 3)` of the striata, the reference region and the head's surroundings."""
    atlas = load_atlas()
    striata = np.logical_or.reduce([atlas.hottest_voxels_region("striatum", side) for side in SIDES])
    distance = atlas.distance_from_brain
    around = (distance > _AROUND[0]) & (distance < _AROUND[1])
    around[:, :, : round((_AROUND_ABOVE - GRID_AFFINE[2, 3]) / GRID_SPACING)] = False
    thinned = (np.argwhere(atlas.reference)[::_THINNED], np.argwhere(around)[::_THINNED])
    return tuple(apply_affine(GRID_AFFINE, index) for index in (np.argwhere(striata), *thinned))


@lru_cache(maxsize=1)
def _points_of_air():
    """MNI points `(n, 3)` from the scalp outwards, also beyond the grid, and those of them that lie in the air."""
    from scipy.ndimage import distance_transform_edt

    spacing = GRID_SPACING * _COARSE
    margin = int(_AIR_TO / spacing) + 1
    outside = np.pad(~load_atlas().brain[::_COARSE, ::_COARSE, ::_COARSE], margin, constant_values=True)
    distance = distance_transform_edt(outside) * spacing
    index = np.argwhere((distance > _NEAR_AIR) & (distance < _AIR_TO))
    points = apply_affine(GRID_AFFINE, (index - margin) * _COARSE)
    above = points[:, 2] > _AROUND_ABOVE
    return points[above], points[above & (distance[tuple(index.T)] > _AIR_FROM)]


def _step_from(lowest, voxels, places):
    """Median step from the lowest value to others beside it; 0 where nothing but it is there."""
    index = np.array(places)[:, voxels[places] <= lowest]
    beside = []
    for axis in range(3):
        for way in (-1, 1):
            other = index.copy()
            other[axis] = np.clip(other[axis] + way, 0, voxels.shape[axis] - 1)
            beside.append(voxels[tuple(other)])
    beside = np.concatenate(beside)
    beside = beside[beside > lowest]
    return float(np.median(beside)) - lowest if beside.size else 0.0


def _measured(scan):
    """bool, as the voxels: without what is not covered and planes at the ends that hold nothing but zeros."""
    used = scan.voxels != 0
    box = tuple(
        slice(found[0], found[-1] + 1)
        for axis in range(3)
        for found in [np.flatnonzero(used.any(axis=tuple({0, 1, 2} - {axis})))]
    )
    measured = np.zeros(scan.voxels.shape, bool)
    measured[box] = True
    return measured if scan.covered is None else measured & scan.covered


def _indices(voxel_from_mni, points, measured):
    """Indices `(i, j, k)` of the voxels nearest to MNI points, without those that were not measured."""
    index = np.rint(apply_affine(voxel_from_mni, points)).astype(int)
    index = index[((index >= 0) & (index < measured.shape)).all(axis=1)]
    index = tuple(index.T)
    return tuple(axis[measured[index]] for axis in index)


def _smallest_step(values, plane):
    """Typical smallest difference of two values in a plane: some formats scale each plane by itself.

    Where every plane holds one value, the step is from zero to it.
    """
    order = np.argsort(plane, kind="stable")
    parts = np.split(values[order], np.flatnonzero(np.diff(plane[order])) + 1)
    steps = [_least_difference(part) for part in parts if part.size >= _LEAST_IN_A_PLANE]
    steps = [step for step in steps if step > 0]
    return float(np.median(steps)) if steps else _least_difference(np.append(values, np.float32(0)))


def _least_difference(values):
    different = np.unique(values)
    return float(np.diff(different).min()) if different.size > 1 else 0.0


def _level_of_corners(voxels, covered):
    """Median of the eight corners, an eighth of each axis long; 0 where nothing was measured there."""
    corners = np.ix_(*[np.r_[0 : max(1, n // 8), n - max(1, n // 8) : n] for n in voxels.shape])
    values = voxels[corners] if covered is None else voxels[corners][covered[corners]]
    return float(np.median(values)) if values.size else 0.0


def _share(chosen):
    return float(chosen.mean()) if chosen.size else 0.0
