"""How far a fit can be trusted: a logistic model of its features."""

import json
from functools import lru_cache

import numpy as np

from ..base.resources import resource_path
from .template import Template, load_template
from .template_fit import Fit

ACCEPTED_FROM = 0.5
SURE_FROM = 0.8  # below it a person is asked to look, and other starts are tried
GOOD_ERROR = 4.0  # mm, mean over `LANDMARKS`
MOST_TURN = 4.0  # standard deviations of 15 degrees
# Standard deviations of sizes and shears. Of the good fits that the calibration was made of none lies above 2.5, of
# the far ones a third (counted by a loop); slices stated 1 mm apart in place of 3.5, which no calibration holds, lie
# at 9 and fit perfectly otherwise.
USUAL_SHAPE, MOST_SHAPE = 2.5, 3.0
TYPICAL_TRACER_SCORE = -2.2  # of DAT scans

# The model's inputs in their order: (feature, useful range, logarithm?, sign that its weight may have). A feature
# that tells of misfit must never speak for a fit, whatever a calibration's scans say.
INPUTS = (
    ("unexplained", (0.01, 3), True, -1),
    ("residual", (0.03, 2), True, -1),
    ("strange", (0.0, 0.3), False, -1),
    ("strange_below", (0.0, 0.5), False, -1),
    ("unusual_pattern", (0.4, 10), True, -1),
    ("largest_component", (1.5, 30), True, -1),
    ("unusual_shape", (0.4, 20), True, -1),
    ("turn", (1, 6), False, -1),
    ("disagreement", (0.05, 30), True, -1),
    ("coverage", (0.6, 1), False, 1),
    ("other_tracer", (-6, 6), False, -1),
)


def quality_of(fit: Fit, template: Template) -> float:
    """Logistic model of a fit's features, made by `Resources/Templates/calibrate_registration.py`.

    A brain of which less than 70 % is in the field of view is never accepted, whatever the rest of it looks like, nor
    is a head turned by more than 60 degrees against the header, nor a shape that no head has. A header that runs back
    to front, or that exchanges two axes, looks like a turn of 180 or 90 degrees, as brains are nearly symmetric, but
    exchanges left and right.
    """
    model = quality_model()
    inputs = quality_inputs(fit, other_tracer_score(fit, template))
    score = model["intercept"] + float(np.dot(model["weights"], inputs))
    probability = 1 / (1 + np.exp(-np.clip(score, -60, 60)))
    return float(probability * limits_factor(fit))


def quality_inputs(fit: Fit, other_tracer: float) -> np.ndarray:
    """The logistic model's inputs, each within its useful range."""
    features = {**fit.features, "other_tracer": other_tracer}
    clipped = [np.clip(features[name], *limits) for name, limits, _, _ in INPUTS]
    logarithms = [logarithm for _, _, logarithm, _ in INPUTS]
    return np.array([np.log(x) if of_logarithm else x for x, of_logarithm in zip(clipped, logarithms, strict=True)])


def other_tracer_score(fit: Fit, template: Template) -> float:
    """How much the components look like other tracers and other images (positive) rather than DAT (negative)."""
    direction = np.asarray(quality_model()["other_tracer"]["weights"])
    if fit.coefficients.size != direction.size:  # a lost fit
        return 0.0
    if template is not load_template():  # its components have another order
        return TYPICAL_TRACER_SCORE
    return float(direction @ np.clip(fit.coefficients, -10, 10) + quality_model()["other_tracer"]["intercept"])


def limits_factor(fit: Fit) -> float:
    """0 for what no head's fit may be, 1 for the usual, between them in proportion.

    0 for 60 % of the brain in the field of view, 1 from 80 %; 0 for a head turned by more than `MOST_TURN`; 0 for a
    shape from `MOST_SHAPE` on, 1 up to `USUAL_SHAPE`.
    """
    if fit.features["turn"] > MOST_TURN:
        return 0.0
    covered = (fit.features["coverage"] - 0.6) / 0.2
    shaped = (MOST_SHAPE - fit.features["unusual_shape"]) / (MOST_SHAPE - USUAL_SHAPE)
    return float(np.clip(covered, 0, 1) * np.clip(shaped, 0, 1))


@lru_cache(maxsize=1)
def quality_model() -> dict:
    """`registration_quality.json`: weights and intercept, typical inputs of good fits, the tracer's direction."""
    return json.loads(resource_path("Templates", "registration_quality.json").read_text())
