"""The command `evaluate`."""

from pathlib import Path

from ..base.errors import DaTscanError
from .arguments import SOME_FAILED, SUCCESS, add_batch_options, batch_options


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("evaluate", help="analyze labelled scans and say how well the answers fit")
    command.set_defaults(run=run)
    command.add_argument(
        "manifest", type=Path, metavar="MANIFEST", help="CSV with the columns scan and label, or a BIDS dataset"
    )
    add_batch_options(command)
    command.add_argument(
        "--by",
        nargs="+",
        default=["site"],
        metavar="COLUMN",
        help="columns whose values are also evaluated one by one (default site)",
    )
    command.add_argument("--leave-out", metavar="COLUMN=VALUE", help="cases that count in their own group only")


def run(options) -> int:
    """Runs it; the exit status."""
    from ..evaluation.evaluate import describe, evaluate

    leave_out = tuple(options.leave_out.split("=", 1)) if options.leave_out else None
    if leave_out and (len(leave_out) != 2 or leave_out[0] not in options.by):
        raise DaTscanError("--leave-out takes COLUMN=VALUE, where COLUMN is also named by --by.")
    summary, failed = evaluate(options.manifest, batch_options(options, report=False), tuple(options.by), leave_out)
    print(describe(summary))
    return SOME_FAILED if failed else SUCCESS
