"""The FP-CIT template: a mean scan and the principal components by which scans differ from it, at MNI points."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from ..base.resources import resource_path


class Template:
    """The basis at the points of a regular MNI grid inside and around the brain.

    Attributes:
        points: `(n, 3)` MNI mm.
        basis: `(n, 1 + k)`, mean first, then components of unit variance; the reference region's mean is 1.
        weight: `(n,)` inverse of the variance that the components leave.
        brain: `(n,)` bool.
        fwhm: smoothing in mm of the scans behind it.
    """

    def __init__(self, points, basis, weight, brain, fwhm):
        self.points = np.asarray(points, np.float32)
        self.basis = np.ascontiguousarray(basis, np.float32)
        self.weight = np.asarray(weight, np.float32)
        self.brain = np.asarray(brain, bool)
        self.fwhm = float(fwhm)


@lru_cache(maxsize=1)
def load_template() -> Template:
    """The basis that ships with the extension (`Resources/Templates/fpcit_basis.npz`)."""
    return read_template(resource_path("Templates", "fpcit_basis.npz"))


def read_template(path: Path) -> Template:
    """A basis that `Resources/Templates/build_fpcit_basis.py` has written."""
    with np.load(path) as data:
        basis = data["basis"].astype(np.float32) * data["scale"].astype(np.float32)
        return Template(data["points"], basis, data["weight"], data["brain"], data["fwhm"])
