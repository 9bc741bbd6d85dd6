"""What the slice views show: template, scan and relevance in MNI space, colors and legend."""

import textwrap
from dataclasses import replace

import numpy as np
import slicer

from ..mni.atlas import GRID_AFFINE, load_atlas, load_mri, read_grid
from ..quantification.scaling import REFERENCE_PERCENTILE
from ..reporting.colors import scan_table
from ..reporting.wording import reference_of
from .case import INPUT, REGIONS, RELEVANCE, RENDERING, SCAN, SHARED_ATTRIBUTE, Case
from .rendering import bake, set_volume_visible, show_volume, signed_table
from .settings import Settings
from .volumes import add_volume, affine_of, voxels_of

_SCAN_OPACITY = 0.6
_LEGEND_CHARACTERS = 22  # in a line of the legend's title
# What stands in for the relevance where nothing was classified.
_WITHOUT_RELEVANCE = {"relevance": "scan", "relevance_on_scan": "scan_only"}
_ANTERIOR = 3  # of the view axes of a 3D view: right, left, posterior, anterior, inferior, superior
# mm: through the striata; the sagittal slice through the putamen of the lower side.
_AXIAL, _CORONAL, _SAGITTAL = 4.0, 4.0, 26.0


def show_in_four_views(case: Case, settings: Settings, keep_position: bool = False) -> None:
    """Show a case in the four-up layout.

    Args:
        keep_position: leave slices and camera where they are.
    """
    if not keep_position:
        set_layout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    show_case(case, settings)
    if not keep_position:
        quantification = case.result.get("quantification") or {}
        go_to_striatum(quantification.get("lower_putamen", "left"))
        reset_3d_views()


def show_case(case: Case, settings: Settings) -> None:
    """Show a case in slices and in 3D."""
    relevance, scan = case.get(RELEVANCE), case.get(SCAN)
    if relevance:
        color_relevance(relevance, settings.threshold, settings.signs)
    content = settings.content if relevance else _WITHOUT_RELEVANCE.get(settings.content, settings.content)
    shown, reference = replace(settings, content=content), reference_of(case.result or {})
    _show_slices(relevance if settings.in_slices else None, scan, shown, reference)
    _show_3d(case, settings)


def _show_slices(relevance, scan, settings, reference):
    mri = shared_mri()
    if settings.content == "relevance_on_scan" and scan:
        layers = (scan, relevance, settings.opacity)
    elif settings.content == "scan" and scan:
        layers = (mri, scan, _SCAN_OPACITY)
    elif settings.content == "scan_only" and scan:
        layers = (scan, None, 0.0)
    else:
        layers = (mri, relevance, settings.opacity)
    if relevance:
        show_legend(relevance, reference)
    set_layers(*layers)


def _show_3d(case, settings):
    relevance, node = case.get(RELEVANCE), case.get(RENDERING)
    if relevance is None or not settings.in_3d:
        if node:
            set_volume_visible(node, False)
        return
    rgba = bake(voxels_of(relevance), affine_of(relevance), settings.threshold, settings.opacity, settings.signs)
    case.set(RENDERING, show_volume(node, rgba, f"{case.name} relevance in 3D"))


def hide_other_cases(volume) -> None:
    """Take what belongs to other scans out of the 3D view and off the slices."""
    for case in Case.all():
        if volume is not None and case.get(INPUT) is volume:  # a deleted scan's case has no input
            continue
        if case.get(RENDERING):
            set_volume_visible(case.get(RENDERING), False)
        if case.get(REGIONS):
            case.get(REGIONS).SetDisplayVisibility(False)


def set_layers(background, foreground, opacity: float = 1.0, names=None) -> None:
    """Show two volumes (or None) in all slice views, or in those with the layout names given."""
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        if names is None or composite.GetLayoutName() in names:
            composite.SetBackgroundVolumeID(background.GetID() if background else None)
            composite.SetForegroundVolumeID(foreground.GetID() if foreground else None)
            composite.SetLabelVolumeID(None)
            composite.SetForegroundOpacity(opacity)
    for legend in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"):
        # The slice views look at which volumes they hold only when the legend itself changes.
        legend.Modified()


def go_to_striatum(lower_side: str = "left") -> None:
    """Fit the slice views to their volumes and move them to the striata."""
    manager = slicer.app.layoutManager()
    if manager is not None:
        slicer.util.resetSliceViews()
    sagittal = _SAGITTAL if lower_side == "right" else -_SAGITTAL
    places = {"Axial": (0, 0, _AXIAL), "Coronal": (0, _CORONAL, 0), "Sagittal": (sagittal, 0, 0)}
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        if node.GetOrientation() in places:
            node.JumpSliceByOffsetting(*places[node.GetOrientation()])


def reset_3d_views() -> None:
    """Look at the whole brain from the front."""
    for node in slicer.util.getNodesByClass("vtkMRMLViewNode"):
        node.SetBoxVisible(False)
    manager = slicer.app.layoutManager()
    for index in range(manager.threeDViewCount if manager is not None else 0):
        view = manager.threeDWidget(index).threeDView()
        view.rotateToViewAxis(_ANTERIOR)
        view.resetFocalPoint()


def set_layout(layout: int) -> None:
    """Switch the layout, where there are views."""
    manager = slicer.app.layoutManager()
    if manager is not None:
        manager.setLayout(layout)


def show_legend(relevance, reference: str) -> None:
    """A small legend in the lower right corner of the slices, with what the relevance is compared with."""
    legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(relevance)
    legend.SetTitleText("\n".join(["Relevance", *textwrap.wrap(reference, _LEGEND_CHARACTERS)]))
    legend.SetLabelFormat("%.1f")
    legend.SetNumberOfLabels(3)
    legend.SetSize(0.12, 0.3)
    legend.SetPosition(0.97, 0.04)
    for text in (legend.GetTitleTextProperty(), legend.GetLabelTextProperty()):
        text.SetFontSize(10)
        text.SetFontFamilyToArial()
        text.BoldOff()
        text.ItalicOff()


def color_relevance(volume, threshold: float, signs: str) -> None:
    """Signed colors in a symmetric window; where the table has alpha 0, the background shows through."""
    table = _shared("relevance colors", _new_color_table)
    set_colors(table, signed_table(threshold, signs))
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(-1.0, 1.0)
    display.SetAndObserveColorNodeID(table.GetID())


def color_scan(volume) -> None:
    """Hot-iron colors from zero to a whole multiple of the reference level."""
    from ..reporting.panels import scan_limit

    color_hot(volume, scan_limit(voxels_of(volume)))


def color_hot(volume, high: float) -> None:
    """Hot-iron colors from zero to a value."""
    table = _shared("scan colors", _new_color_table)
    set_colors(table, scan_table())
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, high)
    display.SetAndObserveColorNodeID(table.GetID())


def shared_mri():
    """The MRI template, one node a scene."""
    node = _shared("MRI template", lambda name: add_volume(name, *load_mri()))
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevelMinMax(0.0, 1.25 * float(load_mri()[0].max()))
    return node


def shared_fpcit_template():
    """The mean FP-CIT template in multiples of its reference region, one node a scene."""
    node = _shared("FP-CIT template", lambda name: add_volume(name, _fpcit_template(), GRID_AFFINE))
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevelMinMax(0.0, float(np.percentile(voxels_of(node), 99.8)))
    return node


def _fpcit_template():
    """Float32 `(91, 109, 91)`, scaled like a normalized scan."""
    template = read_grid("fpcit_template_2mm.nii.gz").astype(np.float32)
    return template / np.float32(np.percentile(template[load_atlas().reference], REFERENCE_PERCENTILE))


def set_colors(color_node, table: np.ndarray) -> None:
    """Write a table `(n, 4)` uint8; slice views take its alpha as a yes or no."""
    modified = color_node.StartModify()
    for index, (red, green, blue, alpha) in enumerate(table / 255.0):
        color_node.SetColor(index, red, green, blue, float(alpha > 0))
    color_node.EndModify(modified)


def _new_color_table(name):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", name)
    node.SetTypeToUser()
    node.SetNumberOfColors(256)
    node.SetHideFromEditors(False)  # hidden nodes with a file of their own are not saved with the scene
    return node


def _shared(role, make):
    """The node of the scene that all cases share in a role; made if needed."""
    for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode") + slicer.util.getNodesByClass(
        "vtkMRMLColorTableNode"
    ):
        if node.GetAttribute(SHARED_ATTRIBUTE) == role:
            return node
    node = make(f"DaTscan AI {role}")
    node.SetAttribute(SHARED_ATTRIBUTE, role)
    return node
