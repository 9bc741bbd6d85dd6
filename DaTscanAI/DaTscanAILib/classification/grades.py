"""Five grades of loss for six regions of the striatum, from one score a region.

The grades are those of Buddenkotte and Buchert 2025 (Ann Nucl Med, doi 10.1007/s12149-025-02038-3); which shares of
binding lost they mean is our own choice. A region's score s and its cuts c_1 to c_4 give cumulative logits
(proportional odds, McCullagh 1980): P(loss beyond edge k) = sigmoid(slope * (s - c_k)).
"""

from dataclasses import dataclass

import numpy as np

GRADES = ("normal", "borderline", "moderate", "strong", "almost missing")
# Shares of healthy binding lost at which one grade becomes the next; a scan is "reduced" from about the second.
GRADE_EDGES = (0.20, 0.40, 0.60, 0.80)
_MIDDLE_LOSS = np.array([0.05, 0.30, 0.50, 0.70, 0.90])
REGIONS = tuple(
    f"{part}_{side}" for part in ("caudate", "putamen_anterior", "putamen_posterior") for side in ("left", "right")
)


@dataclass(frozen=True)
class RegionRule:
    """How a region's output becomes a grade.

    Attributes:
        output: of the network.
        slope: of the cumulative logits, positive.
        cuts: scores at which P(loss beyond the edge) is one half, ascending, one for each of `GRADE_EDGES`.
        reduced_cut: score from which the region alone makes a scan "reduced".
    """

    output: int
    slope: float
    cuts: tuple[float, float, float, float]
    reduced_cut: float

    def evidence(self, score: float) -> float:
        """Log odds that the region alone makes the scan "reduced"."""
        return self.slope * (score - self.reduced_cut)

    def logits(self, score: float) -> np.ndarray:
        """Log odds that the loss lies beyond each edge, `(4,)`."""
        return self.slope * (score - np.array(self.cuts))

    def probabilities(self, score: float) -> np.ndarray:
        """Of the five grades, `(5,)`, which sum to 1."""
        beyond = 1 / (1 + np.exp(-np.clip(self.logits(score), -500, 500)))
        return -np.diff(np.concatenate([[1.0], beyond, [0.0]]))


def other_side(region: str) -> str:
    """The same region of the other hemisphere."""
    part, side = region.rsplit("_", 1)
    return f"{part}_{'right' if side == 'left' else 'left'}"


def stated_loss(stated: dict[str, str], region: str) -> float | None:
    """Share of a region's binding lost (0 to 1) that a manifest's column `loss_REGION` states, with point or comma.

    Args:
        stated: text of the manifest's columns.
        region: of `REGIONS`.

    Returns:
        None where the column is missing or holds anything else.
    """
    try:
        value = float(stated.get(f"loss_{region}", "").replace(",", "."))
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def expected_loss(probabilities: np.ndarray) -> float:
    """Share of binding lost (0 to 1) that the grades' probabilities stand for."""
    return float(np.asarray(probabilities) @ _MIDDLE_LOSS)


def describe_grades(grades: dict[str, np.ndarray]) -> dict:
    """`quantification.grades` of `result.json`: the likeliest grade of each region, and all probabilities."""
    return {
        region: {
            "grade": GRADES[int(np.argmax(probabilities))],
            "probabilities": {name: float(p) for name, p in zip(GRADES, probabilities, strict=True)},
        }
        for region, probabilities in grades.items()
    }
