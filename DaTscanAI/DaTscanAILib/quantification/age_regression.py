"""A measure of normal scans against age and sex: robust regression, prediction limits, z-scores.

value = mean + slope (age - middle age) + offset * sex, with sex +1/2 for women, -1/2 for men, 0 where not known.
Residuals are first weighted as Huber proposed, with his second proposal's scale (Huber 1964, Ann Math Stat 35:73;
Huber and Ronchetti 2009, chapter 7), and scans that lie far off that line are left out, so that a patient or two
among the normals do not decide. Those that stay are fitted by least squares: Huber's scale is too wide where tails
are light. The offset of the sexes is shrunk towards none by its own uncertainty: small groups cannot carry one.

A z-score is the standard normal deviate of a new scan's place among normals: the residual over its standard deviation
as a new scan, coefficients' uncertainty included, follows Student's t, and z is the normal deviate of the same
percentile. So 5 % of new normals lie below -1.645 whatever the number of normals is that the line was fitted to.

What people's binding, head and camera do to an SBR multiplies, so SBRs of normal people are skewed to high values and
the limits of a straight scale lie too low: less than 5 % of normals fall below them (`Resources/Documentation/
normals.md` has the figures). Their logarithm is not skewed; measures that are fitted with `logarithmic` have all of
the above of it.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

_HUBER = 1.345  # 95 % efficiency where the residuals are normal
# Standard deviation, as a share of the mean, of what women's and men's true values may differ by before anything has
# been seen: published differences run from none to 14 % (Schmitz-Steinkrueger 2021, MIDAT).
_SEX_SPREAD = 0.10
_LEAST_OF_A_SEX = 3
# A value below this share of the expected one counts as that: where nothing binds a logarithm has no end.
_FLOOR = 0.05
# Deviations of Huber's scale from which on a scan is no normal of this camera: of twenty normal ones hardly one.
_FAR_OFF = 3.5
_LEAST_PROBABILITY = 1e-300  # below which floating-point numbers end; z = -37
_ROUNDS, _CONVERGED = 100, 1e-7
LIMITS_PERCENT = (90, 97)


@dataclass(frozen=True)
class Expected:
    """What normals of an age and sex have.

    Attributes:
        mean: expected value; of a logarithmic measure the median, which half of the normals lie above.
        deviation: standard deviation of a new normal scan about it, the regression's own uncertainty included; of
            the natural logarithm for a logarithmic measure.
        degrees: degrees of freedom of `deviation`.
        logarithmic: whether z-scores and limits are those of the logarithm.
    """

    mean: float
    deviation: float
    degrees: float
    logarithmic: bool = False

    def z(self, value: float) -> float:
        """Standard normal deviate with as many normal scans below it as below a value."""
        from scipy.special import ndtri, stdtr

        if self.logarithmic:
            deviations = math.log(max(value / self.mean, _FLOOR)) / self.deviation
        else:
            deviations = (value - self.mean) / self.deviation
        beyond = max(float(stdtr(self.degrees, -abs(deviations))), _LEAST_PROBABILITY)
        return math.copysign(float(ndtri(beyond)), deviations)

    def percentile(self, value: float) -> float:
        """Share of normal scans below a value, percent."""
        from scipy.special import ndtr

        return float(100 * ndtr(self.z(value)))

    def limits(self, percent: float) -> tuple[float, float]:
        """Lower and upper end of the interval that holds this share of normal scans."""
        from scipy.stats import t

        reach = float(t.ppf(0.5 + percent / 200, self.degrees)) * self.deviation
        if self.logarithmic:
            return self.mean * math.exp(-reach), self.mean * math.exp(reach)
        return self.mean - reach, self.mean + reach

    def widened(self, added: float) -> "Expected":
        """With more spread: `added` is a standard deviation in the measure's units."""
        share = added / self.mean if self.logarithmic else added
        return replace(self, deviation=math.hypot(self.deviation, share))


@dataclass(frozen=True)
class AgeRegression:
    """A fitted line, of the natural logarithm for a logarithmic measure.

    Attributes:
        mean: at the middle age, between women and men.
        slope_per_year: change with age; 0 where ages are not known.
        women_minus_men: shrunk offset; 0 where a sex is hardly there.
        middle_age: years; None where ages are not known.
        deviation: standard deviation of single values about the line.
        scans: that the line was fitted to.
        left_out: scans that lie too far off the others.
        degrees: degrees of freedom of `deviation`.
        uncertainty: `(3, 3)` covariance of mean, slope and offset over `deviation` squared.
        logarithmic: whether the line is that of the logarithm.
    """

    mean: float
    slope_per_year: float
    women_minus_men: float
    middle_age: float | None
    deviation: float
    scans: int
    left_out: int
    degrees: float
    uncertainty: tuple[tuple[float, ...], ...]
    logarithmic: bool = False

    @property
    def level(self) -> float:
        """What is expected at the middle age, between women and men, in the measure's units."""
        return math.exp(self.mean) if self.logarithmic else self.mean

    def expected(self, age: float | None, sex: str | None) -> Expected:
        """Of a person; an age that is not known is the middle one, a sex that is not known lies between."""
        years = 0.0 if self.middle_age is None or age is None else age - self.middle_age
        mean = self.mean + self.slope_per_year * years + self.women_minus_men * sex_code(sex)
        place = np.array([1.0, years, sex_code(sex)])
        leverage = float(place @ np.array(self.uncertainty) @ place)
        mean = math.exp(mean) if self.logarithmic else mean
        return Expected(mean, self.deviation * math.sqrt(1 + leverage), self.degrees, self.logarithmic)


def fit_age_regression(
    values: np.ndarray,
    ages: np.ndarray | None = None,
    sexes: list[str | None] | None = None,
    logarithmic: bool = False,
) -> AgeRegression:
    """Fit a measure of normal scans.

    Args:
        values: `(scans,)` or, for a measure of both sides, `(scans, 2)`: the line is that of their mean, the
            deviation that of single sides.
        ages: `(scans,)` years; None leaves age out.
        sexes: `F`, `M` or None for each; None leaves sex out.
        logarithmic: fit the values' natural logarithm.
    """
    sides = np.asarray(values, float).reshape(len(values), -1)
    if logarithmic:
        sides = np.log(np.maximum(sides, _FLOOR * np.median(sides)))
    middle_age = None if ages is None else float(np.mean(ages))
    design, used = _design(len(sides), None if ages is None else np.asarray(ages, float) - middle_age, sexes)
    kept, scale = _near_line(design, sides.mean(axis=1))
    prior = _SEX_SPREAD if logarithmic else _SEX_SPREAD * float(np.mean(sides))
    shrinking = np.array([0.0, 0.0, (scale / prior) ** 2 if prior else 0.0])[used]
    found, covariance, degrees = _shrunk_line(design[kept], sides[kept].mean(axis=1), shrinking)
    coefficients, uncertainty = np.zeros(3), np.zeros((3, 3))
    coefficients[used], uncertainty[np.ix_(used, used)] = found, covariance
    left_over = sides[kept] - (design[kept] @ found)[:, None]
    return AgeRegression(
        *coefficients.tolist(),
        middle_age=middle_age,
        deviation=math.sqrt(float((left_over**2).mean()) * len(left_over) / degrees),
        scans=int(kept.sum()),
        left_out=int((~kept).sum()),
        degrees=degrees,
        uncertainty=tuple(map(tuple, uncertainty.tolist())),
        logarithmic=logarithmic,
    )


def _design(count, years, sexes):
    """One, years and sex of each scan, `(scans, columns)`, without those that cannot be fitted; which are there."""
    codes = np.array([sex_code(sex) for sex in sexes or [None] * count])
    with_sex = min((codes > 0).sum(), (codes < 0).sum()) >= _LEAST_OF_A_SEX
    used = np.array([True, years is not None, with_sex])
    columns = [np.ones(count), np.zeros(count) if years is None else years, codes]
    return np.column_stack(columns)[:, used], used


def sex_code(sex: str | None) -> float:
    """+1/2 for women, -1/2 for men, 0 where not known."""
    return {"F": 0.5, "M": -0.5}.get(sex, 0.0)


def huber_deviation(left_over: np.ndarray, share_free: float = 1.0) -> float:
    """Standard deviation by Huber's second proposal: right for normal residuals, hardly moved by a few others.

    Args:
        left_over: residuals, any shape.
        share_free: degrees of freedom over the number of values.
    """
    target, deviation = _mean_square_of_clipped_normal(), float(np.sqrt(np.mean(left_over**2)))
    for _ in range(_ROUNDS if deviation > 0 else 0):
        clipped = np.clip(left_over / deviation, -_HUBER, _HUBER)
        factor = math.sqrt(float(np.mean(clipped**2)) / target)
        deviation *= factor
        if abs(factor - 1) < _CONVERGED:
            break
    # Not the target: the fit made residuals smaller, and they would be clipped too late, 7 % too wide for 20 scans.
    return deviation / math.sqrt(share_free)


def _near_line(design, values):
    """Which scans are not far off the robust line, `(scans,)` bool, and the deviation of these."""
    coefficients, deviation = _huber_line(design, values)
    left_over = np.abs(values - design @ coefficients)
    kept = (left_over <= _FAR_OFF * deviation) | (deviation == 0)
    degrees = max(int(kept.sum()) - design.shape[1], 1)
    return kept, math.sqrt(float((left_over[kept] ** 2).sum()) / degrees)


def _shrunk_line(design, values, shrinking):
    """Coefficients of least squares with some drawn to 0, their covariance over the residuals' and the degrees left.

    `shrinking` is the residuals' variance over that which a coefficient has before anything is seen: the weight of
    the evidence decides (a normal prior's posterior mean and covariance).
    """
    covariance = np.linalg.pinv(design.T @ design + np.diag(shrinking), hermitian=True)
    used_up = float(np.trace(design @ covariance @ design.T))
    return covariance @ (design.T @ values), covariance, len(values) - used_up


def _huber_line(design, values):
    """Coefficients and residual deviation by iteratively reweighted least squares."""
    weights = np.ones(len(values))
    share_free = 1 - design.shape[1] / len(values)
    for _ in range(_ROUNDS):
        root = np.sqrt(weights)
        coefficients, *_ = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)
        left_over = values - design @ coefficients
        deviation = huber_deviation(left_over, share_free)
        former, size = weights, np.abs(left_over)
        weights = np.minimum(1.0, _HUBER * deviation / np.maximum(size, 1e-12)) if deviation else weights
        if np.abs(weights - former).max() < _CONVERGED:
            break
    return coefficients, deviation


def _mean_square_of_clipped_normal():
    """E min(|Z|, k)^2 of a standard normal Z."""
    density = math.exp(-(_HUBER**2) / 2) / math.sqrt(2 * math.pi)
    inside = math.erf(_HUBER / math.sqrt(2))
    return inside - 2 * _HUBER * density + _HUBER**2 * (1 - inside)
