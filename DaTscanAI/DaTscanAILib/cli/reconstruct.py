"""The command `reconstruct`."""

import sys
from pathlib import Path

from .arguments import SUCCESS


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("reconstruct", help="filtered back-projection of a camera's projections (NM TOMO)")
    command.set_defaults(run=run)
    command.add_argument("input", type=Path, metavar="INPUT", help="NM TOMO file, or a folder that holds one")
    command.add_argument("--output", type=Path, required=True, metavar="FILE", help=".nii.gz, .nii or .nrrd")
    command.add_argument("--filter", default="shepp-logan", metavar="NAME", help="shepp-logan (default), butterworth")
    command.add_argument(
        "--cutoff", type=float, metavar="F", help="cycles/cm (default 1.25 with shepp-logan, 0.45 with butterworth)"
    )
    command.add_argument(
        "--chang",
        type=float,
        nargs="?",
        const=0.11,
        metavar="MU",
        help="correct attenuation by Chang's method, broad-beam coefficient per cm (without a number 0.11)",
    )


def run(options) -> int:
    """Runs it; the exit status."""
    from ..reconstruction.tomo_to_image import Method, reconstruct

    projections = reconstruct(options.input, options.output, Method(options.filter, options.cutoff, options.chang))
    for warning in projections.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return SUCCESS
