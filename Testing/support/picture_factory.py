"""Small inputs with known content for pictures and report."""

import copy

import numpy as np

from DaTscanAILib.mni.geometry import scaling_and_translation
from DaTscanAILib.quantification.unknown_sides import hide_sides

GRID_SHAPE, GRID_ORIGIN = (91, 109, 91), (-90.0, -126.0, -72.0)
MRI_SHAPE, MRI_ORIGIN = (181, 217, 181), (-90.0, -125.0, -71.0)
MRI_AFFINE = scaling_and_translation(1.0, MRI_ORIGIN)


def blob(center, shape=GRID_SHAPE, origin=GRID_ORIGIN, spacing=2.0, width=6.0) -> np.ndarray:
    """A Gauss ball of height 1 around a point in MNI mm, cut off where it is below 1 %."""
    axes = np.meshgrid(
        *(np.arange(n) * spacing + start for n, start in zip(shape, origin, strict=True)), indexing="ij"
    )
    squares = sum((axis - place) ** 2 for axis, place in zip(axes, center, strict=True))
    ball = np.exp(-squares / (2 * width**2))
    return np.where(ball < 0.01, 0, ball).astype(np.float32)


def gray_mri(value=100) -> np.ndarray:
    """A template of one gray, with a corner voxel of 200 that sets its scale."""
    mri = np.full(MRI_SHAPE, value, np.uint8)
    mri[0, 0, 0] = 200
    return mri


RESULT = {
    "case": "case-17",
    "registration": {"quality": 0.93, "accepted": True},
    "quantification": {
        "sbr": {
            "putamen_left": 1.02,
            "putamen_right": 2.13,
            "caudate_left": 2.24,
            "caudate_right": 2.91,
            "striatum_left": 1.57,
            "striatum_right": 2.46,
        },
        "asymmetry_percent": {"putamen": 70.5, "caudate": 26.0},
        "caudate_putamen_ratio": {"left": 2.196, "right": 1.366},
        "mirrored": False,
        "lower_putamen": "left",
    },
    "classification": {
        "label": "reduced",
        "probability_reduced": 0.974,
        "model": "compact",
        "votes_for_reduced": {"balanced": 5, "specific": 4},
        "members": 5,
    },
    "explanation": {
        "ipsilateral_putamen_relevance": 0.00213,
        "consistent": True,
        "reference": {"name": "a mean of nothing", "sha256": "00"},
        "marked_most": {"region": "putamen_posterior", "side": "left"},
        "what_if": [
            {"region": "caudate", "side": "left", "probability_reduced": 0.96, "change": -0.01, "answer": "reduced"},
            {
                "region": "putamen_posterior",
                "side": "left",
                "probability_reduced": 0.12,
                "change": -0.85,
                "answer": "normal",
            },
            {"region": "thalamus", "side": "both", "probability_reduced": 0.97, "change": 0.0, "answer": "reduced"},
        ],
    },
    "warnings": ["The head is cut."],
    "versions": {"datscanai": "9.8.7"},
}


def result_with(**changes) -> dict:
    """A complete result with some of its entries replaced."""
    return {**copy.deepcopy(RESULT), **changes}


def result_without_sides() -> dict:
    """The same result of a scan whose left and right are unknown."""
    result = result_with(registration={"quality": 0.93, "accepted": True, "sides_known": False})
    result["quantification"]["sbr_aal"] = {}
    hide_sides(result)
    return result
