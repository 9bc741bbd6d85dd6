"""Which answers a model doubts: votes and band of probability, chosen together on scans that no member has seen."""

from dataclasses import replace
from itertools import product

import numpy as np

from ..classification.answer_rule import AnswerRule
from ..classification.evidence import read_evidence
from .plans import Plan

_EDGES = 41
_LEAST_SCANS = 50  # for a choice: fewer hardly hold an error


def with_doubt(
    rule: AnswerRule, logits: np.ndarray, labels: np.ndarray, plan: Plan, weights: np.ndarray
) -> AnswerRule:
    """The rule with the votes and the band that leave the fewest errors among certain answers.

    No more than the plan's share of the scans may be doubted. Votes of biased heads doubt what the band lets pass,
    but how many heads a bias turns depends on the training: with fixed numbers of votes (Budenkotte 2024) a quarter
    of right answers was doubted. Errors are few, so each scan counts as wrong by the mean of what it is and of what
    its probability expects. A plan without a share, and one of few scans, keeps its own band and the published votes.

    Args:
        rule: with slopes, intercepts and regions.
        logits: `(images, members, outputs)`.
        labels: `(images,)`, 1 for reduced.
        plan: of the training.
        weights: `(images,)`, 1 in all for a scan.
    """
    if plan.doubt is None or plan.doubt_share is None or weights.sum() < _LEAST_SCANS:
        return rule
    evidence = [read_evidence(one, rule) for one in logits]
    probability = np.array([one.probability for one in evidence])
    unsure = np.minimum(probability, 1 - probability)
    wrong = 0.5 * (unsure + ((probability >= rule.threshold) != (np.asarray(labels) == 1)))
    chosen, least = None, np.inf
    for sensitive, specific in _votes(rule, logits.shape[1]):
        voted = replace(rule, sensitive_votes=sensitive, specific_votes=specific)
        disagree = np.array([voted.votes_disagree(one.votes) for one in evidence])
        for edge in np.linspace(plan.doubt[0], 0.5, _EDGES):
            doubted = (unsure > edge) | disagree
            share, left = np.average(doubted, weights=weights), np.average(wrong * ~doubted, weights=weights)
            if share <= plan.doubt_share and left < least:
                band = round(float(edge), 3)
                chosen, least = replace(voted, doubt=(band, round(1 - band, 3))), left
    return chosen  # at the least the rule without votes and band, which doubts nothing


def _votes(rule, members):
    """Numbers of votes to choose from, the last pair being more than there are: no vote."""
    if not {"sensitive", "specific"} <= set(rule.heads or {}):
        return [(rule.sensitive_votes, rule.specific_votes)]
    return [*product(range(1, members + 1), repeat=2), (members + 1, members + 1)]
