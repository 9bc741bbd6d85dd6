"""The gates of the maps: figures of an examination, their goals, and whether they are reached."""

from dataclasses import dataclass

import numpy as np

from ..explanation.methods import GRADIENT_TIMES_INPUT
from .map_deletion import DECIDING, FRACTIONS
from .map_examination import Depth, Examination


@dataclass(frozen=True)
class Gate:
    """A figure with a goal.

    Attributes:
        key: of the figure.
        title: for a person.
        goal: of the full form; None for a figure that is only reported.
        guard: of the quick form, whose few scans scatter: below it the shipped model has got worse.
        at_least: whether larger is better.
    """

    key: str
    title: str
    goal: float | None
    guard: float | None
    at_least: bool = True

    def judge(self, value: float | None, count: int, quick: bool) -> dict:
        """The row of `explain_check.json`."""
        goal = self.guard if quick else self.goal
        reached = None
        if goal is not None:
            reached = value is not None and (value >= goal if self.at_least else value <= goal)
        return {
            "gate": self.key,
            "title": self.title,
            "figure": value,
            "scans": count,
            "goal": goal,
            "goal_full": self.goal,
            "goal_quick": self.guard,
            "better": "higher" if self.at_least else "lower",
            "reached": reached,
        }


GATES = (
    Gate("lesion_near", "peak within 15 mm of a planted focal lesion that is not read as normal", 0.80, 0.60),
    Gate("lesion_hemisphere", "peak in the hemisphere of the lesion", 0.95, 0.80),
    Gate("healing_lowers", "replacing the part marked most by normal uptake lowers the score", 0.90, 0.80),
    Gate("deletion_against_gradient", "move by deleting 1 %, relative to gradient x input", 1.0, 0.8),
    Gate("random_correlation", "absolute correlation with the maps of random networks", 0.3, 0.4, at_least=False),
    Gate("outside_brain", "share of absolute relevance outside the brain", 0.02, 0.02, at_least=False),
    Gate("sign", "the lower putamen's relevance on the label's side, clear scans", 0.95, 0.85),
    Gate("sign_one_putamen", "the same where one putamen is lost", 0.90, 0.70),
    Gate("class_correlation", "correlation of the two logits' maps (own goal)", 0.0, 0.0, at_least=False),
    Gate("noise", "correlation of the map with that of a noisier scan (own goal)", 0.8, 0.7),
    Gate("shift", "correlation of the map with that of a scan shifted by 2 mm (own goal)", 0.7, 0.5),
    Gate("consistent", "map and what-if agree on the region", None, None),
    Gate("sign_one_orientation", "the sign in clear scans, by maps of one orientation (until 0.2.1)", None, None),
    Gate("agreement", "correlation of integrated gradients and LRP, median", None, None),
    Gate("sameness", "correlation between maps of different reduced scans", None, None, at_least=False),
)


def examine(examination: Examination, depth: Depth) -> dict:
    """Figures of all gates and the tables behind them, JSON data but for the curves' arrays.

    Returns:
        `figures`: `{gate: (value or None, scans)}`; `lesions`, `randomization`, `deletion`: tables.
    """
    lesions, signs = examination.lesions(), examination.signs()
    deletion = examination.deletion(depth.deletion)
    randomization = examination.randomization(depth.randomization)
    stability = examination.stability(depth.stability)
    classes = examination.classes(depth.randomization)
    shown = [row for row in lesions if row["answer"] != "normal"]
    focal = [row for row in shown if row["side"] != "both"]
    one_putamen = [row["right"] for row in signs if row["subtype"] == "one_putamen"]
    clear = [row for row in signs if row["subtype"] != "borderline"]
    outside = examination.outside()
    figures = {
        "lesion_near": share([row["near"] for row in focal]),
        "lesion_hemisphere": share([row["hemisphere"] for row in focal]),
        "healing_lowers": share([row["healing_move"] < 0 for row in shown]),
        "deletion_against_gradient": _relative_move(deletion, examination.method),
        "random_correlation": (randomization[-1]["absolute_correlation"], randomization[-1]["scans"]),
        "outside_brain": (float(outside.mean()), len(outside)),
        "sign": share([row["right"] for row in clear]),
        "sign_one_putamen": share(one_putamen),
        "sign_one_orientation": share([row["right_alone"] for row in clear]),
        "class_correlation": (float(np.median(classes)), len(classes)),
        "noise": (float(np.median(stability["noise"])), len(stability["noise"])),
        "shift": (float(np.median(stability["shift"])), len(stability["shift"])),
        "consistent": share([row["consistent"] for row in (*shown, *signs)]),
        "agreement": _median([row["agreement"] for row in signs]),
        "sameness": (examination.sameness(), len(examination.answers)),
    }
    return {"figures": figures, "lesions": lesions, "randomization": randomization, "deletion": deletion}


def judge(figures: dict, quick: bool) -> list[dict]:
    """One row a gate."""
    return [gate.judge(*figures[gate.key], quick) for gate in GATES]


def share(values: list) -> tuple[float | None, int]:
    """Share of True and how many there are."""
    return (float(np.mean(values)), len(values)) if values else (None, 0)


def _median(values):
    known = [value for value in values if value is not None]
    return (float(np.median(known)), len(known)) if known else (None, 0)


def _relative_move(deletion, method):
    at = FRACTIONS.index(DECIDING)
    ours, theirs = (np.median(deletion[name]["deletion"][:, at]) for name in (method, GRADIENT_TIMES_INPUT))
    return (float(ours / theirs) if theirs > 0 else None), len(deletion[method]["deletion"])
