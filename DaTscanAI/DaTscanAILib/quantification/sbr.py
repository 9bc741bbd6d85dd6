"""How much tracer the striatum binds: SBRs by hottest voxels, their asymmetry and ratio, and the lower side.

The method of Nazari 2021: the scan in MNI space is divided by the 75th percentile of a reference region (brain
without striata, thalamus, brain stem and ventricles); the mean of the hottest 5 / 10 / 15 ml of a large unilateral
region of caudate / putamen / striatum is then 1 + SBR. As a second measure the mean of the AAL outline is given.
"""

from dataclasses import dataclass, field

import numpy as np

from ..mni.atlas import SIDES, Atlas
from .hottest_voxels import HOTTEST_VOLUME_ML, hottest_voxels_mean
from .scaling import Normalized

# Shares of a region that the field of view must hold: below the first no number, below the second a warning.
_LEAST_COVERAGE, _FULL_COVERAGE = 0.90, 0.995
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


def describe_quantification(quantification: Quantification) -> dict:
    """The part `quantification` of `result.json`, without what is added to it later (normals, grades, checks)."""
    return {
        "sbr": quantification.sbr,
        "sbr_aal": quantification.sbr_aal,
        "asymmetry_percent": quantification.asymmetry_percent,
        "caudate_putamen_ratio": quantification.caudate_putamen_ratio,
        "mirrored": quantification.mirrored,
        "lower_putamen": quantification.lower_side,
        "reference_level": quantification.reference_level,
    }
