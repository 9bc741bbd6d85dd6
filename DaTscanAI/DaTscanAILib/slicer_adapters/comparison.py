"""Scan and FP-CIT template together, to judge a registration and to correct it by hand."""

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..mni.atlas import GRID_AFFINE, GRID_SHAPE, load_atlas
from ..mni.geometry import resample
from ..quantification.scaling import REFERENCE_PERCENTILE
from ..reporting.panels import scan_limit
from .case import CHECKERBOARD, INPUT, SHARED_ATTRIBUTE, TRANSFORM, Case, scanner_from_mni
from .legend import hide_legends
from .regions import segment
from .shared_nodes import color_hot, shared_fpcit_template, shared_node
from .slice_views import go_to_striatum, set_layers, set_layout
from .volumes import affine_of, voxels_of

_SQUARE = 8  # voxels of 2 mm
_FUSED_OPACITY = 0.7
_OUTLINES, _OUTLINE_COLOR = "outlines of the FP-CIT template", (0.55, 1.0, 0.75)
_BRAIN, _STRIATA = 0.7, 2.2  # multiples of the reference region: about half the uptake beyond it
_UPPER, _LOWER = ("Red", "Green", "Yellow"), ("Red+", "Green+", "Yellow+")


def compare(case: Case, way: str, keep_position: bool = False) -> None:
    """Show a registered scan with the template, in the same colors; the case's transform may be moved meanwhile.

    Args:
        way: "fused", "checkerboard" or "side_by_side".
        keep_position: leave the slices where they are.
    """
    template, scan = shared_fpcit_template(), put_through(case)
    color_hot(scan, _level(case) * scan_limit(voxels_of(template)))
    hide_legends()
    is_beside = way == "side_by_side"
    if not keep_position:
        layouts = slicer.vtkMRMLLayoutNode
        set_layout(layouts.SlicerLayoutThreeOverThreeView if is_beside else layouts.SlicerLayoutFourUpView)
    if is_beside:
        set_layers(scan, None, names=_UPPER)
        set_layers(template, None, names=_LOWER)
    else:
        layers = (put_checkerboard(case, template), None) if way == "checkerboard" else (template, scan)
        set_layers(*layers, _FUSED_OPACITY)
    _show_outlines()
    if not keep_position:
        go_to_striatum()


def hide_outlines() -> None:
    """Without a comparison, no outlines."""
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if node.GetAttribute(SHARED_ATTRIBUTE) == _OUTLINES:
            node.SetDisplayVisibility(False)


def _show_outlines():
    """Where the template has its brain and its striata: what lies beside them is seen in any colors."""
    node = shared_node(_OUTLINES, _new_outlines)
    node.GetDisplayNode().SetVisibility(True)
    node.GetDisplayNode().SetVisibility3D(False)


def _new_outlines(name):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    template = voxels_of(shared_fpcit_template())
    node.CreateDefaultDisplayNodes()
    for identifier, title, level in (
        ("brain", _("Brain of the template"), _BRAIN),
        ("striata", _("Striata"), _STRIATA),
    ):
        node.GetSegmentation().AddSegment(segment(title, _OUTLINE_COLOR, template > level), identifier)
        node.GetDisplayNode().SetSegmentVisibility2DFill(identifier, False)
    return node


def put_through(case: Case):
    """Let the input volume be seen through the case's transform, so in MNI space; gives the volume."""
    scan = case.get(INPUT)
    scan.SetAndObserveTransformNodeID(case.get(TRANSFORM).GetID())
    return scan


def take_back(case: Case) -> None:
    """See the input volume in the scanner's space again."""
    scan = case.get(INPUT)
    if case.get(TRANSFORM) and scan.GetParentTransformNode() is case.get(TRANSFORM):
        scan.SetAndObserveTransformNodeID(None)


def put_checkerboard(case: Case, template):
    """Squares of the scan and of the template by turns, on the template's grid; gives the volume node."""
    scan = _resampled(case) / _level(case)
    index = np.indices(GRID_SHAPE) // _SQUARE
    board = np.where(index.sum(axis=0) % 2, scan, voxels_of(template)).astype(np.float32)
    node = case.put_volume(CHECKERBOARD, board, GRID_AFFINE, "checkerboard")
    color_hot(node, scan_limit(voxels_of(template)))
    return node


def _resampled(case):
    scan = case.get(INPUT)
    matrix = np.linalg.inv(affine_of(scan)) @ scanner_from_mni(case.get(TRANSFORM)) @ GRID_AFFINE
    return resample(voxels_of(scan), matrix, GRID_SHAPE)


def _level(case):
    """Units of the scan that stand for 1 of the template."""
    values = _resampled(case)[load_atlas().reference]
    level = float(np.percentile(values, REFERENCE_PERCENTILE))
    return level if level > 0 else max(float(values.max()), 1.0)
