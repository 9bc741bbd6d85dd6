"""Options that several commands share, kinds of numbers, and the exit statuses."""

import argparse
from pathlib import Path

from ..base.errors import DaTscanError
from ..explanation.methods import DEFAULT_METHOD, METHODS
from ..reporting.language import DEFAULT as DEFAULT_LANGUAGE

SUCCESS, SOME_FAILED, UNUSABLE = 0, 1, 2


def positive(text):
    """A whole number from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def whole(text):
    """A whole number from 0 on."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def not_negative(text):
    """A finite number from 0 on."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def share(text):
    """A number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be from 0 to 1")
    return value


def chosen(names, known, what) -> tuple[str, ...]:
    """The names given, or all known ones.

    Raises:
        DaTscanError: a name is not known.
    """
    for name in names or ():
        if name not in known:
            raise DaTscanError(f"There is no {what} {name!r}: choose among {', '.join(known)}.")
    return tuple(names or known)


def one_of(name, known, what) -> str | None:
    """The name given, or None.

    Raises:
        DaTscanError: the name is not known.
    """
    return None if name is None else chosen((name,), known, what)[0]


def add_device_option(command):
    """Where networks compute."""
    command.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where networks compute; auto (default) takes an NVIDIA GPU that can be used, else the CPU",
    )


def add_chain_options(command):
    """Options of whatever runs the chain: where its results go and what reads the scans."""
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the results")
    command.add_argument("--model", metavar="NAME_OR_FOLDER", help="a shipped model or a model folder")
    command.add_argument(
        "--second-reader",
        metavar="NAME_OR_FOLDER",
        help="another model that reads every scan too; where both disagree the answer is uncertain",
    )
    add_device_option(command)
    command.add_argument(
        "--map",
        choices=METHODS,
        default=DEFAULT_METHOD,
        help=f"how relevance is computed (default {DEFAULT_METHOD}); the result says how far both agree",
    )


def add_batch_options(command):
    """Options of the commands that analyze many scans."""
    add_chain_options(command)
    command.add_argument("--workers", type=positive, default=1, metavar="N", help="processes (default 1)")
    command.add_argument("--scheduler", metavar="ADDRESS", help="of a dask cluster that does the work, not --workers")
    command.add_argument("--resume", action="store_true", help="keep the cases that a former run has finished")


def batch_options(options, **more):
    """`batch.options.Options` of the options given."""
    from ..batch.options import Options

    return Options(
        output=options.output,
        model=options.model,
        second_reader=options.second_reader,
        device=options.device,
        map_method=options.map,
        workers=options.workers,
        resume=options.resume,
        scheduler=options.scheduler,
        **more,
    )


def add_result_options(command):
    """Options of what is written of each scan."""
    command.add_argument(
        "--normals", metavar="SITE", help="for z-scores: a database of `normals build`, or the name of a shipped one"
    )
    command.add_argument(
        "--report-language", metavar="NAME", default=DEFAULT_LANGUAGE, help="of report.pdf: en (default) or de"
    )
    command.add_argument("--no-report", action="store_true", help="do not write report.pdf")
    command.add_argument(
        "--keep-identifiers",
        action="store_true",
        help="put the patient's name and numbers into result.json and report.pdf",
    )
    command.add_argument(
        "--dicom-results",
        action="store_true",
        help="of DICOM scans, write structured report, pictures and PDF report as DICOM too; they belong to the "
        "scan's study, so the patient's name and numbers stay in them",
    )


def result_options(options) -> dict:
    """What of `batch.options.Options` the options of `add_result_options` give."""
    return {
        "report": not options.no_report,
        "report_language": options.report_language,
        "keep_identifiers": options.keep_identifiers,
        "dicom_results": options.dicom_results,
        "normals": options.normals,
    }


def add_simulated_scans(command, count, seed):
    """Options of the commands that simulate scans to judge the simulator by."""
    command.add_argument("--count", type=positive, default=count, metavar="N", help=f"of scans (default {count})")
    command.add_argument(
        "--seed",
        type=whole,
        default=seed,
        metavar="S",
        help=f"of the first scan; scan k has seed S + k (default {seed}, used for nothing else)",
    )
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the tables")
    command.add_argument("--workers", type=positive, default=1, metavar="N", help="processes (default 1)")
