"""The command `analyze`."""

import sys
from pathlib import Path

from .arguments import SOME_FAILED, SUCCESS, add_batch_options, batch_options


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("analyze", help="the whole chain for each scan")
    command.set_defaults(run=run)
    command.add_argument(
        "input",
        nargs="+",
        type=Path,
        metavar="INPUT",
        help="a NIfTI, NRRD, MHA or DICOM file, a folder with one DICOM scan, a folder of scans, or a CSV manifest",
    )
    add_batch_options(command)
    command.add_argument(
        "--normals", metavar="SITE", help="for z-scores: a database of `normals build`, or the name of a shipped one"
    )
    command.add_argument("--no-report", action="store_true", help="do not write report.pdf")
    command.add_argument(
        "--keep-identifiers", action="store_true", help="put the patient's name and numbers into result.json"
    )


def run(options) -> int:
    """Runs it; the exit status."""
    from ..base.progress import Progress, summary
    from ..batch.run import TableNotWrittenError, analyze_batch
    from ..reading.inputs import collect_cases

    batch = batch_options(
        options,
        report=not options.no_report,
        keep_identifiers=options.keep_identifiers,
        normals=options.normals,
    )
    cases = collect_cases(options.input)
    try:
        with Progress(len(cases)) as progress:
            outcomes = analyze_batch(cases, batch, progress)
    except TableNotWrittenError as error:
        print(f"error: {error}", file=sys.stderr)
        return SOME_FAILED
    print(summary(outcomes), file=sys.stderr)
    return SOME_FAILED if any(outcome.failed for outcome in outcomes) else SUCCESS
