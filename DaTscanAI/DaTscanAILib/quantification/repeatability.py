"""By how much a repeated measurement of a nucleus differs, fitted to people who were scanned twice.

The difference of two measurements of one person has the variance 2 (constant^2 + (share * SBR)^2): counts and the
reference region give a part that grows with the SBR, the noise of the hottest voxels one that does not.
"""

import math
from dataclasses import dataclass

import numpy as np

REACH = 1.96  # standard deviations that hold 95 %
_ROUNDS = 50


@dataclass(frozen=True)
class Repeatability:
    """Standard deviation of a repeated measurement of a nucleus: sqrt(constant^2 + (share * SBR)^2)."""

    constant: float
    share: float

    def limit(self, level: float) -> float:
        """What the difference of two measurements stays within in 95 %, at a mean SBR."""
        return REACH * math.sqrt(2) * math.hypot(self.constant, self.share * level)


def fit_repeatability(before: np.ndarray, after: np.ndarray) -> Repeatability:
    """Constant and share by weighted least squares of the squared differences, neither below zero.

    Args:
        before, after: SBRs of the same regions of the same people, in the same order, any shape.
    """
    difference, level = np.ravel(after) - np.ravel(before), (np.ravel(after) + np.ravel(before)) / 2
    squares, design = difference**2 / 2, np.stack([np.ones_like(level), level**2], axis=1)
    variance = np.full(len(level), max(float(squares.mean()), 1e-12))
    for _ in range(_ROUNDS):  # a squared difference spreads as its own expectation
        parts = _not_negative(design / variance[:, None], squares / variance)
        variance = np.maximum(design @ parts, 1e-3 * squares.mean() + 1e-12)
    return Repeatability(*(round(math.sqrt(part), 4) for part in parts))


def _not_negative(design, values):
    from scipy.optimize import nnls

    return nnls(design, values)[0]
