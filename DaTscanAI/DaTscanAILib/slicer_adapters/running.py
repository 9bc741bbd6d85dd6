"""From nodes to requests and from answers back to nodes, in this process or in another one."""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import slicer

from ..base.errors import DaTscanError
from ..batch.options import Options
from ..mni.atlas import GRID_AFFINE
from .background import Outcome, Task
from .batch_table import results_node, show_table, write_batch_table
from .case import GRADES, SCAN, TABLE, TRANSFORM, Case, automatic_matrix, is_derived, registration_of
from .comparison import take_back
from .display import color_scan
from .inputs import chosen_inputs, scan_inputs, transform_input
from .maps import put_maps
from .prior_scan import put_comparison
from .session import registration_to_keep
from .state import STAGES, inputs_of_stage, merged_records, merged_result
from .tables import write_grades_table, write_sbr_table
from .volumes import scan_of
from .work import BatchRequest, ComparisonRequest, ScanRequest


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
    case, own_transform, scan = _scan_of_case(volume)
    registration = registration_of(transform) if transform else None
    automatic = automatic_matrix(own_transform) if isinstance(registration, np.ndarray) else None
    request = ScanRequest(
        scan, volume.GetName(), registration=registration, automatic_registration=automatic, **options
    )
    # As they are now: what is changed while the process works makes its answer outdated.
    chosen = (request.method, request.model, request.normals, request.second_reader, request.map_method)
    inputs = {**scan_inputs(volume, case), **chosen_inputs(*chosen)}

    def take(analysis):
        result = put_analysis(volume, analysis, request.last_stage, inputs)
        if show:
            show()
        return result

    return _run(request, take, wait, progress, finished, lambda: slicer.mrmlScene.IsNodePresent(volume))


def run_comparison(
    prior, volume, years: float | None, normals: str | None, show, wait: bool, progress=None, finished=None
):
    """Compare a volume node with an earlier scan of the patient; both are measured by the default method.

    Args:
        years: between both; None if not known.
        normals: database to set both beside; None for none.
        show, wait: as in `run_scan`.

    Raises:
        DaTscanError: a volume cannot be used, or both are the same one.
    """
    if prior is volume:
        raise DaTscanError("A scan cannot be compared with itself: select the patient's earlier scan.")
    nodes = (prior, volume)
    cases, _transforms, scans = zip(*map(_scan_of_case, nodes), strict=True)
    kept = [registration_to_keep(node, "registration") for node in nodes]
    registrations = tuple(transform and registration_of(transform) for transform in kept)
    name = f"{prior.GetName()} - {volume.GetName()}"
    request = ComparisonRequest(name, *scans, years, normals, registrations)
    chosen = chosen_inputs(normals=normals)
    inputs = [{**scan_inputs(node, case), **chosen} for node, case in zip(nodes, cases, strict=True)]

    def take(comparison):
        for node, analysis, known in zip(nodes, comparison.analyses, inputs, strict=True):
            put_analysis(node, analysis, "quantification", known)
        result = put_comparison(volume, prior, comparison, normals)
        if show:
            show()
        return result

    return _run(request, take, wait, progress, finished, lambda: all(map(slicer.mrmlScene.IsNodePresent, nodes)))


def _scan_of_case(volume):
    """The case (or None), its transform (or None) and the scan of a volume node."""
    if is_derived(volume):
        raise DaTscanError(f"{volume.GetName()} is no scan but made by this module: select the scan itself.")
    case = Case.of(volume)
    transform = case.get(TRANSFORM) if case else None
    return case, transform, scan_of(volume, transform)


def put_analysis(volume, analysis, last_stage: str = STAGES[-1], inputs: dict | None = None) -> dict:
    """Bring the nodes of a volume's case up to date; gives the analysis' result.

    What a former run has found in later stages stays; it is outdated if its inputs are not those of this run.

    Args:
        last_stage: that was asked for.
        inputs: that the analysis was made from; None for the scan as it is now and the default choices.
    """
    case = Case.of(volume, create=True)
    result = analysis.result
    inputs = dict(inputs or {**scan_inputs(volume, case), **chosen_inputs()})
    inputs["transform"] = transform_input(result["registration"]["scanner_from_mni_ras"])
    new = {
        stage: {"inputs": inputs_of_stage(stage, inputs), "warnings": result["warnings"], "error": result["error"]}
        for stage in STAGES[: STAGES.index(last_stage) + 1]
    }
    records = merged_records(case.records, new, last_stage)
    merged = merged_result(case.result, result, last_stage, records)
    case.put_registration(result["registration"])
    take_back(case)
    records.update(_put_nodes(case, analysis, last_stage, merged, records))
    case.put_result(merged, records)  # last: who watches the case finds all that it speaks of
    return result


def _put_nodes(case, analysis, last_stage, merged, records):
    """The volumes and the table of the stages that have run; gives the records that keep more than their inputs."""
    changed = {}
    if last_stage != "registration":
        scan = case.put_volume(SCAN, analysis.normalized, GRID_AFFINE, "in MNI space")
        if scan:
            color_scan(scan)
        write_sbr_table(case.put_new(TABLE, "vtkMRMLTableNode", "SBR"), merged)
        _put_grades(case, merged)
    if last_stage == "classification":
        kept = put_maps(case, analysis.relevance, analysis.other_maps)
        changed[last_stage] = {**records[last_stage], **kept}
    case.group()
    return changed


def _put_grades(case, merged):
    """The table of a model that grades regions; without grades there is none."""
    if (merged["quantification"] or {}).get("grades"):
        write_grades_table(case.put_new(GRADES, "vtkMRMLTableNode", "grades"), merged)
    elif node := case.get(GRADES):
        slicer.mrmlScene.RemoveNode(node)


def run_batch(inputs, output, options: dict, get_session, wait: bool, progress=None, finished=None):
    """Analyze files, folders, manifests and volume nodes into a folder of results.

    Args:
        options: further arguments of `Options`.
        get_session: gives the session in which the table is opened; None only puts it into the scene.
        wait: do it here and now and give the rows; else give a `Task`.

    Raises:
        DaTscanError: inputs, output folder or model cannot be used.
    """
    paths, volumes = _sorted_inputs(inputs)
    scans = tuple((volume.GetName(), scan_of(volume)) for volume in volumes)
    request = BatchRequest(paths, Options(output=Path(output), **options), scans)

    def take(answer):
        node = results_node()
        names = ("model", "normals", "second_reader", "map_method")
        choices = {name: getattr(request.options, name) for name in names}
        write_batch_table(node, answer, request.options.output, choices)
        if get_session:
            show_table(node, get_session)
        return answer.rows

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
