"""The quality of a fit: signs, limits, the features it rests on, the reason of a refusal."""

from itertools import pairwise

import numpy as np
import pytest

from DaTscanAILib.registration.fit_features import LOST_FEATURES, trust
from DaTscanAILib.registration.parameters import PRIOR_MEAN, parameters_from_affine
from DaTscanAILib.registration.quality import INPUTS, limits_factor, quality_model, quality_of
from DaTscanAILib.registration.reasons import reason_of
from DaTscanAILib.registration.smooth_scan import SmoothScan, center_of_head
from DaTscanAILib.registration.template import load_template
from DaTscanAILib.registration.template_fit import Fit, TemplateFitter
from DaTscanAILib.simulation.simulator import Settings, simulate_scan

GOOD = {
    "coverage": 1.0,
    "unexplained": 0.03,
    "residual": 0.05,
    "strange": 0.0,
    "strange_below": 0.0,
    "unusual_pattern": 0.8,
    "largest_component": 2.2,
    "unusual_shape": 0.7,
    "turn": 0.8,
    "disagreement": 0.2,
}


def fit_with(**features):
    size = len(quality_model()["other_tracer"]["weights"])
    return Fit(PRIOR_MEAN, np.zeros(size), {**GOOD, **features})


def test_a_misfit_never_speaks_for_a_fit():
    """Two weights had the wrong sign once: a larger residual raised the quality."""
    weights = dict(zip((name for name, *_ in INPUTS), quality_model()["weights"], strict=True))
    assert quality_model()["inputs"] == [name for name, *_ in INPUTS]
    assert all(weights[name] * sign >= 0 for name, _, _, sign in INPUTS)
    assert sum(weight != 0 for weight in weights.values()) >= 7


@pytest.mark.parametrize("name", ["unexplained", "unusual_pattern", "disagreement", "unusual_shape"])
def test_the_quality_falls_with_each_misfit(name):
    template = load_template()
    qualities = [quality_of(fit_with(**{name: factor * GOOD[name]}), template) for factor in (1, 2, 4, 8)]
    assert all(first > second for first, second in pairwise(qualities))
    assert qualities[0] > 0.9


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"coverage": 0.7}, "outside the field of view"),
        ({"turn": 5.0}, "turned far"),
        ({"unusual_shape": 9.0}, "voxel size"),
        ({"unexplained": 1.0, "residual": 0.6, "strange_below": 0.3}, "salivary glands"),
        ({"unexplained": 1.0, "residual": 0.6}, "not spread like a DAT scan's"),
    ],
)
def test_the_reason_names_what_weighs_most(features, words):
    assert words in reason_of(fit_with(**features), load_template(), cut_away=False)


@pytest.mark.parametrize(("shape", "factor"), [(0.7, 1), (2.5, 1), (2.75, 0.5), (3.0, 0), (9.0, 0)])
def test_a_shape_that_no_head_has_is_refused_whatever_the_rest_says(shape, factor):
    """A scan whose slices were stated 1 mm apart in place of 3.5 fits perfectly otherwise, and was accepted once."""
    assert limits_factor(fit_with(unusual_shape=shape)) == pytest.approx(factor)
    assert (quality_of(fit_with(unusual_shape=shape), load_template()) > 0) == (factor > 0)


def test_a_lost_fit_says_so():
    lost = Fit(PRIOR_MEAN, np.zeros(0), dict(LOST_FEATURES))
    assert reason_of(lost, load_template(), cut_away=False) == "no head was found"
    assert quality_of(lost, load_template()) == 0


def test_trust_is_cauchys_with_the_robust_scale():
    """Residuals of a normal distribution keep their weight, one of 3 standard deviations has half of it."""
    residual = np.random.default_rng(1).normal(0, 2.0, 20_001)
    residual[0] = 6.0
    found = trust(residual, np.ones(residual.size), np.ones(residual.size, bool))
    assert found[0] == pytest.approx(0.5, abs=0.02)
    assert np.median(found) > 0.9


def test_the_features_are_those_of_the_final_affine():
    """Scan sampled before the last step and coefficients after it were mixed once."""
    scan = simulate_scan(700_003, Settings(families=("osem",), pose="moderate", field="camera"))
    template = load_template()
    smooth = SmoothScan(scan.voxels, scan.affine).smoothed(template.fwhm)
    fitter = TemplateFitter(smooth, template)
    start = np.concatenate([center_of_head(smooth.smoothed(12.0, every=2)), PRIOR_MEAN[3:]])
    fit = fitter.fit(start)
    held = fitter.held(fit.parameters)
    for name, value in fit.features.items():
        assert held.features[name] == pytest.approx(value, rel=2e-3, abs=1e-4), name
    values, _, inside = smooth.sample(fit.scanner_from_mni, template.points, margin=0.9 * template.fwhm)
    model = template.basis @ np.array([1.0, *fit.coefficients], np.float32)
    weight = template.weight * inside
    gain = (weight * model) @ values / ((weight * model) @ model)
    residual = values / gain - model
    robust = weight * trust(residual, weight, inside)
    by_hand = np.sqrt((robust * residual**2).sum() / robust.sum())
    assert fit.features["residual"] == pytest.approx(by_hand, rel=0.02)


def test_fewer_steps_leave_other_features():
    """The held fit of another affine differs, so that the agreement above means something."""
    scan = simulate_scan(700_003, Settings(families=("osem",), pose="moderate", field="camera"))
    template = load_template()
    fitter = TemplateFitter(SmoothScan(scan.voxels, scan.affine).smoothed(template.fwhm), template)
    parameters = parameters_from_affine(scan.pose.scanner_from_mni)
    moved = parameters + np.array([8.0, 0, 0, *[0.0] * 9])
    assert fitter.held(moved).features["unexplained"] > 1.5 * fitter.held(parameters).features["unexplained"]
