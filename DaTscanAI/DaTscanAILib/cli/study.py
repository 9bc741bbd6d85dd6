"""The command `study`."""

import sys
from pathlib import Path

from .arguments import SOME_FAILED, SUCCESS, add_device_option, not_negative, positive, whole


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("study", help="one of the published studies, end to end, on labelled scans")
    command.set_defaults(run=run)
    command.add_argument(
        "name",
        metavar="NAME",
        help="kim2018, quan2019, wenzel2019, nazari2021-lrp, nazari2021-extrastriatal, or all of them",
    )
    command.add_argument(
        "--manifest",
        type=Path,
        required=True,
        metavar="M",
        help="CSV with scan, label, age, sex; or a BIDS dataset with these columns in participants.tsv",
    )
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="the same call again resumes")
    command.add_argument("--quick", action="store_true", help="the shortened form; the summary states its sizes")
    add_device_option(command)
    command.add_argument("--workers", type=positive, default=1, metavar="N", help="processes that prepare scans")
    command.add_argument("--seed", type=whole, default=0, metavar="S", help="of splits, weights, order (default 0)")
    command.add_argument("--prepared", type=Path, metavar="DIR", help="cache that studies of the same scans share")
    command.add_argument("--epochs", type=positive, metavar="N", help="of a training, at most (not kim2018)")
    _add_options_of_slices(command.add_argument_group("kim2018, quan2019, wenzel2019"))
    _add_options_of_nazari(command.add_argument_group("nazari2021-lrp, nazari2021-extrastriatal"))


def _add_options_of_slices(group):
    group.add_argument("--weights", type=Path, metavar="FILE", help="Inception's ImageNet weights (torchvision's)")
    group.add_argument(
        "--keras-pooling",
        action="store_true",
        help="the weights come from Keras: average pools leave the padding out",
    )
    group.add_argument("--bfloat16", action="store_true", help="compute Inception in this format, which is faster")
    group.add_argument(
        "--copies", type=positive, metavar="N", help="pictures of each scan, changed at random (quan2019)"
    )
    group.add_argument(
        "--random-slice", action="store_true", help="a random slice through the striatum (kim2018), to compare"
    )
    group.add_argument(
        "--paper-shares",
        action="store_true",
        help="of fewer scans than the paper had, draw them in its shares of the classes (quan2019, wenzel2019)",
    )
    group.add_argument(
        "--fine-tune", action="store_true", help="a further final model whose base learns, too (quan2019)"
    )
    group.add_argument(
        "--controls",
        action="store_true",
        help="beside the study random weights, random slices (kim2018), and the pixels without a network",
    )
    group.add_argument("--random-weights", action="store_true", help="Inception untrained, to try the pipeline")
    group.add_argument(
        "--camera", metavar="SITE", help="scans of this value of the column site; the others test it (wenzel2019)"
    )
    group.add_argument(
        "--network-splits",
        type=whole,
        metavar="N",
        help="train the network in so many of the splits only; more can follow in the same DIR (wenzel2019)",
    )
    group.add_argument("--independent", type=Path, metavar="MANIFEST", help="other scans to test on (wenzel2019)")


def _add_options_of_nazari(group):
    group.add_argument("--architecture", metavar="NAME", help="network in place of the paper's")
    group.add_argument(
        "--plain-input",
        action="store_true",
        help="the scans themselves, not differences from midway",
    )
    group.add_argument("--dense-rate", type=not_negative, metavar="R", help="Adam's rate of the first dense layer")
    group.add_argument("--warm-up", type=whole, default=0, metavar="N", help="steps in which the rates rise")
    group.add_argument(
        "--initial-scale",
        type=not_negative,
        default=1.0,
        metavar="X",
        help="factor on the first weights of the first dense layer",
    )
    group.add_argument(
        "--normalized-dense",
        action="store_true",
        help="normalize that layer by batch while it trains, so that its units stay alive",
    )
    group.add_argument(
        "--tries",
        nargs="*",
        metavar="NAME",
        help="other ways to train, with a table of them all (nazari2021-lrp); none named: all",
    )
    group.add_argument("--seeds", type=positive, default=1, metavar="N", help="of each try (nazari2021-lrp)")


def run(options) -> int:
    """Runs it; the exit status."""
    from ..studies.run import StudyOptions, run_study

    values = {key: value for key, value in vars(options).items() if key not in ("run", "name")}
    if options.tries is not None:
        values["tries"] = tuple(options.tries)
    if options.name == "all":
        return run_all_of_them(StudyOptions(**values))
    summary = run_study(options.name, StudyOptions(**values))
    print(f"{options.output}: {summary['data']['sentence']} Research use only.", file=sys.stderr)
    return SOME_FAILED if summary["data"]["failed"] else SUCCESS


def run_all_of_them(options) -> int:
    """Runs all studies; the exit status."""
    from ..studies.run_all import run_all

    outcomes = run_all(options)
    done = [one.study for one in outcomes if one.summary]
    print(
        f"{options.output / 'results.md'}: {len(done)} of {len(outcomes)} studies. Research use only.",
        file=sys.stderr,
    )
    failed = any(one.summary is None or one.summary["data"]["failed"] for one in outcomes)
    return SOME_FAILED if failed else SUCCESS
