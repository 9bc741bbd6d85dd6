"""The command `compare`."""

from pathlib import Path

from ..base.errors import DaTscanError
from .arguments import SOME_FAILED, SUCCESS, not_negative


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("compare", help="two scans of one patient: what changed, and its limits")
    command.set_defaults(run=run)
    command.add_argument(
        "input",
        nargs="+",
        type=Path,
        metavar="SCAN",
        help="the scan before and the scan after, or one CSV manifest with the columns scan, patient, date",
    )
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the results")
    command.add_argument(
        "--years", type=not_negative, metavar="T", help="years between the scans (default: by DICOM)"
    )
    command.add_argument("--normals", metavar="SITE", help="normals to set both scans beside")
    command.add_argument("--no-report", action="store_true", help="do not write comparison.pdf")


def run(options) -> int:
    """Runs it; the exit status."""
    from ..batch.comparison import compare_pair, pair_of_scans, pairs_of_manifest
    from ..batch.comparison_files import compare_many, write_comparison
    from ..quantification.normals import read_normals

    normals = read_normals(options.normals) if options.normals else None
    report = not options.no_report
    if len(options.input) == 1:
        failed = compare_many(pairs_of_manifest(options.input[0]), options.output, normals, report)
        return SOME_FAILED if failed else SUCCESS
    if len(options.input) > 2:
        raise DaTscanError("compare takes two scans or one manifest: for more scans of a patient, use a manifest.")
    write_comparison(compare_pair(pair_of_scans(*options.input, options.years), normals), options.output, report)
    return SUCCESS
