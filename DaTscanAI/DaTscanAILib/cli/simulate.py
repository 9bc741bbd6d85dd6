"""The command `simulate`."""

from pathlib import Path

from .arguments import SUCCESS, chosen, not_negative, positive, whole


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("simulate", help="simulated scans with their truth, and a manifest")
    command.set_defaults(run=run)
    command.add_argument("--count", type=positive, required=True, metavar="N")
    command.add_argument("--seed", type=whole, default=0, metavar="S", help="of the first scan; scan k: S + k")
    command.add_argument("--output", type=Path, required=True, metavar="DIR")
    command.add_argument("--workers", type=positive, default=1, metavar="N", help="processes (default 1)")
    command.add_argument("--families", nargs="+", metavar="FAMILY", help="camera families (default all)")
    command.add_argument("--anatomies", nargs="+", metavar="NAME", help="colin27, icbm152 (default both)")
    command.add_argument(
        "--variation",
        type=not_negative,
        default=1.0,
        metavar="F",
        help="factor on the spread of head size, shape and deformation (default 1)",
    )
    command.add_argument(
        "--smoothing",
        type=not_negative,
        default=0.0,
        metavar="MM",
        help="FWHM of a Gaussian filter on the image (default 0)",
    )
    command.add_argument(
        "--no-extrastriatal-loss", action="store_true", help="disease lowers binding in the striatum only"
    )
    command.add_argument(
        "--projections", action="store_true", help="also what the camera recorded, as NM TOMO files for `reconstruct`"
    )


def run(options) -> int:
    """Runs it; the exit status."""
    from ..reporting.result_files import prepare_output
    from ..simulation.anatomy import ANATOMIES
    from ..simulation.cameras import FAMILIES
    from ..simulation.cohort import simulate_cohort
    from ..simulation.simulator import Settings

    settings = Settings(
        families=chosen(options.families, FAMILIES, "camera family"),
        anatomies=chosen(options.anatomies, ANATOMIES, "anatomy"),
        extrastriatal_loss=not options.no_extrastriatal_loss,
        variation=options.variation,
        smoothing=options.smoothing,
    )
    prepare_output(options.output)
    simulate_cohort(options.output, options.count, options.seed, options.workers, settings, options.projections)
    return SUCCESS
