"""The command `realism`."""

from pathlib import Path

from .arguments import SUCCESS, add_simulated_scans


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser(
        "realism", help="how a published ensemble that was trained on patients reads simulated scans"
    )
    command.set_defaults(run=run)
    command.add_argument(
        "--weights", type=Path, required=True, metavar="DIR", help="of github.com/ThomasBudd/dat_spect_ud"
    )
    add_simulated_scans(command, count=300, seed=700_000)
    command.add_argument(
        "--true-affine", action="store_true", help="take the simulator's affine, not our registration"
    )


def run(options) -> int:
    """Runs it; the exit status."""
    from ..reporting.result_files import prepare_output
    from ..simulation.realism import describe, realism

    prepare_output(options.output)
    summary = realism(
        options.weights, options.output, options.count, options.seed, options.workers, options.true_affine
    )
    print(describe(summary))
    return SUCCESS
