"""The letters L and R of the slice views: question marks while they show a scan whose left and right are unknown.

A slice view's controller writes them before the position ("R: 26 mm"), and its orientation marker on its axes.
"""

import slicer

from ..reporting.unknown_sides import sides_are_unknown
from .case import CHANGE, CHECKERBOARD, INPUT, OTHER_RELEVANCE, RELEVANCE, SCAN, Case

UNKNOWN = "?"
_LETTERS = ((0, "L"), (1, "R"))  # places among a view's axis labels, and what Slicer has there
_VOLUMES = (INPUT, SCAN, RELEVANCE, OTHER_RELEVANCE, CHECKERBOARD, CHANGE)


def update_side_letters() -> None:
    """Let each slice view name the sides by what it shows now."""
    unknown = _volumes_of_unknown_sides()
    shown = {
        node.GetLayoutName(): _shown_in(node) for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    }
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        _name_sides(node, not unknown & shown.get(node.GetLayoutName(), set()))


def restore_side_letters() -> None:
    """Let all slice views name the sides as Slicer does: nobody watches any more what they show."""
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        _name_sides(node, known=True)


def _volumes_of_unknown_sides():
    cases = [case for case in Case.all() if sides_are_unknown(case.result or {})]
    return {node.GetID() for case in cases for role in _VOLUMES if (node := case.get(role))}


def _shown_in(composite):
    return {composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()}


def _name_sides(node, known):
    """Other words than Slicer's own have been chosen by somebody, and stay."""
    for place, letter in _LETTERS:
        if node.GetAxisLabel(place) in (letter, UNKNOWN):
            node.SetAxisLabel(place, letter if known else UNKNOWN)
