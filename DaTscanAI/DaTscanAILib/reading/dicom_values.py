"""What a stored pixel stands for: Rescale Slope and Intercept, or a Real World Value Map that moves the zero.

Every figure of this software is a ratio, so a slope alone changes nothing; a zero in the wrong place changes all.
"""

from ..base.errors import DaTscanError
from .dicom_header import holds, nested_item, numbers, own_numbers
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
        DaTscanError: a slope of zero, numbers that cannot be read, or values that are given by a table.
    """
    if nested_item(dataset, "ModalityLUTSequence") is not None:
        raise _by_table(name, "Modality LUT")
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
            raise _by_table(name, "Real World Value LUT")
        slope, intercept = (own_numbers(place, f"RealWorldValue{key}", 1) for key in ("Slope", "Intercept"))
        if slope is None or intercept is None or not slope[0]:
            return None
        rescale = _rescale(dataset, index, name)
        if abs(intercept[0] / slope[0] - rescale[1] / rescale[0]) < _SAME_ZERO:
            return None
        return float(slope[0]), float(intercept[0])
    return None


def _rescale(dataset, index, name):
    slope = _of_frame(dataset, "RescaleSlope", 1.0, index, name)
    intercept = _of_frame(dataset, "RescaleIntercept", 0.0, index, name)
    if slope == 0:
        raise damaged(name)
    return slope, intercept


def _of_frame(dataset, keyword, default, index, name):
    """A number of the frame's own, of all frames, or of a list one for each frame, as some software writes."""
    own = nested_item(dataset, "PerFrameFunctionalGroupsSequence", "PixelValueTransformationSequence", index=index)
    values = own_numbers(own, keyword, 1)
    values = numbers(dataset, keyword) if values is None else values
    if values is None and not holds(dataset, keyword) and not holds(own, keyword):
        return default
    frames = own_numbers(dataset, "NumberOfFrames", 1)
    if values is None or len(values) not in (1, 1 if frames is None else int(frames[0])):
        what = "slope" if keyword == "RescaleSlope" else "intercept"
        raise DaTscanError(f"{name} states a rescale {what} that cannot be read: correct it, or export it again.")
    return float(values[index if len(values) > 1 else 0])


def _by_table(name, table):
    return DaTscanError(f"{name} gives its values by a table ({table}), not by a slope: export it with a slope.")
