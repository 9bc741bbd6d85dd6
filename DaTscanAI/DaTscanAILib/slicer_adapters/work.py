"""What the module asks of the core, done in this process or, by `worker.py`, in another one; no Slicer in here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..analysis import Analysis, Analyzer, measure
from ..base.errors import DaTscanError
from ..batch.comparison import Comparison, compare_scans
from ..batch.options import Options
from ..batch.run import analyze_batch
from ..explanation.methods import DEFAULT_METHOD
from ..quantification.normals import read_normals
from ..quantification.other_method import Method
from ..reading.inputs import collect_cases, safe_name
from ..reading.scan import Scan
from ..registration.affine import Registration
from ..reporting.result_files import prepare_output, read_result, table_row, write_case, write_table
from .scores import z_score


@dataclass(frozen=True)
class ScanRequest:
    """One scan through the chain up to a stage.

    Attributes:
        scan: of the core's reader or of a volume node.
        case: name that the result carries.
        last_stage: "registration", "quantification" or "classification".
        model: name or folder; None for the default.
        device: "auto", "cpu" or "cuda".
        method: of the SBRs; None for the default.
        normals: database to set the scan beside, a path or the name of a shipped one; None gives no z scores.
        second_reader: another model that reads the scan too; None for none.
        map_method: of the map, one of `explanation.methods.METHODS`; the others come with it.
        registration: in place of the automatic one, or the affine (4x4, scanner from MNI) that somebody gave.
        automatic_registration: 4x4, scanner from MNI: what an affine given by hand took the place of, or None.
    """

    scan: Scan
    case: str
    last_stage: str = "classification"
    model: str | None = None
    device: str = "auto"
    method: Method | None = None
    normals: str | None = None
    second_reader: str | None = None
    map_method: str = DEFAULT_METHOD
    registration: Registration | np.ndarray | None = None
    automatic_registration: np.ndarray | None = None

    def run(self, progress: Callable[[dict], None]) -> Analysis:
        """The analysis; `progress` is told `{"stage": ...}` as each stage begins.

        Raises:
            DaTscanError: the model or the method cannot be used.
        """

        def tell(stage):
            progress({"stage": stage})

        normals = None if self.normals is None else read_normals(self.normals)
        how = {"scanner_from_mni": self.registration, "method": self.method, "progress": tell, "normals": normals}
        if self.last_stage == "classification":
            analyzer = _analyzer(self.model, self.device, self.second_reader)
            analyzer.map_method = self.map_method
            analysis = analyzer.analyze(self.scan, self.case, **how)
        else:
            analysis = measure(self.scan, self.case, last_stage=self.last_stage, **how)
        if self.automatic_registration is not None:
            self._warn_of_another_side(analysis.result)
        return analysis

    def _warn_of_another_side(self, result):
        """Say it where the affine given by hand makes the other putamen the lower one."""
        side = (result["quantification"] or {}).get("lower_putamen")
        if side is None:
            return
        automatic = Registration(self.automatic_registration, 1.0, True, {})
        before = (measure(self.scan, self.case, automatic).result["quantification"] or {}).get("lower_putamen")
        if before not in (None, side):
            result["warnings"].append(
                f"With this registration the {side} putamen is the lower one, with the automatic one it is the "
                f"{before} putamen: compare both with the template."
            )


@dataclass(frozen=True)
class ComparisonRequest:
    """Two scans of one patient.

    Attributes:
        name: of the comparison.
        before, after: the earlier scan and the later one.
        years: between them; None if not known.
        normals: database to set both beside, a path or a name; None for none.
        registrations: of both, as `ScanRequest` has one.
    """

    name: str
    before: Scan
    after: Scan
    years: float | None = None
    normals: str | None = None
    registrations: tuple = (None, None)

    def run(self, progress: Callable[[dict], None]) -> Comparison:
        """The comparison; `progress` is told `{"stage": "comparison"}` as it begins.

        Raises:
            DaTscanError: a scan or the database cannot be used.
        """
        progress({"stage": "comparison"})
        normals = None if self.normals is None else read_normals(self.normals)
        return compare_scans(self.name, self.before, self.after, self.years, normals, self.registrations)


@dataclass(frozen=True)
class BatchAnswer:
    """What a batch has found.

    Attributes:
        rows: of the results table.
        scans: file or folder of each case's scan; cases that are no files have none.
        lower_putamen: SBR and z score (either may be None) of the lower putamen by case.
    """

    rows: list[dict[str, str]]
    scans: dict[str, str]
    lower_putamen: dict[str, tuple[float | None, float | None]]


@dataclass(frozen=True)
class BatchRequest:
    """Many scans, from files to a folder of results.

    Attributes:
        inputs: files, folders or manifests.
        options: as of the command line's `analyze`.
        scans: `((name, scan), ...)` that are no files.
    """

    inputs: tuple[str, ...]
    options: Options
    scans: tuple[tuple[str, Scan], ...] = ()

    def run(self, progress: Callable[[dict], None]) -> BatchAnswer:
        """The rows of the results table and what lies behind them; `progress` is told of each case as it ends.

        Raises:
            DaTscanError: inputs, output folder or model cannot be used; nothing was run.
        """

        cases = collect_cases([Path(path) for path in self.inputs]) if self.inputs else []
        total = len(cases) + len(self.scans)
        rows = []

        def tell(row: dict[str, str], done: int):
            progress({"case": row["case"], "answer": row["error"] or row["label"], "done": done, "total": total})

        progress({"case": None, "answer": None, "done": 0, "total": total})
        if cases:
            outcomes = analyze_batch(cases, self.options, lambda outcome, done, _total: tell(outcome.row, done))
            rows = [outcome.row for outcome in outcomes]
        for name, scan in self.scans:
            rows.append(self._run_scan(unused_name(name, rows), scan))
            tell(rows[-1], len(rows))
        write_table(prepare_output(self.options.output), rows)
        scans = {case.name: str(case.path.absolute()) for case in cases if case.path}
        return BatchAnswer(rows, scans, {row["case"]: self._lower_putamen(row["case"]) for row in rows})

    def _lower_putamen(self, name):
        """SBR and z score of the lower putamen, from the case's own result."""
        result = read_result(self.options.output / name) or {}
        quantification = result.get("quantification") or {}
        key = f"putamen_{quantification.get('lower_putamen')}"
        return (quantification.get("sbr") or {}).get(key), z_score(quantification, key)

    def _run_scan(self, name, scan):
        """The row of a scan that is no file."""
        options = self.options
        if options.dicom_results:
            error = DaTscanError(
                f"{name} is a volume of the scene, not a DICOM file, so it has no DICOM results: give its files, or "
                "switch DICOM results off."
            )
            return table_row(name, None, str(error))
        normals = None if options.normals is None else read_normals(options.normals)
        analyzer = _analyzer(options.model, options.device, options.second_reader)
        analyzer.map_method = options.map_method
        analysis = analyzer.analyze(scan, name, normals=normals)
        write_case(self.options.output / name, analysis, options.report, language=options.report_language)
        return table_row(name, analysis.result, None)


def unused_name(name: str, rows: list[dict[str, str]]) -> str:
    """A case name that is safe for a folder and that no row has."""
    taken = {row["case"].casefold() for row in rows}
    candidate, number = safe_name(name), 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{safe_name(name)}_{number}"
    return candidate


_ready: dict[tuple, Analyzer] = {}  # one at most


def _analyzer(*choices):
    """Kept ready between scans, so that the networks are read once; made anew where a model has changed on the disk.

    Args:
        choices: arguments of `Analyzer`.
    """
    fresh = Analyzer(*choices)
    kept = _ready.get(choices)
    if kept is None or (kept.model, kept.second_model) != (fresh.model, fresh.second_model):
        _ready.clear()
        kept = _ready[choices] = fresh
    return kept
