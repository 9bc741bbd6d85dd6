"""What each part of an answer is worth on scans of known losses: reasons of doubt, grades, atypical patterns."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from ..classification.grades import GRADE_EDGES, GRADES, REGIONS, stated_loss
from ..reading.inputs import Case
from .metrics import share_of

STRONG_LOSS = 0.60  # of a region, from which "normal" must not be said with confidence


@dataclass(frozen=True)
class Answered:
    """A case and what was answered.

    Attributes:
        case: with its manifest's columns.
        result: of `result.json`.
    """

    case: Case
    result: dict

    @property
    def right(self) -> bool:
        """Whether the answer would be right without its doubt."""
        return (self.result["classification"]["probability_reduced"] >= 0.5) == (self.case.label == "reduced")

    @property
    def sources(self) -> list[str]:
        """Of doubt."""
        return self.result["classification"].get("doubt_sources") or []

    def loss(self, region: str) -> float | None:
        """Share of a region's binding that is truly lost; None where it is not stated."""
        return stated_loss(self.case.other, region)


def labelled_answers(results: list[tuple[Case, dict]]) -> list[Answered]:
    """The labelled and answered ones of `read_results`."""
    return [Answered(case, result) for case, result in results if case.label and result["classification"]["label"]]


def describe_parts(answers: list[Answered]) -> dict:
    """All of this file's figures as JSON data."""
    return {
        "doubt": doubt_by_source(answers),
        "grades": grade_agreement(answers),
        "atypical_by_subtype": atypical_by_subtype(answers),
        "strong_loss_called_normal": strong_loss_called_normal(answers),
        "members_disagree": members_disagree(answers),
    }


def doubt_by_source(answers: list[Answered]) -> dict:
    """For each source of doubt the errors it catches, those that no other catches, and the right answers it costs."""
    wrong, right = [one for one in answers if not one.right], [one for one in answers if one.right]
    table = {}
    for source in ("band", "votes", "sbr", "regions", "unlike", "second_reader"):
        table[source] = {
            "errors_caught": sum(source in one.sources for one in wrong),
            "errors_caught_by_it_alone": sum(one.sources == [source] for one in wrong),
            "right_doubted": sum(source in one.sources for one in right),
            "right_doubted_by_it_alone": sum(one.sources == [source] for one in right),
        }
    return {"errors": len(wrong), "right": len(right), "sources": table}


def grade_agreement(answers: list[Answered]) -> dict:
    """Share of regions graded as their true loss, and within one grade, by region and in all."""
    found = {region: [] for region in REGIONS}
    for one in answers:
        grades = (one.result["quantification"] or {}).get("grades") or {}
        for region in REGIONS:
            if region in grades and one.loss(region) is not None:
                true = int(np.searchsorted(GRADE_EDGES, one.loss(region), side="right"))
                found[region].append(abs(GRADES.index(grades[region]["grade"]) - true))
    found["all"] = [distance for distances in found.values() for distance in distances]
    return {
        region: {
            "exact": share_of(np.equal(found[region], 0)),
            "within_one": share_of(np.less_equal(found[region], 1)),
        }
        for region in found
    }


def atypical_by_subtype(answers: list[Answered]) -> dict:
    """Share of scans with a sentence on an atypical pattern, by the pattern that was simulated."""
    flags = defaultdict(list)
    for one in answers:
        flags[one.case.other.get("subtype", "")].append(bool(one.result["classification"].get("atypical")))
    return {subtype: share_of(np.array(values)) for subtype, values in sorted(flags.items())}


def strong_loss_called_normal(answers: list[Answered]) -> dict | None:
    """Scans with a region that has lost 60 % or more, and how many are confidently called normal."""
    lost = [one for one in answers if max((one.loss(region) or 0.0) for region in REGIONS) >= STRONG_LOSS]
    return share_of(np.array([one.result["classification"]["label"] == "normal" for one in lost]))


def members_disagree(answers: list[Answered]) -> dict | None:
    """Scans on which the members' balanced heads are not unanimous: how far the members differ at all."""
    return share_of(
        np.array(
            [
                0
                < one.result["classification"]["votes_for_reduced"]["balanced"]
                < one.result["classification"]["members"]
                for one in answers
            ]
        )
    )


def second_reader_agreement(answers: list[Answered]) -> dict | None:
    """How often the second reader agrees, and how often the answer of both is right; None without a second reader.

    Borderline scans are left out: their label is a convention, and readers differ there rightly.
    """
    read = [
        (one.right, one.result["classification"]["second_reader"]["agrees"])
        for one in answers
        if one.result["classification"].get("second_reader") and one.case.other.get("subtype") != "borderline"
    ]
    if not read:
        return None
    right, agrees = np.array(read).T
    return {"agree": share_of(agrees), "right_where_both_agree": share_of(right[agrees])}
