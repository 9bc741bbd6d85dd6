"""The command `simulate`."""

from pathlib import Path

from .arguments import SUCCESS, chosen, not_negative, one_of, positive, share, whole


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("simulate", help="simulated scans with their truth, and a manifest")
    command.set_defaults(run=run)
    command.add_argument("--count", type=positive, required=True, metavar="N", help="of scans")
    command.add_argument("--seed", type=whole, default=0, metavar="S", help="of the first scan; scan k: S + k")
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the scans")
    command.add_argument("--workers", type=positive, default=1, metavar="N", help="processes (default 1)")
    command.add_argument("--families", nargs="+", metavar="FAMILY", help="camera families (default all)")
    command.add_argument(
        "--camera-seed",
        type=whole,
        metavar="S",
        help="one camera for all scans, that of this seed (default: each its own)",
    )
    command.add_argument("--anatomies", nargs="+", metavar="NAME", help="named heads (default: those for training)")
    command.add_argument("--label", metavar="NAME", help="normal, borderline or reduced (default: 45, 5, 50 %%)")
    command.add_argument(
        "--subtype", metavar="NAME", help="pattern of loss, for example vascular (default: of the label)"
    )
    command.add_argument(
        "--atypical-share",
        type=share,
        default=0.25,
        metavar="F",
        help="of reduced scans, whose losses do not follow the order of Parkinson's disease (default 0.25; samples of"
        " the papers have hardly any)",
    )
    command.add_argument("--pose", default="usual", metavar="NAME", help="usual (default), or wide: wild turns only")
    command.add_argument("--field", default="usual", metavar="NAME", help="of view: usual (default), or wide")
    command.add_argument(
        "--storage", metavar="NAME", help="how all scans are kept, for example plain (default: mixed)"
    )
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
    from ..simulation.anatomy import ANATOMIES, TRAINING_ANATOMIES
    from ..simulation.cameras import FAMILIES
    from ..simulation.cohort import simulate_cohort
    from ..simulation.disease import LABELS, SUBTYPES
    from ..simulation.field_of_view import FIELDS
    from ..simulation.pose import POSES
    from ..simulation.simulator import Settings
    from ..simulation.storage import STORAGES

    settings = Settings(
        families=chosen(options.families, FAMILIES, "camera family"),
        anatomies=chosen(options.anatomies or TRAINING_ANATOMIES, ANATOMIES, "anatomy"),
        label=one_of(options.label, LABELS, "label"),
        subtype=one_of(options.subtype, SUBTYPES, "subtype"),
        atypical_share=options.atypical_share,
        pose=one_of(options.pose, POSES, "pose"),
        field=one_of(options.field, FIELDS, "field"),
        extrastriatal_loss=not options.no_extrastriatal_loss,
        variation=options.variation,
        smoothing=options.smoothing,
        camera_seed=options.camera_seed,
    )
    storage = one_of(options.storage, STORAGES, "storage")
    prepare_output(options.output)
    simulate_cohort(
        options.output, options.count, options.seed, options.workers, settings, options.projections, storage
    )
    return SUCCESS
