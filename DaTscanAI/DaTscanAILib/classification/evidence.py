"""From the logits of all members to a probability: the scan as a whole, its regions, and the stronger of both."""

from dataclasses import dataclass

import numpy as np

from .answer_rule import AnswerRule
from .grades import other_side

OVERALL = "overall"


@dataclass(frozen=True)
class Evidence:
    """What the logits say.

    Attributes:
        logit_difference: reduced minus normal of the scan as a whole: mean over the members, or of the member on
            which the votes turn.
        overall_probability: of "reduced", by the scan as a whole.
        probability: by the stronger of whole and regions: what fades in one region cannot be outvoted by another.
        basis: `overall`, or the region (lower putamen left) on which the probability rests.
        votes: members for "reduced" by head.
        grades: probabilities of the five grades by region, lower putamen left; empty without regions.
    """

    logit_difference: float
    overall_probability: float
    probability: float
    basis: str
    votes: dict[str, int]
    grades: dict[str, np.ndarray]


def read_evidence(logits: np.ndarray, rule: AnswerRule) -> Evidence:
    """The evidence of one scan.

    Args:
        logits: `(members, outputs)`.
    """
    heads = rule.heads or {"balanced": (0, 1)}
    votes = {name: int((logits[:, reduced] > logits[:, normal]).sum()) for name, (normal, reduced) in heads.items()}
    normal, reduced = heads["balanced"]
    difference = _of_members(logits[:, reduced].astype(np.float64) - logits[:, normal], rule.votes)
    overall = rule.slope * difference + rule.intercept
    best, basis, grades = overall, OVERALL, {}
    for region, one in (rule.regions or {}).items():
        score = float(logits[:, one.output].mean(dtype=np.float64))
        grades[region] = one.probabilities(score)
        of_region = rule.regional_slope * one.evidence(score) + rule.regional_intercept
        if of_region > best:
            best, basis = of_region, region
    return Evidence(difference, _sigmoid(overall), _sigmoid(best), basis, votes, grades)


def swapped_outputs(outputs: int, rule: AnswerRule) -> np.ndarray:
    """Place of every output in a mirrored scan's outputs: the regions change sides, the rest stays."""
    order = np.arange(outputs)
    for region, one in (rule.regions or {}).items():
        order[one.output] = rule.regions[other_side(region)].output
    return order


def contrast_of(basis: str, outputs: int, rule: AnswerRule) -> np.ndarray:
    """Weights of the outputs at which relevance starts: the logits' difference, or a region's score in its unit."""
    contrast = np.zeros(outputs, np.float32)
    if basis == OVERALL:
        contrast[list((rule.heads or {"balanced": (0, 1)})["balanced"])] = (-1, 1)
    else:
        one = rule.regions[basis]
        contrast[one.output] = rule.regional_slope * one.slope / rule.slope
    return contrast


def _of_members(differences, votes):
    """Their mean or, where votes count, the difference that is positive if so many are."""
    return float(differences.mean() if votes is None else np.sort(differences)[-votes])


def _sigmoid(logit):
    return float(1 / (1 + np.exp(-np.clip(logit, -500, 500))))
