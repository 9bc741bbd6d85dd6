"""All studies on one manifest, each in its own folder, and one page of what they found."""

import shlex
import sys
from dataclasses import fields, replace
from pathlib import Path

from ..base.errors import DaTscanError
from ..reporting.result_files import prepare_output
from .results_page import Outcome, write_page
from .run import OPTIONS, STUDIES, check_weights, run_study
from .workspace import StudyOptions

_COMMON = ("quick", "seed")  # options of every study that its numbers depend on


def run_all(options: StudyOptions) -> list[Outcome]:
    """Run every study that can be run; the same call resumes.

    A study that cannot be run (too few scans, no weights for Inception) does not stop the others; the page says why.

    Args:
        options: each study takes those that it knows. `output` gets a folder a study, the scans' cache `prepared`,
            `results.md` and `results.json`.

    Returns:
        What became of each study.

    Raises:
        DaTscanError: the file of weights is missing, or the output cannot be written.
    """
    check_weights(options)
    output, outcomes = prepare_output(options.output), []
    for name in STUDIES:
        own = options_of(name, options)
        command = command_of(name, own)
        try:
            outcomes.append(Outcome(name, command, run_study(name, own)))
        except DaTscanError as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            outcomes.append(Outcome(name, command, None, str(error)))
        write_page(output, options.manifest.name, outcomes)  # after each: hours may lie between them
    return outcomes


def options_of(name: str, options: StudyOptions) -> StudyOptions:
    """The options for one study, in its folder, without what only others know; the cache of scans is shared."""
    strange = {
        field.name: field.default
        for field in fields(StudyOptions)
        if field.name in OPTIONS and name not in OPTIONS[field.name]
    }
    prepared = options.prepared or Path(options.output) / "prepared"
    return replace(options, **strange, output=Path(options.output) / name, prepared=prepared)


def command_of(name: str, options: StudyOptions) -> str:
    """The command that runs one study with these options; files by their names alone."""
    words = ["python", "-m", "DaTscanAILib", "study", name, "--manifest", options.manifest.name]
    for field in fields(StudyOptions):
        value = getattr(options, field.name)
        if field.name not in (*_COMMON, *OPTIONS) or value == field.default:
            continue
        words.append(f"--{field.name.replace('_', '-')}")
        if isinstance(value, tuple):
            words += value
        elif value is not True:
            words.append(value.name if isinstance(value, Path) else str(value))
    return " ".join([shlex.join(words), "--output", name])
