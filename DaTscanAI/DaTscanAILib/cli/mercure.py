"""The command `mercure`."""

import sys

from .arguments import SOME_FAILED, SUCCESS


def add(commands) -> None:
    """The command has no options: mercure gives folders and settings."""
    command = commands.add_parser("mercure", help="one task of the DICOM router mercure, as its container module")
    command.set_defaults(run=run)


def run(_options) -> int:
    """Runs it; the exit status: mercure takes no results from a module that fails."""
    from ..arriving.mercure import run_task
    from ..base.progress import summary

    outcomes = run_task()
    print(summary(outcomes), file=sys.stderr)
    return SOME_FAILED if all(outcome.failed for outcome in outcomes) else SUCCESS
