"""The slice views: which volumes they show, where they cut, and how far they look; the 3D view's camera."""

import numpy as np
import slicer

from ..reporting.panels import EXTENT

_ANTERIOR = 3  # of the view axes of a 3D view: right, left, posterior, anterior, inferior, superior
# mm: through the striata; the sagittal slice through the putamen of the lower side.
_AXIAL, _CORONAL, _SAGITTAL = 4.0, 4.0, 26.0
_ORIENTATIONS = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}
_NORMAL_AXIS = {"Axial": 2, "Coronal": 1, "Sagittal": 0}
_BORDER = 0.04  # of the view, left free around the brain
LEGEND_WIDTH = 0.24  # of the view, left free on the right where a legend is shown


def set_layout(layout: int) -> None:
    """Switch the layout, where there are views, and let them take their sizes."""
    manager = slicer.app.layoutManager()
    if manager is not None and manager.layout != layout:
        manager.setLayout(layout)
        slicer.app.processEvents()  # new views are as large as they will be only now: they cannot be fitted before


def set_layers(background, foreground, opacity: float = 1.0, names=None) -> None:
    """Show two volumes (or None) in all slice views, or in those with the layout names given."""
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        if names is None or composite.GetLayoutName() in names:
            composite.SetBackgroundVolumeID(background.GetID() if background else None)
            composite.SetForegroundVolumeID(foreground.GetID() if foreground else None)
            composite.SetLabelVolumeID(None)
            composite.SetForegroundOpacity(opacity)


def go_to_striatum(lower_side: str = "left", legend: bool = False) -> None:
    """Move the slice views to the striata and let them hold the whole brain, all at one scale.

    Args:
        lower_side: of the putamen through which the sagittal slice goes.
        legend: leave room for it on the right.
    """
    sagittal = _SAGITTAL if lower_side == "right" else -_SAGITTAL
    position = np.array([sagittal, _CORONAL, _AXIAL])
    nodes = [node for node in slicer.util.getNodesByClass("vtkMRMLSliceNode") if _turned_to_default(node)]
    right = LEGEND_WIDTH if legend else 0.0
    by_size = {}
    for node in nodes:
        by_size.setdefault(tuple(node.GetDimensions()[:2]), []).append(node)
    for group in by_size.values():  # views of one size show the brain in one size
        scale = max(_scale_to_fit(node, right) for node in group)
        for node in group:
            _look_at(node, position, scale, right)


def fit_to_volume(volume) -> None:
    """Let the slice views show a whole volume in its own place, through its middle."""
    slicer.app.applicationLogic().FitSliceToBackground()
    bounds = np.zeros(6)
    volume.GetRASBounds(bounds)
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        node.JumpSliceByOffsetting(*bounds.reshape(3, 2).mean(axis=1))


def reset_3d_views() -> None:
    """Look at the whole brain from the front, with neither box nor letters around it."""
    hide_3d_marks()
    manager = slicer.app.layoutManager()
    for index in range(manager.threeDViewCount if manager is not None else 0):
        view = manager.threeDWidget(index).threeDView()
        view.rotateToViewAxis(_ANTERIOR)
        view.resetFocalPoint()


def hide_3d_marks() -> None:
    """Without its box, a 3D view's letters stand in the way only."""
    for node in slicer.util.getNodesByClass("vtkMRMLViewNode"):
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)


def _turned_to_default(node):
    """Turn a view that somebody has turned back to its plane; gives whether it is one of the usual views."""
    orientation = _ORIENTATIONS.get(node.GetLayoutName().rstrip("+"))
    if orientation and node.GetOrientation() != orientation:
        node.SetOrientation(orientation)
    return node.GetOrientation() in _NORMAL_AXIS


def _in_plane(node):
    """Unit vectors (3,) to the right of the view and to its top."""
    to_ras = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
    return to_ras[:3, 0], to_ras[:3, 1]


def _scale_to_fit(node, right):
    """mm of a pixel with which the brain just fits beside what is left free on the right."""
    columns, rows = np.maximum(node.GetDimensions()[:2], 1)
    low, high = np.array(EXTENT).T
    size = [np.abs(axis) @ (high - low) for axis in _in_plane(node)]
    free = 1 - _BORDER
    return max(size[0] / (columns * (free - right)), size[1] / (rows * free))


def _look_at(node, position, scale, right):
    columns, rows = node.GetDimensions()[:2]
    across, _ = _in_plane(node)
    normal = _NORMAL_AXIS[node.GetOrientation()]
    center = np.array(EXTENT).mean(axis=1) + across * (right / 2 * columns * scale)
    center[normal] = position[normal]
    modified = node.StartModify()
    for row in range(3):
        node.GetSliceToRAS().SetElement(row, 3, center[row])
    node.SetXYZOrigin(0, 0, 0)
    node.SetFieldOfView(columns * scale, rows * scale, node.GetFieldOfView()[2])
    node.UpdateMatrices()
    node.EndModify(modified)
