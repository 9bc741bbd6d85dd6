"""All stages of the benchmark one after the other, into one table."""

import importlib
import sys

from ..base.errors import DaTscanError
from ..reporting.result_files import prepare_output
from .goals import Findings, Measured, Row, rows_of
from .machine import describe_machine
from .settings import Settings
from .tables import QUICK, write_results


def run_benchmark(settings: Settings) -> bool:
    """Run the stages, write the tables after each and print the last one on standard output.

    Args:
        settings: what to measure.

    Returns:
        Whether every stage could be measured; goals do not matter.

    Raises:
        DaTscanError: the output folder cannot be used.
    """
    prepare_output(settings.output)
    machine, rows, findings, whole = describe_machine(), [], {}, True
    for stage in settings.stages:
        print(f"benchmark: {stage}", file=sys.stderr, flush=True)
        measured, found = run_stage(stage, settings)
        rows, whole = rows + measured, whole and found is not None
        findings[stage] = found or Findings({})
        table = write_results(settings, rows, findings, machine)
    print(table + (f"\n\n{QUICK}" if settings.quick else ""))
    return whole


def run_stage(stage: str, settings: Settings) -> tuple[list[Row], Findings | None]:
    """The rows of one stage and its findings; None, and the reason in every row, where it fails."""
    module = importlib.import_module(f".{stage.replace('-', '_')}", __package__)
    try:
        found = module.run(settings)
    except DaTscanError as error:
        print(f"benchmark: {stage} failed: {error}", file=sys.stderr)
        rows = rows_of(stage, {})
        return [Row(row.goal, Measured(note=f"failed: {error}")) for row in rows], None
    return rows_of(stage, found.measured), found
