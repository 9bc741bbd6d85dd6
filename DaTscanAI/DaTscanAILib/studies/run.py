"""The five published studies by name."""

from dataclasses import fields
from importlib import import_module

from ..base.errors import DaTscanError
from .summary import write_summary
from .workspace import StudyOptions, Workspace

# Name and what it is in one line; the module of the same name has `run(workspace)`.
STUDIES = {
    "kim2018": "one slice, Inception v3, only the top layer retrained",
    "quan2019": "three slices as colors, Inception v3 and a dense head, ten-fold cross-validation",
    "wenzel2019": "thick slab, robustness to the camera's resolution, against two SBR",
    "nazari2021-lrp": "whole brain, relevance maps and what they correct",
    "nazari2021-extrastriatal": "what the network finds outside the striatum",
}


def run_study(name: str, options: StudyOptions) -> dict:
    """Run a study from labelled scans to its tables, figures, models, summary and page; the same call resumes.

    Args:
        name: a key of `STUDIES`.

    Returns:
        The content of `summary.json`.

    Raises:
        DaTscanError: no study has this name, too few usable scans, missing packages or weights, or a folder that
            holds another run.
    """
    if name not in STUDIES:
        raise DaTscanError(f"There is no study {name!r}: choose one of {', '.join(STUDIES)}.")
    _check_options(name, options)
    study = import_module(f".{name.replace('-', '_')}", __package__)
    workspace = Workspace(name, options)
    return write_summary(workspace, study.run(workspace))


_INCEPTION, _NAZARI = ("kim2018", "quan2019"), ("nazari2021-lrp", "nazari2021-extrastriatal")
# Options that only some studies know; silently ignored, they would mislead.
OPTIONS = {
    "weights": _INCEPTION,
    "random_weights": _INCEPTION,
    "keras_pooling": _INCEPTION,
    "bfloat16": _INCEPTION,
    "copies": ("quan2019",),
    "random_slice": ("kim2018",),
    "paper_shares": ("quan2019", "wenzel2019"),
    "fine_tune": ("quan2019",),
    "controls": _INCEPTION,
    "network_splits": ("wenzel2019",),
    "camera": ("wenzel2019",),
    "independent": ("wenzel2019",),
    "architecture": _NAZARI,
    "plain_input": _NAZARI,
    "dense_rate": _NAZARI,
    "warm_up": _NAZARI,
    "initial_scale": _NAZARI,
    "normalized_dense": _NAZARI,
    "tries": ("nazari2021-lrp",),
    "seeds": ("nazari2021-lrp",),
    "epochs": ("quan2019", "wenzel2019", *_NAZARI),
}


def _check_options(name, options):
    defaults = {field.name: field.default for field in fields(StudyOptions)}
    for option, studies in OPTIONS.items():
        if getattr(options, option) != defaults[option] and name not in studies:
            raise DaTscanError(
                f"--{option.replace('_', '-')} is no option of {name}, only of {' and '.join(studies)}."
            )
    check_weights(options)


def check_weights(options: StudyOptions) -> None:
    """Raise DaTscanError if the file of weights is missing."""
    if options.weights and not options.weights.is_file():
        raise DaTscanError(f"{options.weights.name}: there is no such file of weights: check --weights.")
