"""Results as table nodes, which are saved with the scene."""

import vtk
from slicer.i18n import tr as _

from ..reporting.numbers import close_grades
from ..reporting.wording import number, value_of
from .scores import normal_limits, z_score

_SIDES = ("right", "left")
_DASH = "-"


def write_sbr_table(node, result: dict) -> None:
    """Fill a table node with a result's specific binding ratios by region and side.

    Where there are normals that fit, the z score stands beside each value, and the normals' limits at the end. Where
    left and right are unknown, the sides are that of the lower putamen and the other one.
    """
    quantification = value_of(result, "quantification") or {}
    names = {"caudate": _("Caudate"), "putamen": _("Putamen"), "striatum": _("Striatum")}
    without_sides = value_of(quantification, "sbr_without_sides")
    if without_sides:
        rows = [[name, *map(_number, without_sides[region])] for region, name in names.items()]
        write_table(node, [_("SBR"), _("Lower side"), _("Other side")], rows)
        return
    has_normals = value_of(quantification, "z") is not None
    rows = [[name, *_row(quantification, region, has_normals)] for region, name in names.items()]
    headings = [_("SBR"), _("Right"), _("z right"), _("Left"), _("z left"), _("Asym."), _("Normal")]
    if not has_normals:
        headings = [headings[index] for index in (0, 1, 3, 5)]
    write_table(node, headings, rows)


def write_grades_table(node, result: dict) -> None:
    """Fill a table node with the networks' grades of loss by region and side; a close neighbour stands beside."""
    grades = value_of(result, "quantification", "grades") or {}
    names = {
        "caudate": _("Caudate"),
        "putamen_anterior": _("Putamen, front"),
        "putamen_posterior": _("Putamen, back"),
    }
    rows = [
        [name, *(grade_in_words(grades.get(f"{part}_{side}")) for side in _SIDES)]
        for part, name in names.items()
        if any(f"{part}_{side}" in grades for side in _SIDES)
    ]
    write_table(node, [_("Loss (%)"), _("Right"), _("Left")], rows)


def grade_in_words(entry: dict | None) -> str:
    """ "moderate 72", or "moderate 48/strong 41" (%) where the neighbouring grade is close; a dash without any."""
    words = {
        "normal": _("normal"),
        "borderline": _("borderline"),
        "moderate": _("moderate"),
        "strong": _("strong"),
        "almost missing": _("almost missing"),
    }
    shown = [f"{words.get(name, name)}{_in_percent(share)}" for name, share in close_grades(entry)]
    return "/".join(shown) or _DASH


def _in_percent(share):
    return "" if share is None else f" {100 * share:.0f}"


def _row(quantification, region, has_normals):
    keys, cells = [f"{region}_{side}" for side in _SIDES], []
    for key in keys:
        cells.append(_number(value_of(quantification, "sbr", key)))
        if has_normals:
            z = z_score(quantification, key)
            cells.append(_DASH if z is None else number(z, 1, signed=True))
    asymmetry = value_of(quantification, "asymmetry_percent", region)
    cells.append("" if asymmetry is None else f"{asymmetry:.0f} %")
    limits = normal_limits(quantification, keys)
    return cells + ([_DASH if limits is None else f"{limits[0]:.1f}-{limits[1]:.1f}"] if has_normals else [])


def _number(value):
    """Two digits; what is not available takes no more room than a number."""
    return _DASH if value is None else number(value)


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
