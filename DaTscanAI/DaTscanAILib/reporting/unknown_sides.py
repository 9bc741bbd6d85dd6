"""Pictures of a scan whose left and right are unknown: question marks in place of letters."""

from dataclasses import replace

from .language import ENGLISH, Language
from .panels import Panels, Strip

_STRIPS = ("scan", "relevance", "views", "difference")


def without_side_letters(panels: Panels) -> Panels:
    """The same panels whose slices name no side."""
    strips = {name: getattr(panels, name) for name in _STRIPS}
    return replace(panels, **{name: strip and strip_without_letters(strip) for name, strip in strips.items()})


def sides_are_unknown(result: dict) -> bool:
    """Whether the content of `result.json` says so."""
    return (result.get("registration") or {}).get("sides_known") is False


def orientation_sentence(sides_known: bool, words: Language = ENGLISH) -> str:
    """Where the patient's right is in the slices, or that nobody knows."""
    return words("pictures.orientation" if sides_known else "pictures.sides_unknown")


def strip_without_letters(strip: Strip) -> Strip:
    """The same slices, naming no side."""
    return replace(strip, cuts=tuple(replace(cut, sides_known=False) for cut in strip.cuts))
