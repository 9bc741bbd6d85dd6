"""Many scans: one after the other or by several workers, each case by itself, none able to stop the others."""

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..base.allocator import MODEST, keep_freed_memory
from ..base.errors import DaTscanError
from ..reading.inputs import Case
from ..reporting.result_files import prepare_results, table_row
from ..reporting.sole_use import sole_use
from .one_case import Outcome, finished_before, name_of, run_case
from .options import Options, check_options
from .table import ResultsTable
from .workers import bound_memory, cluster, once, one_at_a_time, processes, unordered


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
    check_options(options)
    with sole_use(prepare_results(options.output)):
        table, done = ResultsTable(options.output, cases), {}
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
    keep_freed_memory(MODEST)
    return run_case(case, options)


def _run_in_cluster(case, options, run):
    """As `run_case`; None for a case that has killed two workers."""
    with one_at_a_time():
        row = once(options.output, f"{run} {case.name}", lambda: run_case(case, options).row)
    return row and Outcome(case.name, row)


def _outcome_of_killed(case):
    error = DaTscanError(
        f"{name_of(case)}: the process that analyzed it was killed each time (out of memory?): free memory or take "
        "fewer workers, and run again with --resume."
    )
    return Outcome(case.name, table_row(case.name, None, str(error), case.source))
