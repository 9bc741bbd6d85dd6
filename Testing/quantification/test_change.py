"""Change between two scans: percentages, rates, and the two limits."""

import pytest

from DaTscanAILib.quantification import change as module
from DaTscanAILib.quantification.change import (
    BEYOND,
    MEASURED,
    PUBLISHED_LIMIT_PERCENT,
    WITHIN,
    change,
    changes,
    repeatability,
)
from DaTscanAILib.quantification.repeatability import Repeatability


def test_published_variability_becomes_a_limit():
    """7.47 % mean absolute difference is a standard deviation of 9.36 % and a limit of 18.3 %."""
    assert pytest.approx(7.47 * 1.2533 * 1.96, rel=1e-3) == PUBLISHED_LIMIT_PERCENT


def test_limits_grow_with_the_level():
    fit = Repeatability(constant=0.03, share=0.04)
    assert fit.limit(0) == pytest.approx(1.96 * 2**0.5 * 0.03)
    assert fit.limit(1.0) == pytest.approx(1.96 * 2**0.5 * 0.05)


def test_each_verdict_has_its_range(monkeypatch):
    fit = Repeatability(constant=0.03, share=0.02)
    monkeypatch.setattr(module, "repeatability", lambda: {"putamen": fit})
    before = 2.0
    limit = fit.limit(before)
    found = [change("putamen", before, before - size, 2.0).verdict for size in (0.5 * limit, 1.3 * limit, 0.8)]
    assert found == [WITHIN, MEASURED, BEYOND]
    assert change("putamen", before, 1.2, 2.0, comparable=False).verdict is None


def test_the_file_of_repeated_scans_is_read():
    for fit in repeatability().values():
        assert 0 < fit.limit(2.0) < 0.6


def test_percent_and_rate():
    found = change("caudate", 2.0, 1.7, 3.0)
    assert found.percent == pytest.approx(-15)
    assert found.percent_per_year == pytest.approx(-5)
    assert change("caudate", 2.0, 1.7, 0.1).percent_per_year is None
    assert change("caudate", 2.0, 1.7, None).percent_per_year is None
    assert change("caudate", 0.05, 0.1, 3.0).percent is None


def test_what_was_not_measured_did_not_change():
    before = {"putamen_left": 2.0, "putamen_right": None}
    found = changes(before, {"putamen_left": 1.0, "putamen_right": 1.0}, None, True)
    assert found["putamen_right"] is None
    assert found["putamen_left"].verdict == BEYOND
    assert set(found) == {f"{n}_{s}" for n in ("caudate", "putamen", "striatum") for s in ("left", "right")}
