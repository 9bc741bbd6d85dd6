"""The maps of one answer: the one that is shown, and the one that waits to take its place."""

import numpy as np
import slicer

from ..mni.atlas import GRID_AFFINE
from .case import OTHER_RELEVANCE, RELEVANCE, Case
from .volumes import set_voxels

_STAGE = "classification"
_OTHER = "other_map"  # in the record of the stage: `{"map": name, "explanation": {...}}`


def put_maps(case: Case, relevance: np.ndarray | None, other_maps: dict) -> dict:
    """Write the volumes of an analysis' maps; gives what the stage's record has to keep.

    Args:
        relevance: `(91, 109, 91)`, of the map that is shown; None where there is no answer.
        other_maps: `Analysis.other_maps`; the first one is kept.
    """
    method, (other, explanation) = next(iter(other_maps.items()), (None, (None, None)))
    case.put_volume(RELEVANCE, _scaled(relevance), GRID_AFFINE, "relevance")
    case.put_volume(OTHER_RELEVANCE, _scaled(other), GRID_AFFINE, "relevance of the other map")
    return {} if method is None else {_OTHER: {"map": method, "explanation": explanation}}


def take_map(case: Case, method: str) -> None:
    """Let the map of a method take the place of the one that is shown, if it waits; else nothing is done."""
    records, result = case.records, case.result
    record = records.get(_STAGE, {})
    waiting, nodes = record.get(_OTHER), [case.get(role) for role in (RELEVANCE, OTHER_RELEVANCE)]
    if waiting is None or waiting["map"] != method or None in nodes:
        return
    shown, other = (slicer.util.arrayFromVolume(node).transpose(2, 1, 0).copy() for node in nodes)
    before, after = result["explanation"], waiting["explanation"]
    label = result["classification"]["label"]
    record = {
        **record,
        "inputs": {**record["inputs"], "map": method},
        "warnings": _warnings(record["warnings"], label, before, after),
        _OTHER: {"map": record["inputs"]["map"], "explanation": before},
    }
    changed = {**result, "explanation": after, "warnings": _warnings(result["warnings"], label, before, after)}
    for node, voxels in zip(nodes, (other, shown), strict=True):
        set_voxels(node, voxels)
    case.put_result(changed, {**records, _STAGE: record})


def _scaled(relevance):
    from ..reporting.panels import relevance_limit

    return None if relevance is None else relevance / relevance_limit(relevance)


def _warnings(warnings, label, before, after):
    """With the warnings of one map of an answer replaced by those of the other."""
    from ..classification.explained import map_warnings

    outdated = map_warnings(before, label)
    return [*(one for one in warnings if one not in outdated), *map_warnings(after, label)]
