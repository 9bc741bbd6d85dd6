"""Why a fit was not accepted, in words: what weighs most against it."""

import numpy as np

from .quality import INPUTS, MOST_TURN, USUAL_SHAPE, other_tracer_score, quality_inputs, quality_model
from .template import Template
from .template_fit import Fit

_CUT = 0.85  # of the brain in the field of view
_GLANDS = 0.08  # share of the points below the brain that no scan of the population explains
_NO_DAT = "its uptake is not spread like a DAT scan's"
_REASONS = {
    "turn": "the head seems turned far against what the header says: check its orientation",
    "unusual_shape": "the head would have an unusual size or shape: check the voxel size and the orientation",
    "coverage": "part of the brain lies outside the field of view",
    "other_tracer": "its uptake looks like blood flow or glucose rather than dopamine transporters",
    "disagreement": "the parts of the head do not agree on where it lies",
}


def reason_of(fit: Fit, template: Template, cut_away: bool) -> str:
    """The end of a sentence "was not accepted: ...".

    Args:
        fit: the best that was found.
        template: that was fitted.
        cut_away: the surroundings of the brain seem to be missing.
    """
    features = fit.features
    if not fit.coefficients.size:
        return "no head was found"
    if features["turn"] > MOST_TURN:
        return _REASONS["turn"]
    if features["coverage"] < _CUT:
        return _REASONS["coverage"]
    if features["unusual_shape"] > USUAL_SHAPE:
        return _REASONS["unusual_shape"]
    model = quality_model()
    inputs = quality_inputs(fit, other_tracer_score(fit, template))
    against = np.array(model["weights"]) * (inputs - np.array(model["typical"]))
    foremost = INPUTS[int(against.argmin())][0]
    if foremost in _REASONS:
        return _REASONS[foremost]
    if features["strange_below"] > _GLANDS:
        return "strong uptake below the brain, as of salivary glands, disturbs it"
    return (
        f"the surroundings of the brain were cut away (give the scan before that), and {_NO_DAT}"
        if cut_away
        else _NO_DAT
    )
