"""Robust regression on age and sex: known laws are found, outliers do not decide, limits hold what they say."""

import math

import numpy as np
import pytest
from scipy.stats import norm, t

from DaTscanAILib.quantification.age_regression import fit_age_regression, huber_deviation


def drawn(random, count, slope=-0.02, offset=0.2, deviation=0.3):
    ages = random.uniform(40, 90, count)
    sexes = ["FM"[k % 2] for k in range(count)]
    codes = np.array([0.5 if sex == "F" else -0.5 for sex in sexes])
    return 3 + slope * (ages - 65) + offset * codes + random.normal(0, deviation, count), ages, sexes


def test_a_known_law_is_found():
    values, ages, sexes = drawn(np.random.default_rng(1), 4000)
    fit = fit_age_regression(values, ages, sexes)
    assert fit.slope_per_year == pytest.approx(-0.02, abs=0.001)
    assert fit.women_minus_men == pytest.approx(0.2, abs=0.03)
    assert fit.deviation == pytest.approx(0.3, rel=0.03)
    assert fit.expected(80, "F").mean == pytest.approx(3 - 0.3 + 0.1, abs=0.03)


def test_outliers_do_not_decide():
    """Three patients among thirty normals: least squares would widen the deviation by more than a half."""
    random = np.random.default_rng(2)
    ratios, plain = [], []
    for _ in range(40):
        values, ages, sexes = drawn(random, 30)
        values[:3] -= 1.5
        fit = fit_age_regression(values, ages, sexes)
        ratios.append(fit.deviation / 0.3)
        plain.append(np.std(values - np.polyval(np.polyfit(ages, values, 1), ages)) / 0.3)
    assert np.mean(plain) > 1.6
    assert np.mean(ratios) < 1.35


def test_the_deviation_is_right_for_normal_residuals():
    left_over = np.random.default_rng(3).normal(0, 2.0, 20000)
    assert huber_deviation(left_over) == pytest.approx(2.0, rel=0.02)
    assert huber_deviation(left_over * 5) == pytest.approx(5 * huber_deviation(left_over), rel=1e-5)
    assert huber_deviation(np.zeros(5)) == 0.0


@pytest.mark.parametrize("percent", [90, 97])
def test_limits_hold_their_share_of_new_normals_even_for_few(percent):
    random = np.random.default_rng(percent)
    inside = []
    for _ in range(300):
        values, ages, sexes = drawn(random, 21)
        fit = fit_age_regression(values[:20], ages[:20], sexes[:20])
        low, high = fit.expected(ages[20], sexes[20]).limits(percent)
        inside.append(low <= values[20] <= high)
    assert np.mean(inside) == pytest.approx(percent / 100, abs=0.04)


def test_a_few_women_carry_no_offset_and_many_carry_theirs():
    random = np.random.default_rng(5)
    offsets = {}
    for women in (2, 4, 200):
        sexes = ["F"] * women + ["M"] * 200
        values = 3 + np.array([0.3 if sex == "F" else 0.0 for sex in sexes]) + random.normal(0, 0.01, len(sexes))
        noisy = values + random.normal(0, 0.45, len(sexes))
        offsets[women] = (fit_age_regression(values, None, sexes).women_minus_men, noisy, sexes)
    assert offsets[2][0] == 0.0
    assert offsets[200][0] == pytest.approx(0.3, abs=0.01)
    # The weight of the evidence: 0.3^2 of prior against 0.45^2 (1/4 + 1/200) of uncertainty leaves two thirds.
    _, noisy, sexes = offsets[4]
    raw = noisy[:4].mean() - noisy[4:].mean()
    assert abs(fit_age_regression(noisy, None, sexes).women_minus_men) < 0.9 * abs(raw)


def test_sides_share_a_line_and_percentiles_follow_z():
    random = np.random.default_rng(6)
    values, ages, sexes = drawn(random, 60)
    sides = values[:, None] + random.normal(0, 0.05, (60, 2))
    expected = fit_age_regression(sides, ages, sexes).expected(65, None)
    assert expected.percentile(expected.mean) == pytest.approx(50)
    assert expected.z(expected.mean - 2 * expected.deviation) == pytest.approx(norm.ppf(t.cdf(-2, expected.degrees)))
    assert expected.z(expected.mean + 2 * expected.deviation) == pytest.approx(norm.ppf(t.cdf(2, expected.degrees)))
    low, high = expected.limits(90)
    assert expected.percentile(low) == pytest.approx(5)
    assert expected.percentile(high) == pytest.approx(95)
    assert expected.z(low) == pytest.approx(-1.645, abs=1e-3)


@pytest.mark.parametrize(("scans", "logarithmic"), [(20, True), (30, True), (60, True), (30, False)])
def test_of_new_normals_5_percent_lie_below_the_limit_however_many_made_it(scans, logarithmic):
    """Residuals that are normal, on the measure's own scale or on that of its logarithm."""
    random = np.random.default_rng(scans)
    z = []
    for _ in range(500):
        values, ages, sexes = drawn(random, scans + 20, slope=-0.006, offset=0.08, deviation=0.2)
        values = np.exp(values - 3) if logarithmic else values
        fit = fit_age_regression(values[:scans], ages[:scans], sexes[:scans], logarithmic)
        new = zip(values[scans:], ages[scans:], sexes[scans:], strict=True)
        z += [fit.expected(age, sex).z(value) for value, age, sex in new]
    z = np.array(z)
    assert (z < -1.645).mean() == pytest.approx(0.05, abs=0.007)
    assert (z < -1.96).mean() == pytest.approx(0.025, abs=0.005)
    assert (z > 1.645).mean() == pytest.approx(0.05, abs=0.007)
    assert z.mean() == pytest.approx(0, abs=0.03)
    assert z.std() == pytest.approx(1, abs=0.03)


def test_light_tails_do_not_widen_the_limits():
    """Huber's own scale would be a tenth too wide where nobody is far off, and leave 2 % below."""
    random = np.random.default_rng(9)
    below, ratios = [], []
    for _ in range(300):
        ages, values = random.uniform(45, 85, 50), random.uniform(-1, 1, 50) + 3
        fit = fit_age_regression(values[:30], ages[:30])
        ratios.append(fit.deviation * math.sqrt(3))
        new = zip(values[30:], ages[30:], strict=True)
        below += [fit.expected(age, None).z(value) < -1.645 for value, age in new]
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)
    assert np.mean(below) > 0.03


def test_who_is_far_off_is_left_out_and_counted():
    random = np.random.default_rng(10)
    values, ages, sexes = drawn(random, 30)
    alone = fit_age_regression(values[3:], ages[3:], sexes[3:])
    values[:3] -= 3.0
    fit = fit_age_regression(values, ages, sexes)
    assert (fit.left_out, fit.scans) == (3, 27)
    assert fit.deviation == pytest.approx(alone.deviation, rel=0.01)
    assert fit.expected(65, "F").mean == pytest.approx(alone.expected(65, "F").mean, rel=0.002)


def test_equal_ages_and_equal_values_are_no_trouble():
    fit = fit_age_regression(np.random.default_rng(11).normal(3, 0.3, 20), np.full(20, 60.0), ["F", "M"] * 10)
    assert fit.slope_per_year == 0.0
    assert fit.deviation > 0
    assert fit_age_regression(np.full(20, 2.0)).scans == 20


def test_of_what_multiplies_the_logarithm_has_the_right_limits():
    """On a straight scale hardly a normal lies below the lower limit, and too many above the upper one."""
    random = np.random.default_rng(7)
    below = {True: [], False: []}
    for _ in range(80):
        values, ages, sexes = drawn(random, 50, slope=-0.006, offset=0.08, deviation=0.2)
        values = np.exp(values - 3)
        for logarithmic, found in below.items():
            fit = fit_age_regression(values[:30], ages[:30], sexes[:30], logarithmic)
            expected = [fit.expected(age, sex) for age, sex in zip(ages[30:], sexes[30:], strict=True)]
            found += [one.z(value) < -1.645 for one, value in zip(expected, values[30:], strict=True)]
    assert np.mean(below[True]) == pytest.approx(0.055, abs=0.02)
    assert np.mean(below[False]) < 0.7 * np.mean(below[True])


def test_limits_of_the_logarithm_go_by_factors_and_never_below_nothing():
    random = np.random.default_rng(8)
    values, ages, sexes = drawn(random, 60)
    fit = fit_age_regression(np.exp(values), ages, sexes, logarithmic=True)
    expected = fit.expected(65, "F")
    low, high = expected.limits(90)
    assert low * high == pytest.approx(expected.mean**2)
    assert expected.percentile(low) == pytest.approx(5)
    assert expected.z(-0.2) == expected.z(0.0) < -5
    assert expected.widened(0.3 * expected.mean).deviation == pytest.approx(np.hypot(expected.deviation, 0.3))
    assert fit.level == pytest.approx(np.exp(3), rel=0.1)
