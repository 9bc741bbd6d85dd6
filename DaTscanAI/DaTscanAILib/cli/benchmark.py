"""The command `benchmark`."""

from pathlib import Path

from .arguments import SOME_FAILED, SUCCESS, positive


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("benchmark", help="times each stage on this machine, beside peer libraries")
    command.set_defaults(run=run)
    command.add_argument(
        "--output", type=Path, default=Path("benchmark"), metavar="DIR", help="of the tables (default benchmark)"
    )
    command.add_argument("--quick", action="store_true", help="a smoke test whose figures mean nothing")
    command.add_argument("--stages", nargs="+", metavar="NAME", help="registration, relevance, ... (default all)")
    command.add_argument("--model", metavar="NAME_OR_FOLDER", help="in place of the default model")
    command.add_argument("--basis", type=Path, metavar="FILE", help="of templates, in place of the shipped one")
    command.add_argument("--anatomies", nargs="+", metavar="NAME", help="heads of the simulated scans (default all)")
    for name, what in (
        ("scans", "simulated scans to register (default 60)"),
        ("batch-scans", "scans of the batch (default 200)"),
        ("workers", "of the batch, beside one alone (default 2)"),
        ("repetitions", "of the other stages (default 9)"),
    ):
        command.add_argument(f"--{name}", type=positive, metavar="N", help=what)


def run(options) -> int:
    """Runs it; the exit status."""
    from ..benchmarking.settings import chosen_settings
    from ..benchmarking.suite import run_benchmark

    chosen = {name: value for name, value in vars(options).items() if name != "run" and value is not None}
    return SUCCESS if run_benchmark(chosen_settings(**chosen)) else SOME_FAILED
