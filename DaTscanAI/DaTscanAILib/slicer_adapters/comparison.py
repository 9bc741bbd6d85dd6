"""Scan and FP-CIT template together, to judge a registration and to correct it by hand."""

import numpy as np
import slicer

from ..mni.atlas import GRID_AFFINE, GRID_SHAPE, load_atlas
from ..mni.geometry import resample
from ..quantification.scaling import REFERENCE_PERCENTILE
from ..reporting.panels import scan_limit
from .case import CHECKERBOARD, INPUT, TRANSFORM, Case, scanner_from_mni
from .display import color_hot, go_to_striatum, set_layers, set_layout, shared_fpcit_template
from .volumes import affine_of, voxels_of

_SQUARE = 8  # voxels of 2 mm
_FUSED_OPACITY = 0.5
_UPPER, _LOWER = ("Red", "Green", "Yellow"), ("Red+", "Green+", "Yellow+")


def compare(case: Case, way: str) -> None:
    """Show a registered scan with the template; the case's transform may be moved meanwhile.

    Args:
        way: "fused", "checkerboard" or "side_by_side".
    """
    template, scan = shared_fpcit_template(), put_through(case)
    color_hot(scan, _level(case) * scan_limit(voxels_of(template)))
    if way == "side_by_side":
        set_layout(slicer.vtkMRMLLayoutNode.SlicerLayoutThreeOverThreeView)
        set_layers(scan, None, names=_UPPER)
        set_layers(template, None, names=_LOWER)
    else:
        set_layout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        layers = (put_checkerboard(case, template), None) if way == "checkerboard" else (template, scan)
        set_layers(*layers, _FUSED_OPACITY)
    go_to_striatum()


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
