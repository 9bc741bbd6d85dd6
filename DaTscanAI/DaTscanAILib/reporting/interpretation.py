"""A proposal for the interpretation, in the words of a report: what the numbers say, never a diagnosis.

The reader completes it. Nothing is proposed where the answer is uncertain or the scan was not registered.
"""

from .examination import prior_scan
from .language import ENGLISH, Language
from .numbers import SIDES, grade_text, worst_region
from .wording import number, region_name, value_of


def interpretation_of(result: dict, words: Language = ENGLISH) -> str:
    """One or several sentences.

    Args:
        result: the dictionary of `result.json`.
        words: their language.
    """
    if value_of(result, "registration", "accepted") is False:
        return words("interpretation.registration")
    label = value_of(result, "classification", "label")
    if label not in ("normal", "reduced"):
        return words("interpretation.uncertain" if label == "uncertain" else "interpretation.none")
    lowest = [_lowest(result, words), _worst_region(result, words)] if label == "reduced" else []
    prior = words("interpretation.prior") if prior_scan(result, words) else ""
    return " ".join(filter(None, [words(f"interpretation.{label}"), *lowest, prior]))


def _lowest(result, words):
    """The putamen with the lower SBR."""
    side = value_of(result, "quantification", "lower_putamen")
    sbr = value_of(result, "quantification", "sbr", f"putamen_{side}")
    if side not in SIDES or sbr is None:
        return ""
    z = value_of(result, "quantification", "z", f"putamen_{side}")
    if z is None:
        return words(f"interpretation.lowest.{side}", sbr=number(sbr, words=words))
    texts = {"sbr": number(sbr, words=words), "z": number(z, 1, signed=True, words=words)}
    return words(f"interpretation.lowest_z.{side}", **texts)


def _worst_region(result, words):
    """The region with the greatest loss by the model's grades, where it has them and calls any lost."""
    worst = worst_region(result)
    if worst is None:
        return ""
    part, side, entry = worst
    region = region_name({"region": part, "side": side}, words)
    return words("interpretation.worst", region=region, grade=grade_text(entry, words))
