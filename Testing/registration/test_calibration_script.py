"""The script that makes the quality's model: its logistic regression."""

import sys

import numpy as np
import pytest

from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.registration.quality import INPUTS

sys.path.insert(0, str(resource_path("Templates")))
import calibrate_registration as calibration


@pytest.fixture
def rows():
    """Inputs of 300 fits, the first of which tells good ones; a third feature of misfit seems to speak for them."""
    random = np.random.default_rng(0)
    inputs = random.standard_normal((300, len(INPUTS)))
    good = inputs[:, 0] + 0.5 * random.standard_normal(300) < 0
    inputs[:, 2] += good
    return inputs, good


def test_a_row_that_counts_three_times_is_as_good_as_three(rows):
    """Up to the standardization, which takes each row once."""
    inputs, good = rows
    counts = np.where(np.arange(300) % 5 == 0, 3.0, 1.0)
    weights, intercept = calibration.signed_logistic(inputs, good, counts)
    order = np.repeat(np.arange(300), counts.astype(int))
    repeated, at = calibration.signed_logistic(inputs[order], good[order], np.ones(len(order)))
    np.testing.assert_allclose(repeated, weights, atol=0.05)
    assert at == pytest.approx(intercept, abs=0.05)
    assert abs(weights - calibration.signed_logistic(inputs, good, np.ones(300))[0]).max() > 0.02


def test_no_weight_has_the_sign_that_its_input_may_not_have(rows):
    weights, _ = calibration.signed_logistic(*rows, np.ones(300))
    assert all(weight * sign >= 0 for weight, (*_, sign) in zip(weights, INPUTS, strict=True))
    assert weights[0] < -0.5
    assert weights[2] == pytest.approx(0, abs=1e-6)
