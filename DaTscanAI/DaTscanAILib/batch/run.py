"""Many scans: one after the other or by several workers, each case by itself, none able to stop the others."""

import hashlib
import json
import os
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ..analysis import Analyzer
from ..base.errors import DaTscanError
from ..base.version import VERSION
from ..classification.answer import choose_device
from ..classification.model_folder import find_model
from ..explanation.methods import DEFAULT_METHOD
from ..quantification.normals import read_normals
from ..reading.clinical import clinical_of
from ..reading.dicom_source import read_dicom_source
from ..reading.inputs import Case
from ..reading.scan_checks import display_name
from ..reporting.dicom_results.write import check_available
from ..reporting.language import DEFAULT as DEFAULT_LANGUAGE
from ..reporting.language import find_language
from ..reporting.page import Page
from ..reporting.result_files import (
    check_replaceable,
    finished_result,
    prepare_results,
    table_row,
    write_case,
    write_table,
)
from ..reporting.sole_use import sole_use
from .measuring import scan_of_case
from .workers import bound_memory, cluster, once, one_at_a_time, processes, unordered

_TABLE_EVERY_S = 5.0
_LIBRARY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Options:
    """How a batch runs.

    Attributes:
        output: folder of the results.
        model, device: of the classifier.
        second_reader: another model, whose disagreement makes an answer uncertain; None for none.
        map_method: how relevance is made, of `explanation.methods.METHODS`.
        workers: processes; results do not depend on it.
        resume: keep the cases that a former run has finished with the same scan, model and options.
        report: write `report.pdf`.
        report_language: of it, a name of `reporting.language.language_names`.
        keep_identifiers: put name, identifier, birth date and accession number into `result.json` and the report.
        dicom_results: also write structured report, pictures and report as DICOM, into the scan's own study; a scan
            that is no DICOM is refused then.
        normals: database to set the scans beside, a path or the name of a shipped one; None gives no z-scores.
        scheduler: address of a dask scheduler whose workers take the place of processes of this machine; they
            must see the same files under the same paths.
    """

    output: Path
    model: str | None = None
    second_reader: str | None = None
    device: str = "auto"
    map_method: str = DEFAULT_METHOD
    workers: int = 1
    resume: bool = False
    report: bool = True
    report_language: str = DEFAULT_LANGUAGE
    keep_identifiers: bool = False
    dicom_results: bool = False
    normals: str | None = None
    scheduler: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    Attributes:
        row: of the results table.
        resumed: a former run had finished it.
        may_succeed_later: it failed for lack of space or memory, not for what the scan is.
    """

    case: str
    row: dict[str, str]
    resumed: bool = False
    may_succeed_later: bool = False

    @property
    def failed(self) -> bool:
        return bool(self.row["error"])


class TableNotWrittenError(DaTscanError):
    """Every case was worked on, but `results.csv` or `index.html` could not be written."""


def analyze_batch(
    cases: list[Case],
    options: Options,
    progress: Callable[[Outcome, int, int], None] | None = None,
    answered: Callable[[str, dict], None] | None = None,
) -> list[Outcome]:
    """Analyze every case, and write `results.csv` and the page `index.html`.

    Args:
        cases: from `collect_cases`.
        progress: called after each case with (outcome, cases done, cases in all); may raise to stop the batch.
        answered: called with name and result of a case before its files are written; with several workers it is not.

    Returns:
        The outcomes in the order of the cases.

    Raises:
        DaTscanError: the output folder, the model, the normals or the scheduler cannot be used; nothing was run.
        TableNotWrittenError: a full disk; the cases are in their folders.
    """
    check_model(options)
    with sole_use(prepare_results(options.output)):
        table, done = _Table(options.output, cases), {}
        try:
            for outcome in _outcomes(cases, options, answered):
                done[outcome.case] = outcome
                if progress:
                    progress(outcome, len(done), len(cases))
                table.update(done)
        finally:
            if done:  # a run that could not begin leaves the former table
                table.write(done)
                table.write_page(done)
    return [done[case.name] for case in cases]


def check_model(options: Options) -> None:
    """An unusable model, normals or language, or a missing package, are one error now, not one for each case.

    Raises:
        DaTscanError: it cannot be used.
    """
    _normals(options)
    find_language(options.report_language)
    if options.dicom_results:
        check_available()
    find_model(options.model).check_weights()
    if options.second_reader:
        find_model(options.second_reader).check_weights()
    if options.device == "cuda" and options.scheduler is None:
        choose_device("cuda")


def _normals(options):
    """The database of normals that was asked for."""
    return None if options.normals is None else read_normals(options.normals)


class _Table:
    """`results.csv` of the cases done so far, in their order, and at the end their page."""

    def __init__(self, folder, cases):
        self._folder, self._cases, self._written = folder, cases, -_TABLE_EVERY_S  # the first case is written at once

    def update(self, done):
        """Now and then; a disk that is full now may not be later."""
        if time.monotonic() - self._written > _TABLE_EVERY_S:
            try:
                self.write(done)
            except TableNotWrittenError:
                self._written = time.monotonic()

    def write(self, done):
        try:
            write_table(self._folder, self._rows(done))
        except OSError as error:
            raise TableNotWrittenError(
                f"results.csv cannot be written ({error.strerror}): free space and run again with --resume."
            ) from error
        self._written = time.monotonic()

    def write_page(self, done):
        try:
            Page(self._folder).write(self._rows(done))
        except OSError as error:
            raise TableNotWrittenError(
                f"index.html cannot be written ({error.strerror}): free space and run again with --resume."
            ) from error

    def _rows(self, done):
        return [done[case.name].row for case in self._cases if case.name in done]


def _outcomes(cases, options, answered) -> Iterator[Outcome]:
    remaining = []
    for case in cases:
        outcome = finished_before(case, options) if options.resume else None
        if outcome is None:
            remaining.append(case)
        else:
            yield outcome
    if options.scheduler is None and (options.workers <= 1 or len(remaining) <= 1):
        yield from (run_case(case, options, answered) for case in remaining)
        return
    if options.scheduler is None:
        work, pool = _run_in_process, processes(min(options.workers, len(remaining)))
    else:
        work, pool = partial(_run_in_cluster, run=uuid.uuid4().hex), cluster(options.scheduler)
        remaining, options = _with_full_paths(remaining, options)
    for (case, _), outcome in unordered(work, [(case, options) for case in remaining], pool):
        yield outcome or _outcome_of_killed(case)


def _with_full_paths(cases, options):
    """Workers elsewhere have another working folder."""
    given = {name: getattr(options, name) for name in ("model", "second_reader", "normals")}
    paths = {name: os.path.abspath(one) if one and Path(one).exists() else one for name, one in given.items()}  # noqa: PTH100
    options = replace(options, output=options.output.absolute(), **paths)
    absolute = [
        replace(case, path=case.path and case.path.absolute(), files=tuple(file.absolute() for file in case.files))
        for case in cases
    ]
    return absolute, options


def _run_in_process(case, options):
    if options.device != "cuda":
        bound_memory(options.workers)
    return run_case(case, options)


def _run_in_cluster(case, options, run):
    """As `run_case`; None for a case that has killed two workers."""
    with one_at_a_time():
        row = once(options.output, f"{run} {case.name}", lambda: run_case(case, options).row)
    return row and Outcome(case.name, row)


def _outcome_of_killed(case):
    error = DaTscanError(
        f"{_name_of(case)}: the process that analyzed it was killed each time (out of memory?): free memory or take "
        "fewer workers, and run again with --resume."
    )
    return Outcome(case.name, table_row(case.name, None, str(error), case.source))


@lru_cache(maxsize=1)
def _analyzer(model, second_reader, device, map_method):
    return Analyzer(model, device, second_reader, map_method)


def run_case(case: Case, options: Options, answered: Callable[[str, dict], None] | None = None) -> Outcome:
    """One case from reading to its folder of results; whatever fails becomes the row's error.

    Args:
        answered: as of `analyze_batch`.
    """
    result, error, later = None, case.error, False
    if error is None:
        try:
            result = _analyze_and_write(case, options, answered)
        except DaTscanError as failure:
            error = str(failure)
        except (OSError, MemoryError) as failure:
            error, later = str(_not_finished(case, failure)), True
        except Exception as failure:  # a defect in one case must not lose the others
            error = str(_defect(case, failure))
    return Outcome(case.name, table_row(case.name, result, error, case.source), may_succeed_later=later)


def _not_finished(case, failure):
    reason = "out of memory" if isinstance(failure, MemoryError) else failure.strerror or str(failure)
    return DaTscanError(
        f"{_name_of(case)}: the case could not be finished ({reason}): free space or memory and run again with "
        "--resume."
    )


def _defect(case, failure):
    """Says where, not what: the texts of other libraries may quote the header."""
    frames = traceback.extract_tb(failure.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_LIBRARY)]
    place = (
        f"{Path(ours[-1].filename).relative_to(_LIBRARY).as_posix()} line {ours[-1].lineno}"
        if ours
        else "unknown place"
    )
    return DaTscanError(
        f"{_name_of(case)}: internal error {type(failure).__name__} ({place}, version {VERSION}): please report it "
        "with the file's format."
    )


def _name_of(case):
    return display_name(case.path) if case.path else case.name


def _analyze_and_write(case, options, answered):
    start = time.perf_counter()
    folder = options.output / case.name
    check_replaceable(folder)
    scan, source = scan_of_case(case), _dicom_source(case, options)
    reading = time.perf_counter() - start
    analyzer = _analyzer(options.model, options.second_reader, options.device, options.map_method)
    analysis = analyzer.analyze(scan, case.name, normals=_normals(options))
    timing = analysis.result["timing_s"]
    analysis.result["timing_s"] = {"reading": reading, **timing, "total": timing["total"] + reading}
    analysis.result["inputs_sha256"] = _inputs_sha256(scan, case, options, source)
    analysis.result["clinical"] = asdict(clinical_of(scan, case.other))
    if options.keep_identifiers:
        analysis.result["identifiers"] = vars(scan.identifiers)
    if answered:
        answered(case.name, analysis.result)
    write_case(folder, analysis, options.report, source, options.report_language)
    return analysis.result


def _dicom_source(case, options):
    """Where DICOM results would belong; None where none were asked for."""
    return read_dicom_source(case.path, case.series, case.files) if options.dicom_results else None


def finished_before(case: Case, options: Options) -> Outcome | None:
    """The outcome of a former run with the same scan, model and options; None if there is none."""
    result = None if case.error else finished_result(options.output / case.name)
    if result is None:
        return None
    try:
        inputs = _inputs_sha256(scan_of_case(case), case, options, _dicom_source(case, options))
    except (OSError, DaTscanError):  # the scan is gone: analyzing it says so
        return None
    if result.get("inputs_sha256") != inputs:
        return None
    return Outcome(case.name, table_row(case.name, result, None, case.source), resumed=True)


def _inputs_sha256(scan, case, options, source):
    """One number for all that decides a result, so that `--resume` never keeps one of another scan or model."""
    facts = [scan.path.name, scan.series, scan.format, scan.affine.tolist(), scan.voxels.shape, scan.warnings]
    normals = _normals(options)
    choices = [
        VERSION,
        options.report and options.report_language,
        asdict(clinical_of(scan, case.other)),
        options.keep_identifiers,
        options.map_method,
        _model_facts(options.model),
    ]
    choices += [normals and normals.to_json()]
    choices += [_model_facts(options.second_reader)] if options.second_reader else []
    choices += [asdict(source)] if source else []
    facts += [asdict(scan.patient), asdict(scan.camera), vars(scan.identifiers) if options.keep_identifiers else None]
    digest = hashlib.sha256(json.dumps([facts, choices]).encode())
    digest.update(scan.voxels)
    if scan.covered is not None:
        digest.update(np.packbits(scan.covered))
    return digest.hexdigest()


@lru_cache(maxsize=2)
def _model_facts(name):
    model = find_model(name)
    network = [model.name, model.architecture, model.weights, model.reference.sha256]
    return [*network, asdict(model.preprocessing), asdict(model.rule)]
