"""The command `literature`."""

from .arguments import SUCCESS, add_simulated_scans


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("literature", help="a table of simulated against published figures")
    command.set_defaults(run=run)
    add_simulated_scans(command, count=200, seed=800_000)


def run(options) -> int:
    """Runs it; the exit status."""
    from ..reporting.result_files import prepare_output
    from ..simulation.literature import literature
    from ..simulation.literature_page import describe

    prepare_output(options.output)
    print(describe(literature(options.output, options.count, options.seed, options.workers)))
    return SUCCESS
