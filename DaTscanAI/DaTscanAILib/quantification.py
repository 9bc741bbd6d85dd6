"""How much tracer the striatum binds: scaling to the reference region, hottest voxels, SBR, asymmetry, mirroring.

The method of Nazari 2021: the scan in MNI space is divided by the 75th percentile of a reference region (brain
without striata, thalamus, brain stem and ventricles); the mean of the hottest 5 / 10 / 15 ml of a large unilateral
region of caudate / putamen / striatum is then 1 + SBR. As a second measure the mean of the AAL outline is given.
"""

from dataclasses import dataclass, field

import numpy as np

from .atlas import GRID_AFFINE, GRID_SHAPE, SIDES, VOXEL_VOLUME_ML, Atlas
from .errors import DaTscanError
from .geometry import resample

HOTTEST_VOLUME_ML = {"caudate": 5.0, "putamen": 10.0, "striatum": 15.0}
REFERENCE_PERCENTILE = 75.0

# Shares of a region that the field of view must hold: below the first no number, below the second a warning.
_LEAST_COVERAGE, _FULL_COVERAGE = 0.90, 0.995
_LEAST_REFERENCE = 0.40
# Under this SBR a ratio or an asymmetry is a quotient of noise.
_LEAST_DENOMINATOR = 0.1


@dataclass(frozen=True)
class Quantification:
    """The numbers of one scan; left and right are the patient's; None where the field of view lacks the region.

    Attributes:
        sbr: `{"putamen_left": ..., ...}` by hottest voxels.
        sbr_aal: the same keys, mean of the AAL outline.
        asymmetry_percent: `{"putamen": ..., "caudate": ...}`, 100 |left - right| / mean of both.
        caudate_putamen_ratio: `{"left": ..., "right": ...}` of SBR.
        mirrored: the network's input is mirrored, because the right putamen is the lower one.
        reference_level: the 75th percentile in the scan's own units.
        warnings: one sentence each.
    """

    sbr: dict[str, float | None]
    sbr_aal: dict[str, float | None]
    asymmetry_percent: dict[str, float | None]
    caudate_putamen_ratio: dict[str, float | None]
    mirrored: bool
    reference_level: float
    warnings: tuple[str, ...] = field(default=())

    @property
    def lower_side(self) -> str:
        """Side of the lower putamen, which the papers call ipsilateral."""
        return "right" if self.mirrored else "left"


@dataclass(frozen=True)
class Normalized:
    """A scan in MNI space.

    Attributes:
        voxels: float32 `(91, 109, 91)`, reference region's 75th percentile = 1, zero outside the field of view.
        covered: bool, voxels inside the scan's field of view.
        reference_level: what the scan was divided by.
    """

    voxels: np.ndarray
    covered: np.ndarray
    reference_level: float


def normalize(voxels: np.ndarray, affine: np.ndarray, scanner_from_mni: np.ndarray, atlas: Atlas) -> Normalized:
    """Resample a scan to the MNI grid (trilinear) and scale it to the reference region.

    Args:
        voxels: `(x, y, z)`.
        affine: 4x4, voxel to scanner RAS mm.
        scanner_from_mni: 4x4, MNI to scanner RAS mm.

    Raises:
        DaTscanError: the reference region is mostly outside the field of view or holds no counts.
    """
    voxel_from_grid = np.linalg.inv(affine) @ scanner_from_mni @ GRID_AFFINE
    in_mni = resample(voxels, voxel_from_grid, GRID_SHAPE)
    covered = _inside(voxel_from_grid, voxels.shape)
    reference = atlas.reference & covered
    if reference.sum() < _LEAST_REFERENCE * atlas.reference.sum():
        raise DaTscanError(
            "less than 40 % of the reference region lies in the field of view: no scaling is possible."
        )
    level = float(np.percentile(in_mni[reference], REFERENCE_PERCENTILE))
    if not level > 0:
        raise DaTscanError("the reference region holds no counts: this is not a brain, or the registration failed.")
    return Normalized(in_mni / np.float32(level), covered, level)


def _inside(voxel_from_grid, shape):
    """Grid voxels whose center lies within the scan, by one axis of the scan at a time."""
    grid = np.ogrid[tuple(slice(0, n) for n in GRID_SHAPE)]
    inside = np.ones(GRID_SHAPE, bool)
    for row, size in zip(voxel_from_grid[:3], shape, strict=True):
        index = row[0] * grid[0] + row[1] * grid[1] + row[2] * grid[2] + row[3]
        inside &= (index >= -0.5) & (index <= size - 0.5)
    return inside


def hottest_voxels_mean(values: np.ndarray, volume_ml: float, voxel_volume_ml: float = VOXEL_VOLUME_ML) -> float:
    """Mean of the highest values that fill a physical volume; the last voxel counts with the fraction that fits.

    Args:
        values: of the region's voxels, any shape.
        volume_ml: to fill; the region must be at least as large.
        voxel_volume_ml: of one voxel.

    Raises:
        ValueError: the region is smaller than the volume.
    """
    count = volume_ml / voxel_volume_ml
    whole = int(np.floor(count + 1e-9))
    fraction = max(count - whole, 0.0) if count - whole > 1e-9 else 0.0
    needed = whole + (fraction > 0)
    flat = np.ravel(values)
    if needed > flat.size:
        raise ValueError(f"a region of {flat.size * voxel_volume_ml:.1f} ml cannot hold {volume_ml} ml")
    top = np.sort(np.partition(flat, flat.size - needed)[flat.size - needed :])[::-1].astype(np.float64)
    return float((top[:whole].sum() + (fraction * top[whole] if fraction else 0.0)) / count)


def hottest_voxels_mask(
    values: np.ndarray, region: np.ndarray, volume_ml: float, voxel_volume_ml: float = VOXEL_VOLUME_ML
) -> np.ndarray:
    """The voxels of a region (bool mask) that `hottest_voxels_mean` averages, the last one included when in part."""
    count = int(np.ceil(volume_ml / voxel_volume_ml - 1e-9))
    index = np.flatnonzero(region)
    chosen = index[np.argsort(-values.ravel()[index], kind="stable")[:count]]
    mask = np.zeros(region.size, bool)
    mask[chosen] = True
    return mask.reshape(region.shape)


def quantify(normalized: Normalized, atlas: Atlas) -> Quantification:
    """All numbers of one normalized scan."""
    sbr, sbr_aal, warnings = {}, {}, []
    for nucleus, volume in HOTTEST_VOLUME_ML.items():
        for side in SIDES:
            region = atlas.hottest_voxels_region(nucleus, side)
            coverage = float(normalized.covered[region].mean())
            key = f"{nucleus}_{side}"
            if coverage < _LEAST_COVERAGE:
                sbr[key] = sbr_aal[key] = None
                warnings.append(
                    f"The field of view holds only {coverage:.0%} of the {side} {nucleus} region: no SBR."
                )
                continue
            if coverage < _FULL_COVERAGE:
                warnings.append(f"The field of view cuts {1 - coverage:.0%} off the {side} {nucleus} region.")
            sbr[key] = hottest_voxels_mean(normalized.voxels[region], volume) - 1
            sbr_aal[key] = float(normalized.voxels[atlas.anatomical_region(nucleus, side)].mean(dtype=np.float64)) - 1
    return Quantification(
        sbr,
        sbr_aal,
        {
            nucleus: asymmetry_percent_of(*(sbr[f"{nucleus}_{side}"] for side in SIDES))
            for nucleus in ("putamen", "caudate")
        },
        {side: caudate_putamen_ratio_of(sbr[f"caudate_{side}"], sbr[f"putamen_{side}"]) for side in SIDES},
        _right_is_lower(sbr),
        normalized.reference_level,
        tuple(warnings),
    )


def asymmetry_percent_of(left: float | None, right: float | None) -> float | None:
    """Difference of the sides in percent of their mean; None where a side is missing or nothing binds."""
    if left is None or right is None or left + right < 2 * _LEAST_DENOMINATOR:
        return None
    return 200 * abs(left - right) / (left + right)


def caudate_putamen_ratio_of(caudate: float | None, putamen: float | None) -> float | None:
    """Ratio of SBRs; None where one is missing or the putamen binds nothing."""
    if caudate is None or putamen is None or putamen < _LEAST_DENOMINATOR:
        return None
    return caudate / putamen


def _right_is_lower(sbr):
    left, right = sbr["putamen_left"], sbr["putamen_right"]
    return left is not None and right is not None and right < left


def mirror(volume: np.ndarray) -> np.ndarray:
    """Left and right exchanged: the grid and both boxes are symmetric about x = 0."""
    return np.ascontiguousarray(volume[::-1])


def ipsilateral_left(volume: np.ndarray, mirrored: bool) -> np.ndarray:
    """A map on the grid with the lower putamen on the left; the same call takes it back."""
    return mirror(volume) if mirrored else volume
