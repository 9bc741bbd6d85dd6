"""Results as table nodes, which are saved with the scene."""

import slicer
import vtk
from slicer.i18n import tr as _

from ..reporting.numbers import against_normals_text
from ..reporting.wording import number, value_of

_REGIONS = ("caudate", "putamen", "striatum")
_SIDES = ("right", "left")


def write_sbr_table(node, result: dict) -> None:
    """Fill a table node with a result's specific binding ratios by region and side.

    Asymmetry and, where the result has them, z-score, deviation and percentile among normals stand beside.
    """
    quantification = value_of(result, "quantification") or {}
    normal = value_of(quantification, "normals", "measures") or {}
    names = {"caudate": _("Caudate"), "putamen": _("Putamen"), "striatum": _("Striatum")}
    rows = [[names[region], *_row(quantification, normal, region)] for region in _REGIONS]
    ratios = [number(value_of(quantification, "caudate_putamen_ratio", side)) for side in _SIDES]
    rows.append([_("Caudate/putamen"), *ratios, *[""] * (len(rows[0]) - 3)])
    headings = [
        _("SBR"),
        _("Right"),
        _("Left"),
        _("Asymmetry"),
        _("Right against normals"),
        _("Left against normals"),
    ]
    write_table(node, headings[: len(rows[0])], rows)


def _row(quantification, normal, region):
    keys = [f"{region}_{side}" for side in _SIDES]
    values = [value_of(quantification, "sbr", key) for key in keys]
    asymmetry = value_of(quantification, "asymmetry_percent", region)
    texts = [*(number(value) for value in values), "" if asymmetry is None else f"{asymmetry:.1f} %"]
    return texts + [against_normals_text(normal.get(key)) for key in keys if normal]


def write_results_table(node, rows: list[dict[str, str]]) -> None:
    """Fill a table node with the rows of `results.csv`."""
    headings = list(rows[0]) if rows else ["case", "error"]
    write_table(node, headings, [[row[heading] for heading in headings] for row in rows])


def write_table(node, headings: list[str], rows: list[list[str]]) -> None:
    """Replace a table node's content by texts."""
    modified = node.StartModify()
    node.RemoveAllColumns()
    for index, heading in enumerate(headings):
        column = vtk.vtkStringArray()
        column.SetName(heading)
        for row in rows:
            column.InsertNextValue(row[index])
        node.AddColumn(column)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)
    node.EndModify(modified)


def show_table(node) -> None:
    """Open a table beside the views."""
    manager = slicer.app.layoutManager()
    if manager is None:
        return
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView)
    slicer.app.applicationLogic().GetSelectionNode().SetActiveTableID(node.GetID())
    slicer.app.applicationLogic().PropagateTableSelection()
