"""A result in which nothing is said by side, for scans whose left and right are unknown.

What needs no sides stays: the answer (networks see the lower putamen on the left whichever it is) and the SBRs in the
order of uptake.
"""

import re
from collections.abc import Iterable

from .hottest_voxels import HOTTEST_VOLUME_ML

_BY_SIDE = ("sbr", "sbr_aal", "asymmetry_percent", "caudate_putamen_ratio")
# "left" and "right" before a noun, not in "left and right".
_SIDE = re.compile(r"(?<!and )\b(left|right) (?!and )")


def hide_sides(result: dict, other_explanations: Iterable[dict] = ()) -> None:
    """Take the sides out of `result.json`'s content.

    Args:
        result: of a finished chain; changed in place. `quantification.sbr_without_sides` is added: of each region the
            SBRs of the side with the lower putamen and of the other.
        other_explanations: what its part `explanation` would be with other maps; changed likewise.
    """
    measured = result["quantification"]
    if measured:
        result["quantification"] = _measured_without_sides(measured)
    basis = result["classification"].get("basis")
    if basis:
        result["classification"]["basis"] = re.sub("_(left|right)$", "", basis)
    for explained in (result["explanation"], *other_explanations):
        _hide_regions_of_a_side(explained)
    result["warnings"] = [_SIDE.sub("", warning) for warning in result["warnings"]]


def _hide_regions_of_a_side(explained):
    explained["what_if"] = [one for one in explained["what_if"] or [] if one["side"] not in ("left", "right")] or None
    for key in ("marked_most", "moving_most"):
        if (explained.get(key) or {}).get("side") in ("left", "right"):
            explained[key] = None


def _measured_without_sides(measured):
    sides = ("right", "left") if measured["lower_putamen"] == "right" else ("left", "right")
    empty = {name: dict.fromkeys(measured[name]) for name in _BY_SIDE}
    ordered = {name: [measured["sbr"][f"{name}_{side}"] for side in sides] for name in HOTTEST_VOLUME_ML}
    hidden = {"lower_putamen": None, "z": None, "sbr_without_sides": ordered}
    return {**measured, **empty, **hidden, **({"grades": None} if "grades" in measured else {})}
