"""What a stored pixel stands for: Rescale Slope and Intercept, or a Real World Value Map that moves the zero.

Every figure of this software is a ratio, so a slope alone changes nothing; a zero in the wrong place changes all.
"""

import numpy as np

from ..base.errors import DaTscanError
from .dicom_header import nested_item, number, own_numbers
from .volume_file import damaged

MAP_WARNING = (
    "The Real World Value Map puts zero at another stored value than the rescale does: the map is used; compare the "
    "values with the original's."
)
_MAPS = ("RealWorldValueMappingSequence",)
# Of the slope: a shift of the zero by less than a thousandth of one stored step is rounding.
_SAME_ZERO = 1e-3


def slope_and_intercept(dataset, index: int, name: str) -> tuple[float, float]:
    """Of a frame: value = slope * stored + intercept.

    Args:
        dataset: of pydicom.
        index: of the frame.
        name: for the error sentences.

    Raises:
        DaTscanError: a slope of zero, or a map that is no straight line.
    """
    mapped = _mapped(dataset, index, name)
    return _rescale(dataset, index, name) if mapped is None else mapped


def map_moves_zero(dataset, name: str) -> bool:
    """Whether a Real World Value Map takes the place of the rescale, which deserves a warning.

    Raises:
        DaTscanError: as `slope_and_intercept`.
    """
    return _mapped(dataset, 0, name) is not None


def _mapped(dataset, index, name):
    """Slope and intercept of the map where it has an intercept of its own; None where the rescale says it all."""
    for place in (
        nested_item(dataset, "PerFrameFunctionalGroupsSequence", *_MAPS, index=index),
        nested_item(dataset, "SharedFunctionalGroupsSequence", *_MAPS),
        nested_item(dataset, *_MAPS),
    ):
        if place is None:
            continue
        if own_numbers(place, "RealWorldValueLUTData") is not None:
            raise DaTscanError(
                f"{name} gives its values by a table (Real World Value LUT), not by a slope: export it with a slope."
            )
        slope, intercept = (own_numbers(place, f"RealWorldValue{key}", 1) for key in ("Slope", "Intercept"))
        if slope is None or intercept is None or not slope[0]:
            return None
        rescale = _rescale(dataset, index, name)
        if abs(intercept[0] / slope[0] - rescale[1] / rescale[0]) < _SAME_ZERO:
            return None
        return float(slope[0]), float(intercept[0])
    return None


def _rescale(dataset, index, name):
    values = {}
    own = nested_item(dataset, "PerFrameFunctionalGroupsSequence", "PixelValueTransformationSequence", index=index)
    for keyword, default in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0)):
        value = own_numbers(own, keyword, 1)
        values[keyword] = number(dataset, keyword) if value is None else float(value[0])
        values[keyword] = default if values[keyword] is None else values[keyword]
    if values["RescaleSlope"] == 0 or not np.isfinite(values["RescaleIntercept"]):
        raise damaged(name)
    return values["RescaleSlope"], values["RescaleIntercept"]
