"""A measure of normal scans against age and sex: robust regression, prediction limits, z-scores.

value = mean + slope (age - middle age) + offset * sex, with sex +1/2 for women, -1/2 for men, 0 where not known.
Residuals are weighted as Huber proposed, with his second proposal's scale, so that a patient or two among the
normals do not decide (Huber 1964, Ann Math Stat 35:73; Huber and Ronchetti 2009, chapter 7). The offset of the sexes
is shrunk towards none by its own uncertainty: small groups cannot carry one.

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
    degrees: int
    logarithmic: bool = False

    def z(self, value: float) -> float:
        """How many standard deviations a value lies above the mean."""
        if self.logarithmic:
            return math.log(max(value / self.mean, _FLOOR)) / self.deviation
        return (value - self.mean) / self.deviation

    def percentile(self, value: float) -> float:
        """Share of normal scans below a value, percent (Student's t: the deviation is an estimate)."""
        from scipy.stats import t

        return float(100 * t.cdf(self.z(value), self.degrees))

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
        degrees: degrees of freedom of `deviation`.
        age_spread: sum of the squared distances of the ages from the middle one, years squared.
        logarithmic: whether the line is that of the logarithm.
    """

    mean: float
    slope_per_year: float
    women_minus_men: float
    middle_age: float | None
    deviation: float
    scans: int
    degrees: int
    age_spread: float
    logarithmic: bool = False

    @property
    def level(self) -> float:
        """What is expected at the middle age, between women and men, in the measure's units."""
        return math.exp(self.mean) if self.logarithmic else self.mean

    def expected(self, age: float | None, sex: str | None) -> Expected:
        """Of a person; an age that is not known is the middle one, a sex that is not known lies between."""
        years = 0.0 if self.middle_age is None or age is None else age - self.middle_age
        mean = self.mean + self.slope_per_year * years + self.women_minus_men * sex_code(sex)
        leverage = 1 / self.scans + (years**2 / self.age_spread if self.age_spread else 0.0)
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
    years = np.zeros(len(sides)) if ages is None else np.asarray(ages, float) - middle_age
    codes = np.array([sex_code(sex) for sex in sexes or [None] * len(sides)])
    with_sex = min((codes > 0).sum(), (codes < 0).sum()) >= _LEAST_OF_A_SEX
    columns = [np.ones(len(sides)), *([years] if ages is not None else []), *([codes] if with_sex else [])]
    design = np.column_stack(columns)
    coefficients, scale = _huber_line(design, sides.mean(axis=1))
    offset = _shrunk(coefficients, scale, codes, logarithmic) if with_sex else 0.0
    slope = float(coefficients[1]) if ages is not None else 0.0
    mean = float(coefficients[0])
    left_over = sides - (mean + slope * years + offset * codes)[:, None]
    degrees = len(sides) - design.shape[1]
    return AgeRegression(
        mean=mean,
        slope_per_year=slope,
        women_minus_men=offset,
        middle_age=middle_age,
        deviation=huber_deviation(left_over, degrees / len(sides)),
        scans=len(sides),
        degrees=degrees,
        age_spread=float((years**2).sum()),
        logarithmic=logarithmic,
    )


def sex_code(sex: str | None) -> float:
    """+1/2 for women, -1/2 for men, 0 where not known."""
    return {"F": 0.5, "M": -0.5}.get(sex, 0.0)


def huber_deviation(left_over: np.ndarray, share_free: float = 1.0) -> float:
    """Standard deviation by Huber's second proposal: right for normal residuals, hardly moved by a few others.

    Args:
        left_over: residuals, any shape.
        share_free: degrees of freedom over the number of values.
    """
    target = share_free * _mean_square_of_clipped_normal()
    deviation = float(np.sqrt(np.mean(left_over**2) / share_free))
    for _ in range(_ROUNDS if deviation > 0 else 0):
        clipped = np.clip(left_over / deviation, -_HUBER, _HUBER)
        factor = math.sqrt(float(np.mean(clipped**2)) / target)
        deviation *= factor
        if abs(factor - 1) < _CONVERGED:
            break
    return deviation


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


def _shrunk(coefficients, deviation, codes, logarithmic):
    """The offset of the sexes by the weight of its evidence: prior none, give or take `_SEX_SPREAD` of the mean."""
    uncertainty = deviation**2 * (1 / (codes > 0).sum() + 1 / (codes < 0).sum())
    prior = (_SEX_SPREAD * (1.0 if logarithmic else coefficients[0])) ** 2
    return float(coefficients[-1] * prior / (prior + uncertainty)) if prior else 0.0


def _mean_square_of_clipped_normal():
    """E min(|Z|, k)^2 of a standard normal Z."""
    density = math.exp(-(_HUBER**2) / 2) / math.sqrt(2 * math.pi)
    inside = math.erf(_HUBER / math.sqrt(2))
    return inside - 2 * _HUBER * density + _HUBER**2 * (1 - inside)
