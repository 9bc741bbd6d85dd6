"""Pictures of a scan whose left and right are unknown: question marks in place of letters."""

from dataclasses import replace

from .panels import Panels

_STRIPS = ("scan", "relevance", "views", "difference")


def without_side_letters(panels: Panels) -> Panels:
    """The same panels whose slices name no side."""
    return replace(panels, **{name: _nameless(getattr(panels, name)) for name in _STRIPS})


def _nameless(strip):
    if strip is None:
        return None
    return replace(strip, cuts=tuple(replace(cut, sides_known=False) for cut in strip.cuts))
