"""Normal values: what a normal scan of the simulator has, by age."""

import pytest

from DaTscanAILib.quantification.normal_values import normal_values


def test_binding_falls_with_age_as_published():
    """Healthy controls lose some 5 to 7 % of their striatal binding in ten years."""
    young, old = (normal_values(age)["sbr"]["striatum_left"]["mean"] for age in (50, 80))
    assert 0.04 < (1 - old / young) / 3 < 0.08


def test_sides_are_alike_and_an_unknown_age_is_the_middle_one():
    values = normal_values(None)
    assert values["sbr"]["putamen_left"] == values["sbr"]["putamen_right"]
    assert values["sbr"] == normal_values(values["age"])["sbr"]
    assert "no patients" in values["source"]


def test_ages_beyond_the_simulated_ones_are_not_extrapolated():
    assert normal_values(20) == normal_values(40)
    assert normal_values(100)["age"] == pytest.approx(90)
