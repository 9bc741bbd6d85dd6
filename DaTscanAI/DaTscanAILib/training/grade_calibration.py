"""The cuts of a region's score, by proportional odds on scans of known loss."""

import numpy as np

from ..classification.grades import GRADE_EDGES, RegionRule
from .targets import TRAINING_CUTS

_PRIOR = 0.02  # weight, in scans, of the training's own cuts: grades that no scan has keep them


def fit_region(
    output: int, score: np.ndarray, losses: np.ndarray, weights: np.ndarray, reduced_from: float
) -> RegionRule:
    """Slope and cuts of the highest likelihood (McCullagh 1980).

    Args:
        output: of the network.
        score, losses, weights: `(n,)`; losses from 0 to 1.
        reduced_from: loss at which the region alone makes a scan "reduced"; its cut is found between the others.
    """
    from scipy.optimize import minimize

    grade = np.searchsorted(GRADE_EDGES, losses, side="right")
    start = np.array([0.0, TRAINING_CUTS[0], *np.log(np.diff(TRAINING_CUTS))])

    def loss(parameters):
        slope, cuts = _unpacked(parameters)
        beyond = 1 / (1 + np.exp(-np.clip(slope * (score[:, None] - cuts), -50, 50)))
        edges = np.concatenate([np.ones((len(score), 1)), beyond, np.zeros((len(score), 1))], axis=1)
        likelihood = np.take_along_axis(-np.diff(edges, axis=1), grade[:, None], axis=1)[:, 0]
        surprise = -np.log(np.maximum(likelihood, 1e-12)) @ weights
        return surprise + _PRIOR * np.sum((parameters - start) ** 2)

    slope, cuts = _unpacked(minimize(loss, start, method="L-BFGS-B").x)
    reduced_cut = float(np.interp(reduced_from, GRADE_EDGES, cuts))
    return RegionRule(output, float(slope), tuple(float(cut) for cut in cuts), reduced_cut)


def _unpacked(parameters):
    """Slope and ascending cuts of free parameters."""
    steps = np.exp(np.clip(parameters[2:], -10, 10))
    return np.exp(np.clip(parameters[0], -10, 10)), parameters[1] + np.concatenate([[0.0], np.cumsum(steps)])
