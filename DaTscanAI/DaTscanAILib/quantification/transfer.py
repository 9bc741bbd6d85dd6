"""Normals of one camera made into normals of another, from scans that both have seen.

With the same people (or phantom fillings) on both cameras: a line through their values, errors in both (Deming 1943,
equal error variances), one for each nucleus. With two groups of different normals: one factor for each nucleus, the
mean of what the second camera measures over what the first camera's normals let expect at that age and sex. The
line's own uncertainty is added to the normals' spread.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from .hottest_voxels import HOTTEST_VOLUME_ML
from .measures import SIDED, measures_of_sbr
from .normals import NormalDatabase
from .site_fingerprint import SiteFingerprint

LEAST_PAIRS, LEAST_MATCHED = 8, 10


@dataclass(frozen=True)
class Conversion:
    """value of the new camera = intercept + slope * value of the old one.

    Attributes:
        uncertainty: standard error of a converted value in the middle of the normals.
        scans: that it was fitted to.
    """

    intercept: float
    slope: float
    uncertainty: float
    scans: int

    def __call__(self, value: float) -> float:
        return self.intercept + self.slope * value


def paired_conversion(old: np.ndarray, new: np.ndarray, middle: float) -> Conversion:
    """From the same people on both cameras.

    Args:
        old, new: `(people, 2)` values of both sides.
        middle: value at which the uncertainty is wanted, by leaving out one person after the other (jackknife).
    """
    slope, intercept = _deming(old.ravel(), new.ravel())
    count = len(old)
    left_out = []
    for person in range(count):
        kept = np.arange(count) != person
        part_slope, part_intercept = _deming(old[kept].ravel(), new[kept].ravel())
        left_out.append(part_intercept + part_slope * middle)
    uncertainty = math.sqrt((count - 1) / count * float(np.sum((np.array(left_out) - np.mean(left_out)) ** 2)))
    return Conversion(intercept, slope, uncertainty, count)


def matched_conversion(expected: np.ndarray, new: np.ndarray, middle: float) -> Conversion:
    """From other normals of the new camera.

    Args:
        expected: `(people,)` what the old camera's normals of that age and sex have.
        new: `(people, 2)` values of both sides on the new camera.
        middle: value at which the uncertainty is wanted.
    """
    ratio = new.mean(axis=1) / expected
    factor = float(np.median(ratio))
    deviation = 1.2533 * float(np.std(ratio, ddof=1)) / math.sqrt(len(ratio))  # of a median
    return Conversion(0.0, factor, deviation * middle, len(ratio))


def transferred(
    database: NormalDatabase,
    conversions: dict[str, Conversion],
    fingerprint: SiteFingerprint,
    name: str,
    sentence: str,
) -> NormalDatabase:
    """The normals with converted SBRs; ratios and asymmetries follow from them.

    Args:
        database: of the old camera.
        conversions: by nucleus.
        fingerprint: of the new camera.
        name: of the new database.
        sentence: what was done, for its history.
    """
    added = {nucleus: conversions[nucleus].uncertainty for nucleus in HOTTEST_VOLUME_ML}
    ratio = database.regressions["caudate"].level / database.regressions["putamen"].level
    relative = [added[part] / database.regressions[part].level for part in ("caudate", "putamen")]
    added["caudate_putamen_ratio"] = ratio * math.hypot(*relative)
    total = {key: math.hypot(value, database.added_deviation.get(key, 0.0)) for key, value in added.items()}
    cases = tuple(replace(case, values=_converted(case.values, conversions)) for case in database.cases)
    return replace(
        database,
        name=name,
        fingerprint=fingerprint,
        cases=cases,
        added_deviation={key: round(value, 5) for key, value in total.items()},
        history=(*database.history, sentence),
    )


def _converted(values, conversions):
    return measures_of_sbr(
        {key: conversions[nucleus](values[key]) for nucleus in HOTTEST_VOLUME_ML for key in SIDED[nucleus]}
    )


def _deming(x, y):
    """Slope and intercept of the line with equal errors in both."""
    xx, yy = np.var(x), np.var(y)
    xy = float(np.mean((x - x.mean()) * (y - y.mean())))
    slope = (yy - xx + math.hypot(yy - xx, 2 * xy)) / (2 * xy)
    return float(slope), float(y.mean() - slope * x.mean())
