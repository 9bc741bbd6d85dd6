"""How logits become an answer."""

from dataclasses import dataclass

from .grades import RegionRule

_SENSITIVE_SHARE, _SPECIFIC_SHARE = 0.4, 0.8  # of the members: two and four of five (Budenkotte 2024)


def votes_needed(members: int) -> tuple[int, int]:
    """Members needed for "reduced" in the sensitive and in the specific vote of an ensemble of this size."""
    return max(round(_SENSITIVE_SHARE * members), 1), max(round(_SPECIFIC_SHARE * members), 1)


@dataclass(frozen=True)
class SbrRule:
    """Which SBRs contradict an answer.

    The measure is the least of the four SBRs of putamen and caudate, each divided by its mean in normal scans.

    Attributes:
        putamen, caudate: mean SBR of normal calibration scans.
        least_of_normal: below this, "normal" is contradicted.
        most_of_reduced: above this, "reduced" is contradicted.
    """

    putamen: float
    caudate: float
    least_of_normal: float
    most_of_reduced: float

    def share(self, sbr: dict) -> float | None:
        """The least SBR as a share of normal; None where one is missing."""
        shares = [
            None if sbr.get(f"{nucleus}_{side}") is None else sbr[f"{nucleus}_{side}"] / getattr(self, nucleus)
            for nucleus in ("putamen", "caudate")
            for side in ("left", "right")
        ]
        return None if None in shares else min(shares)


@dataclass(frozen=True)
class AnswerRule:
    """How logits become an answer.

    Attributes:
        slope, intercept: probability = sigmoid(slope * mean logit difference + intercept) (Platt scaling).
        threshold: probability from which the answer is "reduced".
        doubt: probabilities between these two are "uncertain"; None for never.
        heads: output pairs by name; `balanced` always, `sensitive` and `specific` where doubt is voted.
        sensitive_votes, specific_votes: members needed for "reduced" in each vote (Budenkotte 2024).
        relevance_cut: mean relevance of the lower putamen, by integrated gradients, above which
            the map argues for "reduced" (`explanation/lower_putamen.py`).
        relevance_band: around that cut, in which it argues for neither; None for no width.
        regions: by name of `grades.REGIONS`, the lower putamen being left; None for a network without them.
        regional_slope, regional_intercept: Platt scaling of the largest of the regions' logits of being reduced.
        sbr: which SBRs contradict the answer; None where none was calibrated.
        votes: members that must say "reduced" for the answer to be; None takes the mean of their logits.
        unlike_cut: distance from the training scans beyond which a scan is unlike them; None where not measured.
    """

    slope: float = 1.0
    intercept: float = 0.0
    threshold: float = 0.5
    doubt: tuple[float, float] | None = None
    heads: dict[str, tuple[int, int]] | None = None
    sensitive_votes: int = 2
    specific_votes: int = 4
    relevance_cut: float = 0.0
    relevance_band: tuple[float, float] | None = None
    regions: dict[str, RegionRule] | None = None
    regional_slope: float = 1.0
    regional_intercept: float = 0.0
    sbr: SbrRule | None = None
    unlike_cut: float | None = None
    votes: int | None = None

    def votes_disagree(self, votes: dict[str, int]) -> bool:
        """Whether the sensitive and the specific vote end differently; never for a network without biased heads.

        Args:
            votes: members for "reduced" by head.
        """
        if "sensitive" not in votes or "specific" not in votes:
            return False
        return (votes["sensitive"] >= self.sensitive_votes) != (votes["specific"] >= self.specific_votes)

    def label_of(self, probability: float) -> str:
        """The answer by the probability alone, without votes and other reasons of doubt."""
        if self.doubt is not None and self.doubt[0] < probability < self.doubt[1]:
            return "uncertain"
        return "reduced" if probability >= self.threshold else "normal"


def rule_from_json(options: dict) -> AnswerRule:
    """The rule that `dataclasses.asdict` made JSON of.

    Raises:
        TypeError, AttributeError, KeyError: it is none.
    """
    given = dict(options)
    for name in ("doubt", "relevance_band"):
        if given.get(name) is not None:
            given[name] = tuple(given[name])
    if given.get("heads") is not None:
        given["heads"] = {name: tuple(pair) for name, pair in given["heads"].items()}
    if given.get("regions") is not None:
        given["regions"] = {
            name: RegionRule(**{**one, "cuts": tuple(one["cuts"])}) for name, one in given["regions"].items()
        }
    if given.get("sbr") is not None:
        given["sbr"] = SbrRule(**given["sbr"])
    return AnswerRule(**given)
