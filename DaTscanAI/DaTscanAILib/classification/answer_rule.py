"""How logits become an answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AnswerRule:
    """How logits become an answer.

    Attributes:
        slope, intercept: probability = sigmoid(slope * mean logit difference + intercept) (Platt scaling).
        threshold: probability from which the answer is "reduced".
        doubt: probabilities between these two are "uncertain"; None for never.
        heads: output pairs by name; `balanced` always, `sensitive` and `specific` where doubt is voted.
        sensitive_votes, specific_votes: members needed for "reduced" in each vote (Budenkotte 2024).
        relevance_cut: signed share of the relevance in the hottest voxels of the lower putamen above which the map
            argues for "reduced" (`explanation/lower_putamen.py`).
    """

    slope: float = 1.0
    intercept: float = 0.0
    threshold: float = 0.5
    doubt: tuple[float, float] | None = None
    heads: dict[str, tuple[int, int]] | None = None
    sensitive_votes: int = 2
    specific_votes: int = 4
    relevance_cut: float = 0.0
