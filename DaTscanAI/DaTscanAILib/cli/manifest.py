"""The command `manifest`."""

import sys
from pathlib import Path

from .arguments import SOME_FAILED, SUCCESS


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("manifest", help="a manifest of labelled scans from a folder and a table of labels")
    command.set_defaults(run=run)
    command.add_argument("folder", type=Path, metavar="SCANS", help="folder of the scans")
    command.add_argument("--output", type=Path, metavar="M", help="the manifest (default SCANS/manifest.csv)")
    command.add_argument(
        "--labels", type=Path, metavar="TABLE", help="CSV that names scans and labels (default: names of the folders)"
    )
    command.add_argument(
        "--id-column", metavar="COLUMN", help="that names scans (default: the one that does so most)"
    )
    command.add_argument(
        "--label-column", default="label", metavar="COLUMN", help="that holds labels (default label)"
    )
    command.add_argument(
        "--normal", nargs="+", metavar="TEXT", help="what stands for normal (default normal, 0, ...)"
    )
    command.add_argument(
        "--reduced", nargs="+", metavar="TEXT", help="what stands for reduced (default reduced, 1, ...)"
    )


def run(options) -> int:
    """Runs it; the exit status."""
    from ..reading.labelled_scans import NORMAL, REDUCED, Spellings, write_manifest

    output = options.output or options.folder / "manifest.csv"
    spellings = Spellings(
        tuple(options.normal or NORMAL), tuple(options.reduced or REDUCED), options.label_column, options.id_column
    )
    found = write_manifest(options.folder, output, options.labels, spellings)
    for name, reason in found.left_out.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)
    counts = ", ".join(f"{count} {label or 'without a label'}" for label, count in found.counts.items())
    unused = f"; {found.unused} rows of the table name no scan" if found.unused else ""
    print(f"{output}: {counts}{unused}")
    return SOME_FAILED if found.left_out else SUCCESS
