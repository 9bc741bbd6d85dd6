"""Metrics against scikit-learn, SciPy's definitions and numbers worked out by hand."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve

from DaTscanAILib.evaluation.metrics import (
    classification_metrics,
    expected_calibration_error,
    fit_platt,
    roc_auc,
    share,
    youden_cutoff,
)


@pytest.fixture
def scored():
    random = np.random.default_rng(7)
    truth = random.random(300) < 0.4
    return truth, np.round(random.normal(truth, 1.0), 1)  # rounded, so that there are ties


def test_exact_interval_of_a_share():
    """Clopper and Pearson: with no success in n the upper end is 1 - 0.025 ** (1 / n)."""
    none = share(0, 20)
    assert none.low == 0
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 20), abs=1e-9)
    assert share(3, 4).value == 0.75
    assert share(0, 0) is None


def test_metrics_of_a_known_table():
    """3 true positives, 1 false negative, 4 true negatives, 2 false positives."""
    truth = np.array([1] * 4 + [0] * 6, bool)
    answer = np.array([1, 1, 1, 0, 0, 0, 0, 0, 1, 1], bool)
    found = {name: value.value for name, value in classification_metrics(truth, answer).items()}
    assert found == {
        "accuracy": 0.7,
        "sensitivity": 0.75,
        "specificity": pytest.approx(4 / 6),
        "positive_predictive_value": 0.6,
        "negative_predictive_value": 0.8,
    }


def test_area_is_that_of_scikit_learn(scored):
    truth, score = scored
    assert roc_auc(truth, score).value == pytest.approx(roc_auc_score(truth, score), abs=1e-12)


def test_interval_of_the_area_covers_like_the_bootstrap(scored):
    truth, score = scored
    random = np.random.default_rng(0)
    picks = random.integers(0, truth.size, (400, truth.size))
    areas = [roc_auc_score(truth[pick], score[pick]) for pick in picks]
    found = roc_auc(truth, score)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * np.std(areas), rel=0.15)


@pytest.mark.parametrize(("each", "low"), [(3, 0.5010), (6, 0.6892), (100, 0.9804)])
def test_interval_of_a_perfect_area_has_a_width(each, low):
    """At 1 Newcombe's equation is (1 - A) m n = 3.84 A (1 + (n - 1) ((1 - A) / (2 - A) + A / (1 + A)))."""
    truth = np.repeat([True, False], each)
    found = roc_auc(truth, truth.astype(float))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(low, abs=1e-4)
    rest = 1 + (each - 1) * ((1 - low) / (2 - low) + low / (1 + low))
    assert (1 - low) * each**2 == pytest.approx(1.959964**2 * low * rest, rel=0.01)


def test_interval_of_the_area_is_mirror_symmetric(scored):
    truth, score = scored
    found, mirrored = roc_auc(truth, score), roc_auc(truth, -score)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_interval_of_the_area_covers_the_true_one():
    """Two normal distributions 2.5 apart: area 0.961; ten scans of each, 95 % of 400 draws (binomial: 92 to 98)."""
    random, truth = np.random.default_rng(5), np.repeat([True, False], 10)
    found = [roc_auc(truth, random.normal(2.5 * truth, 1)) for _ in range(400)]
    covered = np.mean([one.low <= norm.cdf(2.5 / 2**0.5) <= one.high for one in found])
    assert 0.92 <= covered <= 0.99


def test_one_class_has_no_area():
    assert roc_auc(np.ones(3, bool), np.arange(3)) is None


def test_youden_cutoff_is_the_best_of_all(scored):
    truth, score = scored
    false, true, _ = roc_curve(truth, score, drop_intermediate=False)
    answer = score >= youden_cutoff(truth, score)
    assert answer[truth].mean() - answer[~truth].mean() == pytest.approx((true - false).max(), abs=1e-12)


def test_cutoff_lies_in_the_middle_of_a_gap():
    assert youden_cutoff(np.array([0, 0, 1, 1], bool), np.array([1.0, 2.0, 4.0, 5.0])) == 3.0


def test_platt_scaling_is_logistic_regression_where_there_are_many_scans():
    random = np.random.default_rng(3)
    difference = random.normal(0, 4, 4000)
    labels = (random.random(4000) < 1 / (1 + np.exp(-(0.5 * difference - 1)))).astype(int)
    oracle = LogisticRegression(C=1e9).fit(difference[:, None], labels)
    slope, intercept = fit_platt(difference, labels)
    assert slope == pytest.approx(oracle.coef_[0, 0], rel=0.01)
    assert intercept == pytest.approx(oracle.intercept_[0], rel=0.01)


def test_platt_scaling_stays_finite_where_classes_are_separated():
    slope, intercept = fit_platt(np.array([-3.0, -2, 2, 3]), np.array([0, 0, 1, 1]))
    assert 0 < slope < 10
    assert abs(intercept) < 1e-3


def test_calibration_error_by_hand():
    """Two bins: 0.25 stated where none is reduced, 0.75 stated where all are."""
    truth, probability = np.array([0, 0, 1, 1], bool), np.array([0.25, 0.25, 0.75, 0.75])
    assert expected_calibration_error(truth, probability) == pytest.approx(0.25)
    assert expected_calibration_error(truth, truth.astype(float)) == 0
