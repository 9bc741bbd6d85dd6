"""The command line: exit status 0 when every case succeeded, 1 when some failed, 2 for unusable arguments."""

import argparse
import sys
from pathlib import Path

from .errors import DaTscanError
from .version import VERSION

SUCCESS, SOME_FAILED, UNUSABLE = 0, 1, 2


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
        print("Stopped. Finished cases are complete; --resume does the rest.", file=sys.stderr)
        return SOME_FAILED


def build_parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    parser = argparse.ArgumentParser(
        prog="DaTscanAILib",
        description="Dopamine-transporter SPECT: SBR, a network's answer, and why. "
        "Research use only, not a medical device.",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_analyze(commands)
    _add_simulate(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_study(commands)
    _add_reconstruct(commands)
    _add_realism(commands)
    _add_literature(commands)
    _add_benchmark(commands)
    return parser


def _add_analyze(commands):
    command = commands.add_parser("analyze", help="the whole chain for each scan")
    command.set_defaults(run=_analyze)
    command.add_argument(
        "input",
        nargs="+",
        type=Path,
        metavar="INPUT",
        help="a NIfTI, NRRD, MHA or DICOM file, a folder with one DICOM scan, a folder of scans, or a CSV manifest",
    )
    _add_batch_options(command)
    command.add_argument("--no-report", action="store_true", help="do not write report.pdf")
    command.add_argument(
        "--keep-identifiers", action="store_true", help="put the patient's name and numbers into result.json"
    )


def _add_batch_options(command):
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the results")
    command.add_argument("--model", metavar="NAME_OR_FOLDER", help="a shipped model or a model folder")
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    command.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes (default 1)")
    command.add_argument("--scheduler", metavar="ADDRESS", help="of a dask cluster that does the work, not --workers")
    command.add_argument("--resume", action="store_true", help="keep the cases that a former run has finished")


def _batch_options(options, **more):
    from .batch import Options

    return Options(
        output=options.output,
        model=options.model,
        device=options.device,
        workers=options.workers,
        resume=options.resume,
        scheduler=options.scheduler,
        **more,
    )


def _analyze(options) -> int:
    from .batch import TableNotWrittenError, analyze_batch
    from .inputs import collect_cases
    from .progress import Progress, summary

    batch = _batch_options(options, report=not options.no_report, keep_identifiers=options.keep_identifiers)
    cases = collect_cases(options.input)
    try:
        with Progress(len(cases)) as progress:
            outcomes = analyze_batch(cases, batch, progress)
    except TableNotWrittenError as error:
        print(f"error: {error}", file=sys.stderr)
        return SOME_FAILED
    print(summary(outcomes), file=sys.stderr)
    return SOME_FAILED if any(outcome.failed for outcome in outcomes) else SUCCESS


def _add_simulate(commands):
    command = commands.add_parser("simulate", help="simulated scans with their truth, and a manifest")
    command.set_defaults(run=_simulate)
    command.add_argument("--count", type=_positive, required=True, metavar="N")
    command.add_argument("--seed", type=_whole, default=0, metavar="S", help="of the first scan; scan k: S + k")
    command.add_argument("--output", type=Path, required=True, metavar="DIR")
    command.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes (default 1)")
    command.add_argument("--families", nargs="+", metavar="FAMILY", help="camera families (default all)")
    command.add_argument("--anatomies", nargs="+", metavar="NAME", help="colin27, icbm152 (default both)")
    command.add_argument(
        "--variation",
        type=_not_negative,
        default=1.0,
        metavar="F",
        help="factor on the spread of head size, shape and deformation (default 1)",
    )
    command.add_argument(
        "--smoothing",
        type=_not_negative,
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


def _simulate(options) -> int:
    from .results import prepare_output
    from .simulation.anatomy import ANATOMIES
    from .simulation.camera import FAMILIES
    from .simulation.cohort import simulate_cohort
    from .simulation.simulator import Settings

    settings = Settings(
        families=_chosen(options.families, FAMILIES, "camera family"),
        anatomies=_chosen(options.anatomies, ANATOMIES, "anatomy"),
        extrastriatal_loss=not options.no_extrastriatal_loss,
        variation=options.variation,
        smoothing=options.smoothing,
    )
    prepare_output(options.output)
    simulate_cohort(options.output, options.count, options.seed, options.workers, settings, options.projections)
    return SUCCESS


def _chosen(names, known, what) -> tuple[str, ...]:
    for name in names or ():
        if name not in known:
            raise DaTscanError(f"There is no {what} {name!r}: choose among {', '.join(known)}.")
    return tuple(names or known)


def _add_train(commands):
    command = commands.add_parser("train", help="train a classifier, write a model folder")
    command.set_defaults(run=_train)
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
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    command.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes that prepare scans")
    for option, kind in (
        ("members", _positive),
        ("epochs", _positive),
        ("batch-size", _positive),
        ("copies", _whole),
        ("patience", _positive),
        ("learning-rate", _not_negative),
        ("seed", _whole),
    ):
        command.add_argument(f"--{option}", type=kind, metavar="N", help="in place of the plan's own")


def _train(options) -> int:
    from .fine_tuning import plan_to_adapt
    from .models import find_model
    from .results import prepare_output
    from .training import PLANS, shortened, train

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


def _add_evaluate(commands):
    command = commands.add_parser("evaluate", help="analyze labelled scans and say how well the answers fit")
    command.set_defaults(run=_evaluate)
    command.add_argument("manifest", type=Path, metavar="MANIFEST", help="CSV with the columns scan and label")
    _add_batch_options(command)
    command.add_argument(
        "--by",
        nargs="+",
        default=["site"],
        metavar="COLUMN",
        help="columns whose values are also evaluated one by one (default site)",
    )
    command.add_argument("--leave-out", metavar="COLUMN=VALUE", help="cases that count in their own group only")


def _evaluate(options) -> int:
    from .evaluation import describe, evaluate

    leave_out = tuple(options.leave_out.split("=", 1)) if options.leave_out else None
    if leave_out and (len(leave_out) != 2 or leave_out[0] not in options.by):
        raise DaTscanError("--leave-out takes COLUMN=VALUE, where COLUMN is also named by --by.")
    summary, failed = evaluate(options.manifest, _batch_options(options, report=False), tuple(options.by), leave_out)
    print(describe(summary))
    return SOME_FAILED if failed else SUCCESS


def _add_study(commands):
    command = commands.add_parser("study", help="one of the published studies, end to end, on labelled scans")
    command.set_defaults(run=_study)
    command.add_argument(
        "name",
        metavar="NAME",
        help="kim2018, quan2019, wenzel2019, nazari2021-lrp or nazari2021-extrastriatal",
    )
    command.add_argument("--manifest", type=Path, required=True, metavar="M", help="CSV with scan, label, age, sex")
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="the same call again resumes")
    command.add_argument("--quick", action="store_true", help="the shortened form; the summary states its sizes")
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    command.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes that prepare scans")
    command.add_argument("--seed", type=_whole, default=0, metavar="S", help="of splits, weights, order (default 0)")
    command.add_argument("--prepared", type=Path, metavar="DIR", help="cache that studies of the same scans share")
    command.add_argument("--weights", type=Path, metavar="FILE", help="Inception's ImageNet weights (torchvision's)")
    command.add_argument("--random-weights", action="store_true", help="Inception untrained, to try the pipeline")
    command.add_argument("--independent", type=Path, metavar="MANIFEST", help="other scans to test on (wenzel2019)")
    command.add_argument("--architecture", metavar="NAME", help="network in place of the paper's (nazari2021-...)")
    command.add_argument(
        "--plain-input",
        action="store_true",
        help="the scans themselves, not differences from midway (nazari2021-...)",
    )
    command.add_argument("--epochs", type=_positive, metavar="N", help="of a training, at most (not kim2018)")


def _study(options) -> int:
    from .studies.run import StudyOptions, run_study

    values = {key: value for key, value in vars(options).items() if key not in ("run", "name")}
    summary = run_study(options.name, StudyOptions(**values))
    print(f"{options.output}: {summary['data']['sentence']} Research use only.", file=sys.stderr)
    return SOME_FAILED if summary["data"]["failed"] else SUCCESS


def _add_reconstruct(commands):
    command = commands.add_parser("reconstruct", help="filtered back-projection of a camera's projections (NM TOMO)")
    command.set_defaults(run=_reconstruct)
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


def _reconstruct(options) -> int:
    from .reconstruct import Method, reconstruct

    projections = reconstruct(options.input, options.output, Method(options.filter, options.cutoff, options.chang))
    for warning in projections.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return SUCCESS


def _add_realism(commands):
    command = commands.add_parser(
        "realism", help="how a published ensemble that was trained on patients reads simulated scans"
    )
    command.set_defaults(run=_realism)
    command.add_argument(
        "--weights", type=Path, required=True, metavar="DIR", help="of github.com/ThomasBudd/dat_spect_ud"
    )
    _add_simulated_scans(command, count=300, seed=700_000)
    command.add_argument(
        "--true-affine", action="store_true", help="take the simulator's affine, not our registration"
    )


def _add_simulated_scans(command, count, seed):
    command.add_argument("--count", type=_positive, default=count, metavar="N", help=f"of scans (default {count})")
    command.add_argument(
        "--seed",
        type=_whole,
        default=seed,
        metavar="S",
        help=f"of the first scan; scan k has seed S + k (default {seed}, used for nothing else)",
    )
    command.add_argument("--output", type=Path, required=True, metavar="DIR")
    command.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes (default 1)")


def _realism(options) -> int:
    from .realism import describe, realism
    from .results import prepare_output

    prepare_output(options.output)
    summary = realism(
        options.weights, options.output, options.count, options.seed, options.workers, options.true_affine
    )
    print(describe(summary))
    return SUCCESS


def _add_literature(commands):
    command = commands.add_parser("literature", help="a table of simulated against published figures")
    command.set_defaults(run=_literature)
    _add_simulated_scans(command, count=200, seed=800_000)


def _literature(options) -> int:
    from .results import prepare_output
    from .simulation.literature import literature
    from .simulation.literature_page import describe

    prepare_output(options.output)
    print(describe(literature(options.output, options.count, options.seed, options.workers)))
    return SUCCESS


def _add_benchmark(commands):
    command = commands.add_parser("benchmark", help="times each stage on this machine, beside peer libraries")
    command.set_defaults(run=_benchmark)
    command.add_argument(
        "--output", type=Path, default=Path("benchmark"), metavar="DIR", help="of the tables (default benchmark)"
    )
    command.add_argument("--quick", action="store_true", help="a smoke test whose figures mean nothing")
    command.add_argument("--stages", nargs="+", metavar="NAME", help="registration, relevance, ... (default all)")
    command.add_argument("--model", metavar="NAME_OR_FOLDER", help="in place of the default model")
    command.add_argument("--basis", type=Path, metavar="FILE", help="of templates, in place of the shipped one")
    command.add_argument("--anatomies", nargs="+", metavar="NAME", help="of the simulated scans (default both)")
    for name, what in (
        ("scans", "simulated scans to register (default 60)"),
        ("batch-scans", "scans of the batch (default 200)"),
        ("repetitions", "of the other stages (default 9)"),
    ):
        command.add_argument(f"--{name}", type=_positive, metavar="N", help=what)


def _benchmark(options) -> int:
    from .benchmarking.settings import chosen_settings
    from .benchmarking.suite import run_benchmark

    chosen = {name: value for name, value in vars(options).items() if name != "run" and value is not None}
    return SUCCESS if run_benchmark(chosen_settings(**chosen)) else SOME_FAILED


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _whole(text):
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def _not_negative(text):
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value
