"""What if a region were normal: its uptake replaced by the mean normal scan's, and the networks asked again.

This checks a map from outside: it needs neither gradients nor relevance, only answers. A map is believed where the
region that it marks most is the one whose replacement moves the explained score most.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .regions import PARTS, Region, extrastriatal_regions, relevance_sum, striatal_regions

LEAST_SHARE = 0.03  # of the absolute relevance, for a region outside the striatum to count as used
MOST_EXTRASTRIATAL = 2
LEAST_MOVE = 0.5  # logits: what moves the score, or is marked, by less than this says nothing
AGREEMENT = 0.7  # of the largest move, that replacing the region marked most has to reach


# Gives for a list of scans the probabilities of "reduced" and the scores that the map explains, in logits.
Answers = Callable[[list], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class WhatIf:
    """What one replacement does.

    Attributes:
        region: whose uptake was replaced; its sides are those of the scan as the networks see it.
        probability: of "reduced" then.
        change: of that probability.
        move: of the score that the map explains, in logits; negative: the region had argued for "reduced".
        relevance: that the map has in the region, in logits.
    """

    region: Region
    probability: float
    change: float
    move: float
    relevance: float


def what_if(scan: np.ndarray, normal: np.ndarray, relevance: np.ndarray, answers: Answers) -> list[WhatIf]:
    """Every region of `striatal_regions` and those outside the striatum that the map says the networks use.

    Args:
        scan, normal, relevance: `(91, 109, 91)`, lower putamen left.
        answers: of the model, see `Answers`.
    """
    return what_if_by_map(scan, normal, {"": relevance}, answers)[""]


def what_if_by_map(
    scan: np.ndarray, normal: np.ndarray, maps: dict[str, np.ndarray], answers: Answers
) -> dict[str, list[WhatIf]]:
    """As `what_if` for several maps of one answer, each region being replaced once."""
    chosen = {name: [*striatal_regions(), *used_extrastriatal(relevance)] for name, relevance in maps.items()}
    regions = {(one.name, one.side): one for several in chosen.values() for one in several}
    probabilities, scores = answers([scan, *(healed(scan, normal, region) for region in regions.values())])
    moves = {
        key: (float(probability), float(probability - probabilities[0]), float(score - scores[0]))
        for key, probability, score in zip(regions, probabilities[1:], scores[1:], strict=True)
    }
    return {
        name: [WhatIf(one, *moves[one.name, one.side], relevance_sum(maps[name], one)) for one in several]
        for name, several in chosen.items()
    }


def healed(scan: np.ndarray, normal: np.ndarray, region: Region) -> np.ndarray:
    """The scan with the region's uptake replaced by that of `normal`, blended at the border."""
    result = scan.copy()
    inside = result[region.place]
    inside += region.weight * (normal[region.place] - inside)
    return result


def used_extrastriatal(relevance: np.ndarray) -> list[Region]:
    """Regions outside the striatum with at least `LEAST_SHARE` of the absolute relevance, the largest share first."""
    magnitude = np.abs(relevance)
    total = float(magnitude.sum(dtype=np.float64)) or 1.0
    shares = [(relevance_sum(magnitude, region) / total, region) for region in extrastriatal_regions()]
    used = sorted((one for one in shares if one[0] >= LEAST_SHARE), key=lambda one: -one[0])
    return [region for _, region in used[:MOST_EXTRASTRIATAL]]


def check_map(found: list[WhatIf]) -> tuple[bool, WhatIf, WhatIf]:
    """Whether the map fits what replacing does: (fits, the part marked most, the part whose replacing moves most).

    Only the six parts of the striata are compared, as the whole striata contain them. Where neither a mark nor a move
    reaches `LEAST_MOVE`, nothing stands against the map.
    """
    parts = [one for one in found if one.region.name in PARTS]
    marked = max(parts, key=lambda one: abs(one.relevance))
    moving = max(parts, key=lambda one: abs(one.move))
    if max(abs(marked.relevance), abs(moving.move)) < LEAST_MOVE:
        return True, marked, moving
    fits = marked.relevance * marked.move < 0 and abs(marked.move) >= AGREEMENT * abs(moving.move)
    return fits, marked, moving


def describe_what_if(found: list[WhatIf], mirrored: bool, label_of: Callable[[float], str]) -> list[dict]:
    """The entry `explanation.what_if` of `result.json`, in the patient's sides.

    Args:
        mirrored: whether the networks saw the scan mirrored.
        label_of: the answer that a probability stands for.
    """
    return [
        {
            **describe_region(one.region, mirrored),
            "probability_reduced": round(one.probability, 6),
            "change": round(one.change, 6),
            "answer": label_of(one.probability),
        }
        for one in found
    ]


def describe_region(region: Region, mirrored: bool) -> dict:
    """Name and patient's side of a region."""
    sides = {"left": "right", "right": "left"} if mirrored else {}
    return {"region": region.name, "side": sides.get(region.side, region.side)}
