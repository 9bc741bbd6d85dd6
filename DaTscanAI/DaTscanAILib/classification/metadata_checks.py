"""Whether the numbers in a model's metadata can be worked with: JSON may hold anything."""

from dataclasses import asdict

import numpy as np

from .answer_rule import AnswerRule
from .grades import GRADE_EDGES, REGIONS
from .preprocessing import Preprocessing

_LARGEST_MARGIN = 200.0  # mm around the brain
_LARGEST_NUMBER = 1e6  # float32 must hold what is made with it


def check_numbers(preprocessing: Preprocessing, rule: AnswerRule) -> None:
    """Raise ValueError or TypeError for what is no usable number."""
    heads = rule.heads if rule.heads is not None else {"balanced": (0, 1)}
    pairs = [preprocessing.window, rule.doubt or (0, 1), rule.relevance_band or (0, 1), *heads.values()]
    finite = [
        preprocessing.offset,
        preprocessing.scale,
        preprocessing.slab_center,
        rule.slope,
        rule.intercept,
        rule.relevance_cut,
    ]
    finite += [rule.threshold, *(number for pair in pairs for number in pair), *_further_numbers(rule)]
    counts = [rule.sensitive_votes, rule.specific_votes, *(index for pair in heads.values() for index in pair)]
    counts += [] if rule.votes is None else [rule.votes - 1]
    counts += [one.output for one in (rule.regions or {}).values()]
    if (
        not (np.abs(np.array(finite, float)) < _LARGEST_NUMBER).all()
        or any(isinstance(number, str) for number in finite)
        or any(len(pair) != 2 for pair in pairs)
        or abs(preprocessing.scale) < 1 / _LARGEST_NUMBER
        or not -60 <= preprocessing.slab_center <= 90
        or not all(isinstance(number, int) and number >= 0 for number in counts)
        or "balanced" not in heads
        or (rule.regions is not None and set(rule.regions) != set(REGIONS))
        or (rule.sbr is not None and min(rule.sbr.putamen, rule.sbr.caudate) < 1 / _LARGEST_NUMBER)
        or not isinstance(preprocessing.striatum_masked, bool)
        or not isinstance(preprocessing.from_reference, bool)
        or not _is_margin(preprocessing.brain_margin)
    ):
        raise ValueError


def _is_margin(value) -> bool:
    """None, or millimetres around the brain."""
    return value is None or (isinstance(value, int | float) and 0 <= value < _LARGEST_MARGIN)


def _further_numbers(rule):
    """Of regions, SBRs and distance, where the rule has them."""
    numbers = [rule.regional_slope, rule.regional_intercept, 0.0 if rule.unlike_cut is None else rule.unlike_cut]
    for one in (rule.regions or {}).values():
        if len(one.cuts) != len(GRADE_EDGES):
            raise ValueError
        numbers += [one.slope, *one.cuts, one.reduced_cut]
    return numbers + ([] if rule.sbr is None else list(asdict(rule.sbr).values()))
