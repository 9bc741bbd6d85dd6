"""One case from reading to its folder of results, unless a former run has done the same."""

import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from ..analysis import Analyzer
from ..base.errors import DaTscanError
from ..base.version import VERSION
from ..reading.clinical import clinical_of
from ..reading.dicom_source import read_dicom_source
from ..reading.inputs import Case
from ..reading.scan_checks import display_name
from ..reporting.result_files import check_replaceable, finished_result, table_row, write_case
from .identity import inputs_sha256
from .measuring import scan_of_case
from .options import Options

_LIBRARY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    Attributes:
        case: its name.
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
        """It has no result."""
        return bool(self.row["error"])


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
        f"{name_of(case)}: the case could not be finished ({reason}): free space or memory and run again with "
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
        f"{name_of(case)}: internal error {type(failure).__name__} ({place}, version {VERSION}): please report it "
        "with the file's format."
    )


def name_of(case: Case) -> str:
    """What error sentences call a case."""
    return display_name(case.path) if case.path else case.name


def _analyze_and_write(case, options, answered):
    start = time.perf_counter()
    folder = options.output / case.name
    check_replaceable(folder)
    scan, source = scan_of_case(case), _dicom_source(case, options)
    reading = time.perf_counter() - start
    analyzer = _analyzer(options.model, options.second_reader, options.device, options.map_method)
    analysis = analyzer.analyze(scan, case.name, normals=options.database())
    timing = analysis.result["timing_s"]
    analysis.result["timing_s"] = {"reading": reading, **timing, "total": timing["total"] + reading}
    analysis.result["inputs_sha256"] = inputs_sha256(scan, case, options, source)
    analysis.result["clinical"] = asdict(clinical_of(scan, case.other))
    if options.keep_identifiers:
        analysis.result["identifiers"] = vars(scan.identifiers)
    if answered:
        answered(case.name, analysis.result)
    write_case(folder, analysis, options.report, source, options.report_language)
    return analysis.result


@lru_cache(maxsize=1)
def _analyzer(model, second_reader, device, map_method):
    return Analyzer(model, device, second_reader, map_method)


def _dicom_source(case, options):
    """Where DICOM results would belong; None where none were asked for."""
    return read_dicom_source(case.path, case.series, case.files) if options.dicom_results else None


def finished_before(case: Case, options: Options) -> Outcome | None:
    """The outcome of a former run with the same scan, model and options; None if there is none."""
    result = None if case.error else finished_result(options.output / case.name)
    if result is None:
        return None
    try:
        inputs = inputs_sha256(scan_of_case(case), case, options, _dicom_source(case, options))
    except (OSError, DaTscanError):  # the scan is gone: analyzing it says so
        return None
    if result.get("inputs_sha256") != inputs:
        return None
    return Outcome(case.name, table_row(case.name, result, None, case.source), resumed=True)
