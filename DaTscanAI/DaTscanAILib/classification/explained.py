"""The part `explanation` of `result.json`."""

import numpy as np

from ..explanation.lower_putamen import argument, lower_putamen_relevance
from ..explanation.methods import DEFAULT_METHOD
from ..explanation.what_if import check_map, describe_region, describe_what_if
from ..quantification.mirroring import ipsilateral_left
from .answer import Classification
from .model_folder import Model

INCONSISTENT = (
    "The map marks another region than the one whose normal uptake would change the answer most: judge the scan "
    "itself before you trust the map."
)
AGAINST = (
    "The relevance of the lower putamen lies on the other side of the model's cut than the answer: judge the scan "
    "itself, and what normal uptake of each region would change, before you trust the map."
)
NOT_EXPLAINED = {
    "ipsilateral_putamen_relevance": None,
    "consistent": None,
    "reference": None,
    "what_if": None,
}


def map_warnings(explanation: dict, label: str) -> list[str]:
    """What warns of a map: a region marked in vain, and a lower putamen on the other side of the cut than the answer.

    The latter where the model has a cut for this kind of map, and the answer is a certain one.

    Args:
        explanation: of `describe_explanation`.
        label: the answer.
    """
    found = [INCONSISTENT] if explanation["consistent"] is False else []
    relevance, cut = explanation["ipsilateral_putamen_relevance"], explanation.get("relevance_cut")
    judged = cut and relevance is not None and label in ("normal", "reduced")
    return [*found, AGAINST] if judged and (relevance > cut) != (label == "reduced") else found


def described_maps(
    classification: Classification, model: Model, mirrored: bool
) -> dict[str, tuple[np.ndarray, dict]]:
    """By method the map, in the patient's orientation, and what it says; arguments as of `describe_explanation`."""
    answers = {one: classification.by(one) for one in classification.other_maps}
    answers[classification.map_method] = classification
    return {
        method: (
            ipsilateral_left(one.relevance, mirrored),
            describe_explanation(one, model, mirrored),
        )
        for method, one in answers.items()
    }


def describe_explanation(classification: Classification, model: Model, mirrored: bool) -> dict:
    """What the map says, and whether replacing regions bears it out.

    Args:
        mirrored: whether the lower putamen, left in the map, is the patient's right.
    """
    mean, share = lower_putamen_relevance(classification.relevance)
    learned = classification.map_method == DEFAULT_METHOD  # of the other one neither cut nor band
    cut, band = (model.rule.relevance_cut, model.rule.relevance_band) if learned else (0.0, None)
    consistent, marked, moving = check_map(classification.what_if)
    return {
        "ipsilateral_putamen_relevance": mean,
        "ipsilateral_putamen_share": share,
        "relevance_cut": cut,
        "relevance_band": None if band is None else list(band),
        "lower_putamen_argues": argument(mean, cut, band),
        "consistent": consistent,
        "marked_most": describe_region(marked.region, mirrored),
        "moving_most": describe_region(moving.region, mirrored),
        "map": classification.map_method,
        "map_agreement": classification.map_agreement,
        "reference": model.reference.describe(),
        "what_if": describe_what_if(classification.what_if, mirrored, model.rule.label_of),
    }
