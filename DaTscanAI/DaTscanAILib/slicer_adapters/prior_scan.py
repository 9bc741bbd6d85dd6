"""An earlier scan of the same patient: what the scene keeps of the comparison, and whether it still holds."""

import json

import numpy as np
from slicer.i18n import tr as _

from ..base.errors import DaTscanError
from ..mni.atlas import GRID_AFFINE, SIDES
from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML
from ..reporting.wording import number
from .case import CHANGE, CHANGE_TABLE, COMPARED, INPUT, PRIOR, SCAN, Case
from .inputs import scan_inputs, state_for
from .rendering import signed_table
from .shared_nodes import set_colors, shared_color_table
from .state import StageState, state_of
from .tables import write_table
from .volumes import voxels_of

_COLORS, _THRESHOLD = 256, 0.05
_LIMIT = 2.0  # multiples of the reference level, as on the page


def put_comparison(volume, prior, comparison, normals: str | None) -> dict:
    """Keep a comparison with the later scan's case; gives its result.

    Args:
        volume, prior: nodes of the later and of the earlier scan, both measured.
        comparison: `batch.comparison.Comparison`.
        normals: database that both were set beside, as it was named; None for none.
    """
    case = Case.of(volume, create=True)
    change = case.put_volume(CHANGE, comparison.difference, GRID_AFFINE, "change")
    _color(change)
    write_table(case.put_new(CHANGE_TABLE, "vtkMRMLTableNode", "change"), _headings(), _rows(comparison.result))
    case.set(PRIOR, prior)
    inputs = [scan_inputs(node, Case.of(node)) for node in (prior, volume)]
    content = {"result": comparison.result, "inputs": inputs, "normals": normals}
    case.put_new(COMPARED, "vtkMRMLTextNode", "comparison").SetText(json.dumps(content))
    case.group()
    return comparison.result


def known_comparison(case: Case | None) -> tuple[dict | None, StageState]:
    """The comparison of a scan with an earlier one, the content of `comparison.json`, and whether it still holds.

    Args:
        case: of the later scan; None without any.
    """
    kept = _kept(case)
    if kept is None:
        return None, StageState()
    prior, volume = case.get(PRIOR), case.get(INPUT)
    states = [_state(node, then) for node, then in zip((prior, volume), kept["inputs"], strict=True)]
    return kept["result"], next((state for state in states if state.is_outdated), states[0])


def change_volume(case: Case | None):
    """The volume of the change, if there is one and it still holds; else None."""
    return case.get(CHANGE) if known_comparison(case)[1].is_current else None


def save_comparison(case: Case | None, path) -> None:
    """Write the one-page PDF of a comparison.

    Raises:
        DaTscanError: nothing has been compared, or a scan has changed since.
    """
    result, state = known_comparison(case)
    if result is None or not state.is_current:
        raise DaTscanError("There is no comparison that holds: compare the scans first.")
    from pathlib import Path

    from ..base.files import atomic_write_bytes
    from ..batch.comparison import Comparison
    from ..batch.comparison_files import visit_graphs
    from ..quantification.normals import read_normals
    from ..reporting.comparison_page import comparison_bytes

    normals = _kept(case)["normals"]
    before, after = (voxels_of(known.get(SCAN)) for known in (Case.of(case.get(PRIOR)), case))
    comparison = Comparison(result, before, after, None if normals is None else read_normals(normals))
    atomic_write_bytes(Path(path), comparison_bytes(result, before, after, visit_graphs(comparison)))


def _kept(case):
    node = case.get(COMPARED) if case else None
    if node is None or case.get(PRIOR) is None or not node.GetText():
        return None
    return json.loads(node.GetText())


def _state(volume, then) -> StageState:
    """As of a stage that depends on the scan alone; the SBRs must also be there still."""
    if not state_for(volume)["quantification"].is_current:
        return state_for(volume)["quantification"]
    return state_of({"registration": {"inputs": then}}, scan_inputs(volume, Case.of(volume)))["registration"]


def _color(volume):
    """Orange where binding is lost, blue where it is gained, in a symmetric window."""
    table = shared_color_table("change colors", _COLORS)
    set_colors(table, np.ascontiguousarray(signed_table(_THRESHOLD, "both")[::-1]))
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(-_LIMIT, _LIMIT)
    display.SetAndObserveColorNodeID(table.GetID())


def _headings():
    return [_("SBR"), _("Before"), _("After"), _("Change"), _("Limit"), _("Verdict")]


def _rows(result):
    names = {"caudate": _("Caudate"), "putamen": _("Putamen"), "striatum": _("Striatum")}
    sides = {"right": _("right"), "left": _("left")}
    return [
        [f"{names[nucleus]} {sides[side]}", *_cells(result["change"].get(f"{nucleus}_{side}"))]
        for nucleus in HOTTEST_VOLUME_ML
        for side in reversed(SIDES)
    ]


def _cells(change):
    if change is None:
        return ["-", "-", "-", "-", "-"]
    percent = "-" if change["percent"] is None else f"{number(change['percent'], 0, signed=True)} %"
    return [
        number(change["before"]),
        number(change["after"]),
        percent,
        f"± {number(change['limit'])}",
        _verdict(change["verdict"]),
    ]


def _verdict(verdict):
    """As the core calls it, in the user's language."""
    known = {
        None: _("not judged"),
        "within the limits": _("within"),
        "beyond the measurement's limits": _("beyond the measurement's"),
        "beyond the published limits": _("beyond the published"),
    }
    return known.get(verdict, str(verdict))
