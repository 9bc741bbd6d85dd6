"""The scan midway between both classes of a training's own scans, from which networks see the differences.

It must lie between the classes for the sign of relevance to tell them apart. A template made of other scans may not:
when the simulated uptake was adjusted to published values, the template of version 0.1.0 came to lie at the mean
normal scan, and two thirds of the normal scans then had positive relevance in the lower putamen.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..explanation.reference import Reference, file_reference
from ..mni.atlas import GRID_AFFINE, GRID_SHAPE
from ..reading.scan import write_volume
from .plans import Plan
from .preparation import Prepared
from .variants import LABELS

NAME = "midway between normal and reduced (training scans)"


def with_own_midway(plan: Plan, folder: Path, training: list[Prepared]) -> Plan:
    """A plan whose `midway`, if that is its reference, is the one of these scans, a file in the folder."""
    return replace(plan, reference=own_midway(folder, training)) if plan.reference == "midway" else plan


def own_midway(folder: Path, training: list[Prepared]) -> Reference:
    """Half the mean normal and half the mean reduced scan, as `midway.nii.gz` in a folder, made anew at every call.

    Args:
        training: scans of both classes, lower putamen left.
    """
    path = Path(folder) / "midway.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(path, np.rint(100 * _midway(training)).astype(np.int16), GRID_AFFINE, "mni")
    return file_reference(NAME, path)


def _midway(training):
    """Float64 `(91, 109, 91)`, reference level 1, nowhere below 0."""
    total, counts = np.zeros((len(LABELS), *GRID_SHAPE)), np.zeros(len(LABELS))
    for one in training:
        label = LABELS.index(one.case.label)
        total[label] += one.load()
        counts[label] += 1
    return (total / counts[:, None, None, None]).mean(axis=0).clip(0)
