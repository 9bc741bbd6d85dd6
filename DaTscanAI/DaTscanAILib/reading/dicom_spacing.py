"""Distances between rows, columns and slices as DICOM headers state them, the ways of careless exporters included.

Pixel Spacing with decimal commas, under another value representation or as one number is understood, for it can mean
one thing only; what can mean two is refused, with the text shown.
"""

import re

from ..base.errors import DaTscanError
from .dicom_header import number, numbers, raw_text

# The text of a header may be anything, a patient's name too: only what looks like numbers is shown.
_LIKE_NUMBERS = re.compile(r"[0-9eE.,;+\-\\ ]{1,60}")


def pixel_spacing(dataset, name: str, warnings: list[str] | None = None) -> tuple[float, float]:
    """Distance between rows and between columns, mm.

    Args:
        dataset: of pydicom.
        name: for the error sentences.
        warnings: takes a sentence where one value stands for both.

    Raises:
        DaTscanError: it is missing, cannot be read, or is zero or negative.
    """
    spacing = numbers(dataset, "PixelSpacing")
    if spacing is None or len(spacing) not in (1, 2):
        raise _unreadable(dataset, name)
    if min(spacing) <= 0:  # a negative one would mirror the image
        raise _unreadable(dataset, name)
    if len(spacing) == 1 and warnings is not None:
        warnings.append("Pixel Spacing holds one number: it is taken for rows and columns; check the head's shape.")
    return float(spacing[0]), float(spacing[-1])


def slice_spacing(dataset, name: str, warnings: list[str]) -> float:
    """Signed distance in mm between slices, along the normal (C.8.4.15); the thickness where it is missing.

    Raises:
        DaTscanError: neither Spacing Between Slices nor Slice Thickness can be read.
    """
    spacing = number(dataset, "SpacingBetweenSlices")
    if spacing:
        return spacing
    thickness = number(dataset, "SliceThickness")
    if not thickness:
        raise DaTscanError(f"{name} states no distance between slices: export it again.")
    warnings.append(
        f"Spacing Between Slices is missing: the slice thickness of {abs(thickness):.4g} mm is taken; "
        "check that top is up."
    )
    return abs(thickness)


def _unreadable(dataset, name):
    text = raw_text(dataset, "PixelSpacing")
    if not text:
        return DaTscanError(f"{name} states no pixel spacing, so its size is unknown: export it again.")
    shown = f'"{text}"' if _LIKE_NUMBERS.fullmatch(text) else "not numbers"
    return DaTscanError(
        f"{name} states a pixel spacing that cannot be read ({shown}; two positive numbers are needed): correct it, "
        "or export it again."
    )
