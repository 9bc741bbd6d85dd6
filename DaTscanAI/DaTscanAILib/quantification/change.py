"""The change of a person's SBRs between two scans, and whether it is more than a repeated scan differs by.

Two limits are given, each of which 95 % of repeated scans without any change stay within (Bland and Altman 1986):
that of the measurement alone (counts, position, registration: the same simulated person scanned twice), and that of
people, published by Booij 1998, which holds what differs in a person from week to week too. Only a change beyond the
second is likely to be the patient's own where nothing else is known.
"""

import json
import math
from dataclasses import dataclass
from functools import lru_cache

from ..base.resources import resource_path
from ..mni.atlas import SIDES
from .hottest_voxels import HOTTEST_VOLUME_ML
from .repeatability import REACH, Repeatability

# Mean absolute difference in percent of the mean of both, healthy controls, volumes of interest (Booij 1998).
PUBLISHED_VARIABILITY = 7.47
_NORMAL_MEAN_ABSOLUTE = math.sqrt(2 / math.pi)  # of a standard normal
PUBLISHED_LIMIT_PERCENT = REACH * PUBLISHED_VARIABILITY / _NORMAL_MEAN_ABSOLUTE
WITHIN, MEASURED, BEYOND = "within the limits", "beyond the measurement's limits", "beyond the published limits"
_LEAST_YEARS = 0.25  # below, a rate is the noise multiplied
_LEAST_SBR = 0.1  # below, a percentage is a quotient of noise


@dataclass(frozen=True)
class Change:
    """Of one region.

    Attributes:
        before, after: SBR.
        percent: change in percent of the first; None where hardly anything was bound.
        percent_per_year: None where the time is not known or short.
        limit: of the difference by the measurement alone, SBR.
        published_limit: of the difference in people, SBR.
        verdict: one of `WITHIN`, `MEASURED`, `BEYOND`; None where the scans may not be set beside each other.
    """

    before: float
    after: float
    percent: float | None
    percent_per_year: float | None
    limit: float
    published_limit: float
    verdict: str | None


def changes(
    before: dict[str, float | None], after: dict[str, float | None], years: float | None, comparable: bool
) -> dict[str, Change | None]:
    """Of every region; None where a value is missing.

    Args:
        before, after: SBRs by region and side, as in `result.json`.
        years: between the scans.
        comparable: whether the scans are of one camera.
    """
    keys = [f"{nucleus}_{side}" for nucleus in HOTTEST_VOLUME_ML for side in SIDES]
    return {
        key: None
        if before.get(key) is None or after.get(key) is None
        else change(key.split("_")[0], before[key], after[key], years, comparable)
        for key in keys
    }


def change(nucleus: str, before: float, after: float, years: float | None, comparable: bool = True) -> Change:
    """Of one region."""
    level = max((before + after) / 2, 0.0)
    limit = repeatability()[nucleus].limit(level)
    published = max(PUBLISHED_LIMIT_PERCENT / 100 * level, limit)
    size = abs(after - before)
    verdict = WITHIN if size <= limit else MEASURED if size <= published else BEYOND
    percent = 100 * (after / before - 1) if before >= _LEAST_SBR else None
    rate = percent / years if percent is not None and years and years >= _LEAST_YEARS else None
    return Change(before, after, percent, rate, limit, published, verdict if comparable else None)


@lru_cache(maxsize=1)
def repeatability() -> dict[str, Repeatability]:
    """By nucleus, of the simulated repeated scans (`Resources/Normals/test_retest.json`)."""
    return {name: Repeatability(**fit) for name, fit in repeated_scans()["measurement"].items()}


@lru_cache(maxsize=1)
def repeated_scans() -> dict:
    """The file that `Resources/Normals/build_test_retest.py` wrote."""
    return json.loads(resource_path("Normals", "test_retest.json").read_text(encoding="utf-8"))
