"""Why an answer is doubted, in sentences: each source alone makes it "uncertain"."""

from dataclasses import dataclass

import numpy as np

from .answer_rule import AnswerRule
from .grades import GRADES

# Regional evidence contradicts "normal" from this probability of a reduced region, "reduced" below the second.
_REDUCED_GRADES = slice(2, None)  # moderate and above
_REGION_REDUCED, _NO_REGION_REDUCED = 0.8, 0.1


@dataclass(frozen=True)
class Doubt:
    """A reason to doubt an answer.

    Attributes:
        source: `band`, `votes`, `sbr`, `regions` or `unlike`.
        sentence: for a person.
    """

    source: str
    sentence: str


def doubts(rule: AnswerRule, evidence, sbr: dict | None, distance: float | None, members: int) -> list[Doubt]:
    """All reasons, the most usual first.

    Args:
        rule: of the model.
        evidence: `evidence.Evidence`.
        sbr: `Quantification.sbr`; None where not measured.
        distance: from the training scans; None where not measured.
        members: of the ensemble.
    """
    found = [
        _band(rule, evidence.probability),
        _votes(rule, evidence.votes, members),
        _sbr(rule, evidence.probability, sbr),
        _regions(rule, evidence),
        _unlike(rule, distance),
    ]
    return [doubt for doubt in found if doubt is not None]


def _band(rule, probability):
    if rule.doubt is None or not rule.doubt[0] < probability < rule.doubt[1]:
        return None
    low, high = rule.doubt
    return Doubt("band", f"The probability of {probability:.0%} lies between {low:.0%} and {high:.0%}.")


def _votes(rule, votes, members):
    if not rule.votes_disagree(votes):
        return None
    return Doubt(
        "votes",
        f"The votes disagree: of {members} networks {votes['sensitive']} say reduced when trained to miss no reduced "
        f"scan, {votes['specific']} when trained to call no normal scan reduced.",
    )


def _sbr(rule, probability, sbr):
    share = None if rule.sbr is None or sbr is None else rule.sbr.share(sbr)
    if share is None:
        return None
    if probability < rule.threshold and share < rule.sbr.least_of_normal:
        return Doubt("sbr", f"The lowest SBR is {max(share, 0):.0%} of the normal mean, too low for a normal scan.")
    if probability >= rule.threshold and share > rule.sbr.most_of_reduced:
        return Doubt("sbr", f"The lowest SBR is {share:.0%} of the normal mean, too high for a reduced scan.")
    return None


def _regions(rule, evidence):
    if not evidence.grades:
        return None
    beyond = {region: float(p[_REDUCED_GRADES].sum()) for region, p in evidence.grades.items()}
    worst = max(beyond, key=beyond.get)
    name = worst.replace("putamen_anterior", "anterior putamen").replace("putamen_posterior", "posterior putamen")
    name = " ".join(reversed(name.rsplit("_", 1)))
    if evidence.overall_probability < rule.threshold and beyond[worst] > _REGION_REDUCED:
        grade = GRADES[int(np.argmax(evidence.grades[worst]))]
        return Doubt("regions", f"The scan as a whole looks normal, but the loss of the {name} is {grade}.")
    if evidence.overall_probability >= rule.threshold and beyond[worst] < _NO_REGION_REDUCED:
        return Doubt("regions", "The scan as a whole looks reduced, but none of its regions does.")
    return None


def _unlike(rule, distance):
    if rule.unlike_cut is None or distance is None or distance <= rule.unlike_cut:
        return None
    return Doubt(
        "unlike", f"The scan is unlike the training scans (distance {distance:.1f}, limit {rule.unlike_cut:.1f})."
    )
