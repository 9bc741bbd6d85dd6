"""The command line: exit status 0 when every case succeeded, 1 when some failed, 2 for unusable arguments."""

import argparse
import sys

from ..base.errors import DaTscanError
from ..base.version import VERSION
from . import (
    analyze,
    benchmark,
    compare,
    evaluate,
    explain_check,
    import_model,
    listen,
    literature,
    manifest,
    mercure,
    normals,
    realism,
    reconstruct,
    simulate,
    study,
    train,
    watch,
)
from .arguments import SOME_FAILED, UNUSABLE

COMMANDS = (
    analyze,
    manifest,
    normals,
    compare,
    simulate,
    train,
    import_model,
    evaluate,
    explain_check,
    study,
    reconstruct,
    realism,
    literature,
    benchmark,
    watch,
    listen,
    mercure,
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        The exit status.
    """
    try:
        options = build_parser().parse_args(arguments)
    except SystemExit as stop:  # argparse: 0 after --help, 2 for wrong arguments
        return int(stop.code or 0)
    try:
        return options.run(options)
    except DaTscanError as error:
        print(f"error: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        how_to_go_on = " Finished cases are complete; --resume does the rest." if "resume" in vars(options) else ""
        print(f"Stopped.{how_to_go_on}", file=sys.stderr)
        return SOME_FAILED


def build_parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    parser = argparse.ArgumentParser(
        prog="python -m DaTscanAILib",
        description="Dopamine-transporter SPECT: SBR, a network's answer, and why. "
        "Research use only, not a medical device.",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser
