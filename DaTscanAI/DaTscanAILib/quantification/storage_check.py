"""Whether the stored values can carry a ratio: cut off at the top or bottom, too few grey levels, air not at zero.

Told by counting the stored values where they count, in the striata and in the reference region. Untouched scans have
one voxel at the maximum, hardly a zero inside the brain and hundreds of grey levels below the reference level.
"""

from dataclasses import dataclass

import numpy as np

from ..mni.atlas import GRID_AFFINE, SIDES, VOXEL_VOLUME_ML, Atlas
from ..mni.geometry import apply_affine

_MOST_AT_CEILING = 1.5  # ml; single voxels of the largest size have 0.5
_MUCH_AT_CEILING = 25.0  # ml, more than what the SBR of a striatum is measured in
_MOST_ZEROS, _MANY_ZEROS = 0.04, 0.25
_FEW_STEPS, _TOO_FEW_STEPS = 8.0, 2.5  # between zero and the reference level
_MOST_AIR = 0.08  # of the reference level
_LEVELS_OF_A_PICTURE = 255
_COUNTED = 2000  # with more different values a scan is not coarse


@dataclass(frozen=True)
class StorageState:
    """What counting the stored values says.

    Attributes:
        at_ceiling_ml: volume of the striata that has the highest value of the scan.
        zeros: share of the reference region that is exactly zero.
        steps: grey levels between zero and the reference level; None where the values are practically continuous.
        air: level of the image's corners over the reference level.
        of_a_picture: the values run over exactly 256 levels.
    """

    at_ceiling_ml: float
    zeros: float
    steps: float | None
    air: float
    of_a_picture: bool

    @property
    def refusal(self) -> str | None:
        """Why there can be no answer."""
        if self.steps is not None and self.steps < _TOO_FEW_STEPS:
            return (
                f"the brain's background is stored in {max(1, round(self.steps))} grey levels, too few to measure: "
                "export the scan with its full range of values."
            )
        if self.zeros > _MANY_ZEROS:
            return (
                f"{self.zeros:.0%} of the reference region is exactly zero, as a display threshold leaves it: give "
                "the scan before that."
            )
        if self.at_ceiling_ml > _MUCH_AT_CEILING and self.steps is None:
            return (
                f"{self.at_ceiling_ml:.0f} ml of the striata share the scan's highest value, so the uptake was cut "
                "off: export the scan with its full range of values."
            )
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each thing that is wrong."""
        found = []
        if self.steps is not None and self.steps < _FEW_STEPS:
            found.append(
                f"The brain's background is stored in {self.steps:.0f} grey levels only: the SBRs are coarse."
            )
        elif self.at_ceiling_ml > _MOST_AT_CEILING:
            found.append(
                f"{self.at_ceiling_ml:.1f} ml of the striata share the scan's highest value, so the uptake seems to "
                "be cut off: the SBRs are too low."
            )
        if self.zeros > _MOST_ZEROS:
            found.append(
                f"{self.zeros:.0%} of the reference region is exactly zero, as a threshold leaves it: the SBRs may "
                "be too high."
            )
        if self.air > _MOST_AIR:
            found.append(
                f"The air around the head is at {self.air:.0%} of the reference level, so a constant seems to have "
                "been added: the SBRs are too low."
            )
        if self.of_a_picture:
            found.append(
                "The values run over 256 levels, as in pictures of a screen: if its window cut values off at either "
                "end, the SBRs are wrong."
            )
        return tuple(found)


def check_storage(
    voxels: np.ndarray, affine: np.ndarray, scanner_from_mni: np.ndarray, reference_level: float, atlas: Atlas
) -> StorageState:
    """Count the stored values.

    Args:
        voxels: `(x, y, z)`, as read.
        affine: 4x4, voxel to scanner RAS mm.
        scanner_from_mni: 4x4, MNI to scanner RAS mm.
        reference_level: of `normalize`.
        atlas: with the regions.
    """
    voxel_from_mni = np.linalg.inv(affine) @ scanner_from_mni
    striata = np.concatenate(
        [_nearest(voxels, voxel_from_mni, atlas.hottest_voxels_region("striatum", side)) for side in SIDES]
    )
    reference = _nearest(voxels, voxel_from_mni, atlas.reference)
    values = np.unique(np.concatenate([striata, reference]))
    step = float(np.diff(values).min()) if 1 < values.size < _COUNTED else None
    lowest, highest = float(voxels.min()), float(voxels.max())
    ends = np.ix_(*[np.r_[0 : max(1, n // 8), n - max(1, n // 8) : n] for n in voxels.shape])
    return StorageState(
        at_ceiling_ml=float((striata == highest).sum() * VOXEL_VOLUME_ML),
        zeros=float((reference == 0).mean()) if reference.size else 0.0,
        steps=None if step is None else reference_level / step,
        air=float(np.median(voxels[ends])) / reference_level,
        of_a_picture=step is not None and round((highest - lowest) / step) == _LEVELS_OF_A_PICTURE,
    )


def _nearest(voxels, voxel_from_mni, region):
    """Stored values of the voxels nearest to a region's grid points, those outside the scan left out."""
    points = apply_affine(GRID_AFFINE, np.argwhere(region))
    index = np.rint(apply_affine(voxel_from_mni, points)).astype(int)
    index = index[((index >= 0) & (index < voxels.shape)).all(axis=1)]
    return voxels[tuple(index.T)]
