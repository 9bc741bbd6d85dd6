"""What the views show of a scan: only what belongs to it as it is now."""

from dataclasses import dataclass, replace

import slicer

from .case import DERIVED_ATTRIBUTE, INPUT, REGIONS, RELEVANCE, RENDERING, SCAN, Case, is_derived
from .comparison import hide_outlines, take_back
from .legend import hide_legends, show_legend
from .prior_scan import change_volume
from .rendering import bake, set_volume_visible, show_volume
from .settings import Settings
from .shared_nodes import color_as_loaded, color_gray, color_relevance, color_scan, shared_mri
from .slice_views import fit_to_volume, go_to_striatum, hide_3d_marks, reset_3d_views, set_layers, set_layout
from .state import CHOICES, ScanState
from .volumes import affine_of, voxels_of

_SCAN_OPACITY = 0.6
# What stands in for the relevance where nothing was classified, and for the change where nothing was compared.
_WITHOUT_RELEVANCE = {"relevance": "scan", "relevance_on_scan": "scan_only"}
_WITHOUT_CHANGE = {"change": "scan_only"}


@dataclass(frozen=True)
class Shown:
    """The volumes of a case that belong to the scan as it is now, None for those that do not.

    Attributes:
        scan: in MNI space.
        relevance: on the same grid.
        reference: name of what the relevance compares the scan with.
        lower_side: of the putamen with the lower uptake.
        change: since an earlier scan, on the same grid.
    """

    scan: object = None
    relevance: object = None
    reference: str = ""
    lower_side: str = "left"
    change: object = None


def shown_of(case: Case | None, state: ScanState) -> Shown:
    """What of a case may be shown."""
    if case is None or not is_scan_current(state):
        return Shown()
    result = case.result or {}
    reference = (result.get("explanation") or {}).get("reference") or {}
    return Shown(
        case.get(SCAN),
        case.get(RELEVANCE) if state["classification"].is_current else None,
        reference.get("name", "") if isinstance(reference, dict) else str(reference),
        (result.get("quantification") or {}).get("lower_putamen") or "left",
        change_volume(case),
    )


def is_scan_current(state: ScanState) -> bool:
    """Whether the scan in MNI space belongs to the scan as it is: another method of the SBRs leaves it as it is."""
    measured = state["quantification"]
    return measured.is_current or measured.reason in CHOICES["quantification"]


def show_in_four_views(volume, state: ScanState, settings: Settings, keep_position: bool = False) -> None:
    """Show a scan in the four-up layout: what is known of it or, before it was analyzed, the scan itself.

    Args:
        volume: the input volume.
        state: of its results.
        keep_position: leave slices and camera where they are.
    """
    case = Case.of(volume)
    shown = shown_of(case, state)
    hide_outlines()
    if case is not None:
        take_back(case)
    if not keep_position:
        set_layout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    if shown.scan is None:
        _show_input(volume, case)
        return
    show_case(case, settings, shown)
    if not keep_position:
        go_to_striatum(shown.lower_side, legend=shown.relevance is not None)
        reset_3d_views()


def show_case(case: Case, settings: Settings, shown: Shown) -> None:
    """Show a case in slices and in 3D."""
    if shown.relevance:
        color_relevance(shown.relevance, settings.threshold, settings.signs)
    content = settings.content if shown.relevance else _WITHOUT_RELEVANCE.get(settings.content, settings.content)
    content = content if shown.change else _WITHOUT_CHANGE.get(content, content)
    _show_slices(shown, replace(settings, content=content))
    _show_3d(case, shown.relevance, settings)


def _show_input(volume, case):
    """The scan as it was loaded."""
    hide_legends()
    if case is not None and case.get(RENDERING):
        set_volume_visible(case.get(RENDERING), False)
    if case is not None and case.get(REGIONS):
        case.get(REGIONS).SetDisplayVisibility(False)
    color_as_loaded(volume)
    set_layers(volume, None)
    fit_to_volume(volume)


def _show_slices(shown, settings):
    scan, relevance = shown.scan, shown.relevance if settings.in_slices else None
    is_over_scan = settings.content == "relevance_on_scan"
    if is_over_scan or settings.content == "change":  # orange and blue are not told apart on hot iron
        color_gray(scan)
    else:
        color_scan(scan)
    layers = {
        "relevance_on_scan": (scan, relevance, settings.opacity),
        "scan": (shared_mri(), scan, _SCAN_OPACITY),
        "scan_only": (scan, None, 0.0),
        "change": (scan, shown.change, settings.opacity),
    }.get(settings.content, (shared_mri(), relevance, settings.opacity))
    set_layers(*layers)
    if relevance is not None and relevance in layers:
        show_legend(relevance, settings.threshold, settings.signs, shown.reference)
    else:
        hide_legends()


def _show_3d(case, relevance, settings):
    node = case.get(RENDERING)
    hide_3d_marks()
    if relevance is None or not settings.in_3d:
        if node:
            set_volume_visible(node, False)
        return
    rgba = bake(voxels_of(relevance), affine_of(relevance), settings.threshold, settings.opacity, settings.signs)
    node = show_volume(node, rgba, f"{case.name} relevance in 3D")
    node.SetAttribute(DERIVED_ATTRIBUTE, RENDERING)
    case.set(RENDERING, node)


def hide_other_cases(volume) -> None:
    """Take what belongs to other scans out of the 3D view and off the slices."""
    for case in Case.all():
        if volume is not None and case.get(INPUT) is volume:  # a deleted scan's case has no input
            continue
        if case.get(INPUT):
            take_back(case)
        if case.get(RENDERING):
            set_volume_visible(case.get(RENDERING), False)
        if case.get(REGIONS):
            case.get(REGIONS).SetDisplayVisibility(False)


def show_nothing() -> None:
    """No scan is selected: nothing of the module's own stays in the views, what others have put there does."""
    hide_other_cases(None)
    hide_legends()
    hide_outlines()
    scene = slicer.mrmlScene
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        names = (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
        volumes = [scene.GetNodeByID(name) for name in names if name]
        if any(volume is not None and is_derived(volume) for volume in volumes):
            set_layers(None, None, names=(composite.GetLayoutName(),))
