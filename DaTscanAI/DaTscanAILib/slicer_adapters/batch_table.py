"""The table of a batch: what a person looks for in the first columns, and a double click that opens the case."""

import json
import logging
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..base.errors import DaTscanError
from .inputs import chosen_inputs, scan_inputs
from .tables import write_table
from .volumes import load_scan

RESULTS_ATTRIBUTE = "DaTscanAI.Results"  # JSON: where the batch lies, and the file of each row's scan
_SCAN_FILE_ATTRIBUTE = "DaTscanAI.File"  # of a volume that a row has opened
# Of `results.csv`, in the order in which they follow what stands first here.
_SHOWN_ALREADY = ("case", "label", "probability_reduced", "registration_quality", "error")


def results_node():
    """The scene's table of batch results, made if needed."""
    for node in slicer.util.getNodesByClass("vtkMRMLTableNode"):
        if node.GetAttribute(RESULTS_ATTRIBUTE):
            return node
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "DaTscan AI results")


def write_batch_table(node, answer, output: Path, choices: dict) -> None:
    """Fill a table node with a batch.

    Args:
        answer: `work.BatchAnswer`.
        output: folder of the results.
        choices: model, normals and second reader that were asked for.
    """
    rows, rest = answer.rows, []
    if rows:
        rest = [name for name in rows[0] if name not in _SHOWN_ALREADY]
    headings = [_("Case"), _("Answer"), _("Probability"), _("Lower putamen"), _("z"), _("Quality"), _("Error"), *rest]
    write_table(node, headings, [_cells(row, answer.lower_putamen.get(row["case"]), rest) for row in rows])
    place = {
        "output": str(output.absolute()),
        "choices": choices,
        "scans": [answer.scans.get(row["case"]) for row in rows],
    }
    node.SetAttribute(RESULTS_ATTRIBUTE, json.dumps({**place, "cases": [row["case"] for row in rows]}))


def _cells(row, lower, rest):
    """Texts of a row: three digits are what a person reads, more are in `results.csv`."""
    value, z = lower or (None, None)
    answer = _("FAILED") if row["error"] else row["label"]
    first = [row["case"], answer, _three_digits(row["probability_reduced"])]
    numbers = ["" if value is None else f"{value:.3g}", "" if z is None else f"{z:+.2f}"]
    quality = _three_digits(row.get("registration_quality", ""))
    return [*first, *numbers, quality, row["error"], *(_three_digits(row[name]) for name in rest)]


def _three_digits(text):
    try:
        return f"{float(text):.3g}"
    except ValueError:
        return text


def open_row(node, index: int, session):
    """Load the scan of a row and what the batch has found, select and show it; gives the volume node.

    Args:
        session: `session.Session` that is to have it selected.

    Raises:
        DaTscanError: the row has no scan that can be loaded.
    """
    place = json.loads(node.GetAttribute(RESULTS_ATTRIBUTE))
    case, file = place["cases"][index], place["scans"][index]
    volume = _volume_of(case, file)
    folder = Path(place["output"]) / case
    if (folder / "result.json").is_file():
        _put_result(volume, folder, place["choices"])
    session.select(volume, place["choices"])
    return volume


def _volume_of(case, file):
    """The volume that the row has opened before, that it was made from, or a new one."""
    for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if volume.GetAttribute(_SCAN_FILE_ATTRIBUTE) == file if file else volume.GetName() == case:
            return volume
    if file is None:
        raise DaTscanError(f"{case}: the volume has been removed from the scene: load it again.")
    volume = load_scan(Path(file), case)
    volume.SetAttribute(_SCAN_FILE_ATTRIBUTE, file)
    return volume


def _put_result(volume, folder, choices):
    from ..analysis import Analysis
    from ..reporting.result_files import read_result
    from .running import put_analysis

    result = read_result(folder)
    if result is None or result.get("registration") is None:
        return
    normalized, relevance = (_voxels(folder / f"{name}.nii.gz") for name in ("normalized", "relevance"))
    inputs = {**scan_inputs(volume, None), **chosen_inputs(**choices)}
    put_analysis(volume, Analysis(result, normalized, relevance, result.get("error")), inputs=inputs)


def _voxels(path):
    """float32 `(x, y, z)`; None where the batch has written no such file."""
    import SimpleITK as sitk

    if not path.is_file():
        return None
    return np.ascontiguousarray(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).transpose(2, 1, 0), np.float32)


def show_table(node, get_session) -> None:
    """Open the table below the views, which are emptied: what they show is of no row yet.

    Args:
        get_session: gives the `session.Session` of the scene, now and when a row is opened.
    """
    from .display import show_nothing
    from .slice_views import set_layers

    get_session().parameters.inputVolume = None
    show_nothing()
    set_layers(None, None)
    manager = slicer.app.layoutManager()
    if manager is None:
        return
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView)
    slicer.app.applicationLogic().GetSelectionNode().SetActiveTableID(node.GetID())
    slicer.app.applicationLogic().PropagateTableSelection()
    view = manager.tableWidget(0).tableView()
    if not view.property(RESULTS_ATTRIBUTE):  # once, though the library may have been read anew since
        view.setProperty(RESULTS_ATTRIBUTE, True)
        view.connect("doubleClicked(QModelIndex)", lambda index: _on_double_click(view, index, get_session))


def _on_double_click(view, index, get_session):
    node = view.mrmlTableNode()
    if node is None or not node.GetAttribute(RESULTS_ATTRIBUTE):
        return
    try:
        open_row(node, view.sortFilterProxyModel().mapToSource(index).row(), get_session())
    except DaTscanError as error:
        slicer.util.errorDisplay(str(error))
    except Exception as error:
        logging.exception("DaTscanAI")
        slicer.util.errorDisplay(_("The case could not be opened.") + f"\n\n{error}")
