"""The command `train`."""

import sys
from pathlib import Path

from ..base.errors import DaTscanError
from .arguments import SUCCESS, add_device_option, not_negative, positive, whole


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("train", help="train a classifier, write a model folder")
    command.set_defaults(run=run)
    command.add_argument("manifest", type=Path, metavar="MANIFEST", help="CSV with the columns scan and label")
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="the model's folder")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--architecture", metavar="NAME", help="compact, nazari2021-full, ...")
    what.add_argument(
        "--from",
        dest="start",
        metavar="MODEL",
        help="adapt a shipped model or a model folder to a site's scans, its dense layers first",
    )
    add_device_option(command)
    command.add_argument("--workers", type=positive, default=1, metavar="N", help="processes that prepare scans")
    for option, kind in (
        ("members", positive),
        ("epochs", positive),
        ("batch-size", positive),
        ("copies", whole),
        ("patience", positive),
        ("learning-rate", not_negative),
        ("seed", whole),
    ):
        command.add_argument(f"--{option}", type=kind, metavar="N", help="in place of the plan's own")


def run(options) -> int:
    """Runs it; the exit status."""
    from ..classification.model_folder import find_model
    from ..reporting.result_files import prepare_output
    from ..training.adapting import plan_to_adapt
    from ..training.plans import PLANS, shortened
    from ..training.train import train

    start = find_model(options.start) if options.start else None
    if not start and options.architecture not in PLANS:
        raise DaTscanError(f"There is no plan to train {options.architecture!r}: choose one of {', '.join(PLANS)}.")
    prepare_output(options.output)
    plan = shortened(
        plan_to_adapt(start, PLANS) if start else PLANS[options.architecture],
        members=options.members,
        epochs=options.epochs,
        batch_size=options.batch_size,
        copies=options.copies,
        patience=options.patience,
        learning_rate=options.learning_rate,
        seed=options.seed,
    )
    model = train(options.manifest, options.output, plan, options.device, options.workers, start)
    print(f"{model.folder}: {model.trained_on}", file=sys.stderr)
    return SUCCESS
