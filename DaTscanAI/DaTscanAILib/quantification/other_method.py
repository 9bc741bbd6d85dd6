"""SBRs by other volumes or another percentile than the default method's."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..base.errors import DaTscanError
from ..mni.atlas import Atlas
from .hottest_voxels import HOTTEST_VOLUME_ML, hottest_voxels_mean
from .sbr import Quantification, asymmetry_percent_of, caudate_putamen_ratio_of
from .scaling import REFERENCE_PERCENTILE, Normalized


@dataclass(frozen=True)
class Method:
    """How SBRs are measured; the networks' input and the choice of the lower side keep to the default.

    Attributes:
        hottest_volume_ml: volume of the hottest voxels by nucleus.
        reference_percentile: of the reference region, to which the scan is scaled.
    """

    hottest_volume_ml: dict[str, float] = field(default_factory=lambda: dict(HOTTEST_VOLUME_ML))
    reference_percentile: float = REFERENCE_PERCENTILE


def quantify_with(
    method: Method, quantification: Quantification, normalized: Normalized, atlas: Atlas
) -> Quantification:
    """A scan's numbers by another method.

    Raises:
        DaTscanError: a volume is larger than its region.
    """
    level = np.percentile(normalized.voxels[atlas.reference & normalized.covered], method.reference_percentile)
    sbr = {}
    for key, value in quantification.sbr.items():
        nucleus, side = key.split("_")
        values = normalized.voxels[atlas.hottest_voxels_region(nucleus, side)]
        try:
            hottest = hottest_voxels_mean(values, method.hottest_volume_ml[nucleus])
        except ValueError as error:
            raise DaTscanError(f"the volume for the {nucleus} is too large: {error}.") from error
        sbr[key] = None if value is None else hottest / level - 1
    volumes = ", ".join(f"{nucleus} {volume:g} ml" for nucleus, volume in method.hottest_volume_ml.items())
    sentence = f"SBRs by another method than usual: {volumes}, percentile {method.reference_percentile:g}."
    return replace(
        quantification,
        sbr=sbr,
        sbr_aal={
            key: None if value is None else (value + 1) / level - 1 for key, value in quantification.sbr_aal.items()
        },
        asymmetry_percent={
            nucleus: asymmetry_percent_of(sbr[f"{nucleus}_left"], sbr[f"{nucleus}_right"])
            for nucleus in quantification.asymmetry_percent
        },
        caudate_putamen_ratio={
            side: caudate_putamen_ratio_of(sbr[f"caudate_{side}"], sbr[f"putamen_{side}"])
            for side in quantification.caudate_putamen_ratio
        },
        reference_level=quantification.reference_level * float(level),
        warnings=(*quantification.warnings, sentence),
    )
