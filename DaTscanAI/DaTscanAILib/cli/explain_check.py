"""The command `explain-check`."""

import sys
from pathlib import Path

from ..explanation.methods import DEFAULT_METHOD, METHODS
from .arguments import SOME_FAILED, SUCCESS, add_device_option, positive


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser(
        "explain-check",
        help="the gates of a model's maps on simulated scans: a table, a figure; exit status 1 where one falls short",
    )
    command.set_defaults(run=run)
    command.add_argument("model", metavar="MODEL", help="a shipped model or a model folder")
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of scans and figures")
    command.add_argument(
        "--quick", action="store_true", help="few scans, thresholds that guard against getting worse"
    )
    command.add_argument("--map", choices=METHODS, default=DEFAULT_METHOD, help=f"default {DEFAULT_METHOD}")
    add_device_option(command)
    command.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="processes that simulate (default 1)"
    )


def run(options) -> int:
    """Runs it; the exit status."""
    from ..classification.model_folder import find_model
    from ..evaluation.map_report import plain_table
    from ..reporting.result_files import prepare_output
    from ..simulation.explain_check import explain_check

    model = find_model(options.model)
    prepare_output(options.output)

    def say(line):
        print(line, file=sys.stderr, flush=True)

    given = (options.map, options.quick, options.device, options.workers)
    rows = explain_check(model, options.output, *given, say)
    print(plain_table(rows))
    return SOME_FAILED if any(row["reached"] is False for row in rows) else SUCCESS
