"""From nodes to requests and from answers back to nodes, in this process or in another one."""

import logging
from collections.abc import Iterable
from pathlib import Path

import slicer

from ..base.errors import DaTscanError
from ..batch.run import Options
from ..mni.atlas import GRID_AFFINE
from ..reporting.panels import relevance_limit
from .background import Outcome, Task
from .case import RELEVANCE, SCAN, TABLE, TRANSFORM, Case, registration_of
from .comparison import take_back
from .display import color_scan
from .tables import show_table, write_results_table, write_sbr_table
from .volumes import scan_of
from .work import BatchRequest, ScanRequest

RESULTS_ATTRIBUTE = "DaTscanAI.Results"


def run_scan(volume, transform, options: dict, show, wait: bool, progress=None, finished=None):
    """Analyze a volume node.

    Args:
        transform: node that stands for the registration, or None.
        options: further arguments of `ScanRequest`.
        show: called when the nodes are there; None for no display.
        wait: do it here and now and give the result; else give a `Task`.

    Raises:
        DaTscanError: volume, transform, model or method cannot be used.
    """
    case = Case.of(volume)
    scan = scan_of(volume, case.get(TRANSFORM) if case else None)
    registration = registration_of(transform) if transform else None
    request = ScanRequest(scan, volume.GetName(), registration=registration, **options)

    def take(analysis):
        result = put_analysis(volume, analysis)
        if show:
            show()
        return result

    return _run(request, take, wait, progress, finished, lambda: slicer.mrmlScene.IsNodePresent(volume))


def put_analysis(volume, analysis) -> dict:
    """Bring the nodes of a volume's case up to date; gives the result."""
    case = Case.of(volume, create=True)
    case.result = analysis.result
    case.put_registration(analysis.result["registration"])
    take_back(case)
    scan = case.put_volume(SCAN, analysis.normalized, GRID_AFFINE, "in MNI space")
    if scan:
        color_scan(scan)
    relevance = analysis.relevance
    if relevance is not None:
        relevance = relevance / relevance_limit(relevance)
    case.put_volume(RELEVANCE, relevance, GRID_AFFINE, "relevance")
    write_sbr_table(case.put_new(TABLE, "vtkMRMLTableNode", "SBR"), analysis.result)
    case.group()
    return analysis.result


def run_batch(inputs, output, options: dict, show: bool, wait: bool, progress=None, finished=None):
    """Analyze files, folders, manifests and volume nodes into a folder of results.

    Args:
        options: further arguments of `Options`.
        show: put the table of results into the scene and open it.
        wait: do it here and now and give the rows; else give a `Task`.

    Raises:
        DaTscanError: inputs, output folder or model cannot be used.
    """
    paths, volumes = _sorted_inputs(inputs)
    scans = tuple((volume.GetName(), scan_of(volume)) for volume in volumes)
    request = BatchRequest(paths, Options(output=Path(output), **options), scans)

    def take(rows):
        node = _results_node()
        write_results_table(node, rows)
        if show:
            show_table(node)
        return rows

    return _run(request, take, wait, progress, finished, lambda: True)


def _sorted_inputs(inputs):
    """Paths as texts, and volume nodes."""
    single = isinstance(inputs, str | Path) or not isinstance(inputs, Iterable)
    inputs = [inputs] if single else list(inputs)
    paths = tuple(str(entry) for entry in inputs if isinstance(entry, str | Path))
    volumes = [entry for entry in inputs if not isinstance(entry, str | Path)]
    if not inputs or any(entry is None for entry in inputs):
        raise DaTscanError("No scans were given: choose a folder, a manifest or volumes.")
    return paths, volumes


def _results_node():
    for node in slicer.util.getNodesByClass("vtkMRMLTableNode"):
        if node.GetAttribute(RESULTS_ATTRIBUTE):
            return node
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "DaTscan AI results")
    node.SetAttribute(RESULTS_ATTRIBUTE, "1")
    return node


def _run(request, take, wait, progress, finished, is_wanted):
    progress = progress or (lambda _event: None)
    if wait:
        return take(request.run(progress))

    def on_finished(outcome: Outcome):
        if not is_wanted():
            outcome.answer = None
        if outcome.answer is not None:
            _take_into(outcome, take)
        if finished:
            finished(outcome)

    return Task(request, progress, on_finished).start()


def _take_into(outcome, take):
    """Bring an answer into the scene; what goes wrong is the outcome's error, as nobody is there to catch it."""
    try:
        take(outcome.answer)
    except Exception:
        logging.exception("DaTscanAI")
        outcome.answer, outcome.error = None, "The result could not be shown: see the log."
