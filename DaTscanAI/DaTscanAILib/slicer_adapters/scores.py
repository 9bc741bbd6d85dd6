"""How far a measured value lies from those of normal scans; no Slicer in here."""

from ..quantification.age_regression import LIMITS_PERCENT
from ..reporting.wording import value_of


def z_score(quantification: dict, key: str) -> float | None:
    """Of a measure among the normals that were asked for; None without any that fit."""
    return value_of(quantification, "z", key)


def normal_limits(quantification: dict, keys: list[str]) -> tuple[float, float] | None:
    """The narrower limits of normals, of several measures together; None without normals that fit."""
    entries = [value_of(quantification, "normals", "measures", key) or {} for key in keys]
    limits = [entry[f"limits_{LIMITS_PERCENT[0]}"] for entry in entries if f"limits_{LIMITS_PERCENT[0]}" in entry]
    return (min(low for low, _ in limits), max(high for _, high in limits)) if limits else None
