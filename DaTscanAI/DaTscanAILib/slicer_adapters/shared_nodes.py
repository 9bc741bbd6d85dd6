"""Nodes that all cases of a scene share: templates and color tables; and the colors of volumes."""

import numpy as np
import slicer

from ..mni.atlas import GRID_AFFINE, load_atlas, load_mri, read_grid
from ..quantification.scaling import REFERENCE_PERCENTILE
from ..reporting.colors import ENTRIES, scan_table
from ..reporting.panels import scan_limit
from .case import SHARED_ATTRIBUTE
from .rendering import signed_table
from .volumes import add_volume, voxels_of

_GRAY = "vtkMRMLColorTableNodeGrey"


def color_relevance(volume, threshold: float, signs: str) -> None:
    """Signed colors in a symmetric window; where the table has alpha 0, the background shows through."""
    table = shared_node("relevance colors", _new_color_table)
    set_colors(table, signed_table(threshold, signs))
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(-1.0, 1.0)
    display.SetAndObserveColorNodeID(table.GetID())


def color_scan(volume) -> None:
    """Hot-iron colors from zero to a whole multiple of the reference level."""
    color_hot(volume, scan_limit(voxels_of(volume)))


def color_hot(volume, high: float) -> None:
    """Hot-iron colors from zero to a value."""
    table = shared_node("scan colors", _new_color_table)
    set_colors(table, scan_table())
    _set_window(volume, high, table.GetID())


def color_gray(volume) -> None:
    """Gray from zero to a whole multiple of the reference level: what lies over it keeps its colors."""
    _set_window(volume, scan_limit(voxels_of(volume)), _GRAY)


def color_as_loaded(volume) -> None:
    """Gray by Slicer's own window, where the comparison with the template has changed a scan's colors."""
    display = volume.GetDisplayNode()
    if display and display.GetColorNode() and display.GetColorNode().GetAttribute(SHARED_ATTRIBUTE):
        display.SetAndObserveColorNodeID(_GRAY)
        display.AutoWindowLevelOn()


def _set_window(volume, high, color_node):
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, high)
    display.SetAndObserveColorNodeID(color_node)


def shared_mri():
    """The MRI template, one node a scene."""
    node = shared_node("MRI template", lambda name: add_volume(name, *load_mri()))
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevelMinMax(0.0, 1.25 * float(load_mri()[0].max()))
    return node


def shared_fpcit_template():
    """The mean FP-CIT template in multiples of its reference region, in a scan's colors; one node a scene."""
    node = shared_node("FP-CIT template", lambda name: add_volume(name, _fpcit_template(), GRID_AFFINE))
    color_scan(node)
    return node


def _fpcit_template():
    """Float32 `(91, 109, 91)`, scaled like a normalized scan."""
    template = read_grid("fpcit_template_2mm.nii.gz").astype(np.float32)
    return template / np.float32(np.percentile(template[load_atlas().reference], REFERENCE_PERCENTILE))


def set_colors(color_node, table: np.ndarray, names: list[str] | None = None) -> None:
    """Write a table `(n, 4)` uint8; slice views take its alpha as a yes or no.

    Args:
        names: of the colors; None leaves them.
    """
    modified = color_node.StartModify()
    for index, (red, green, blue, alpha) in enumerate(table / 255.0):
        color_node.SetColor(index, red, green, blue, float(alpha > 0))
        if names is not None:
            color_node.SetColorName(index, names[index])
    color_node.EndModify(modified)


def shared_color_table(role: str, colors: int):
    """A color table of so many colors, one node a scene."""
    return shared_node(role, lambda name: _new_color_table(name, colors))


def _new_color_table(name, colors=ENTRIES):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", name)
    node.SetTypeToUser()
    node.SetNumberOfColors(colors)
    node.SetHideFromEditors(False)  # hidden nodes with a file of their own are not saved with the scene
    return node


def shared_node(role, make):
    """The node of the scene that all cases share in a role; made if needed."""
    for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode") + slicer.util.getNodesByClass(
        "vtkMRMLColorTableNode"
    ):
        if node.GetAttribute(SHARED_ATTRIBUTE) == role:
            return node
    node = make(f"DaTscan AI {role}")
    node.SetAttribute(SHARED_ATTRIBUTE, role)
    return node
