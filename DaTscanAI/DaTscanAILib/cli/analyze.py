"""The command `analyze`."""

import sys
from pathlib import Path

from .arguments import SOME_FAILED, SUCCESS, add_batch_options, add_result_options, batch_options, result_options


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("analyze", help="the whole chain for each scan")
    command.set_defaults(run=run)
    command.add_argument(
        "input",
        nargs="+",
        type=Path,
        metavar="INPUT",
        help="a NIfTI, NRRD, MHA or DICOM file, a folder with one DICOM scan, a folder of scans, a CSV manifest, or "
        "a BIDS dataset",
    )
    add_batch_options(command)
    add_result_options(command)
    command.add_argument(
        "--clinical",
        type=Path,
        metavar="FILE",
        help="JSON with indication, tracer, dose_mbq, injection_to_scan_min, drugs, prior_scan for the report: of "
        "the one scan, or by the cases' names; a manifest may have them as columns",
    )
    command.add_argument(
        "--bids", action="store_true", help="also write DIR/bids, a BIDS dataset of derivatives (of a BIDS dataset)"
    )


def run(options) -> int:
    """Runs it; the exit status."""
    from ..base.progress import Progress, summary
    from ..batch.run import analyze_batch
    from ..batch.table import TableNotWrittenError
    from ..reading.clinical import with_clinical, with_prior_scans
    from ..reading.inputs import survey
    from ..reporting.bids_derivative import BidsNotWrittenError, check_bids, write_bids_derivative

    dataset = check_bids(options.input, options.output) if options.bids else None
    batch, found = batch_options(options, **result_options(options)), survey(options.input)
    cases = with_prior_scans(found.cases)
    cases = with_clinical(cases, options.clinical) if options.clinical else cases
    try:
        with Progress(len(cases)) as progress:
            outcomes = analyze_batch(cases, batch, progress, progress.answered)
        if dataset:
            rows = [outcome.row for outcome in outcomes]
            write_bids_derivative(batch.output, dataset, cases, rows)
    except (TableNotWrittenError, BidsNotWrittenError) as error:
        print(f"error: {error}", file=sys.stderr)
        return SOME_FAILED
    failed = {outcome.case for outcome in outcomes if outcome.failed}
    print(summary(outcomes, found.passed_over(failed)), file=sys.stderr)
    return SOME_FAILED if failed else SUCCESS
