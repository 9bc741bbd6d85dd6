"""The words and numbers of a result as the pictures and the report print them."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

RESEARCH_STATEMENT = "Research use only. Not a medical device. Default weights were trained on simulated scans."
ORIENTATION_STATEMENT = "Radiological view: the patient's right (R) is on the left of axial and coronal slices."
NOT_AVAILABLE = "not available"

# The colors of the answers are those of the relevance map: orange argues for reduced, blue for normal.
ANSWER_COLORS = {"reduced": (214, 96, 0), "normal": (0, 112, 200), "uncertain": (120, 120, 120)}
WARNING_COLOR = (208, 24, 40)

_MEANINGS = {
    "normal": "The striatal uptake is classified as normal.",
    "reduced": "The striatal uptake is classified as reduced.",
    "uncertain": "The model is not sure enough: its networks disagree, or their probability is too close to "
    "the middle. No answer is given; the scan has to be judged without one.",
}


_REGION_NAMES = {
    "putamen_anterior": "anterior putamen",
    "putamen_posterior": "posterior putamen",
    **{lobe: f"{lobe} lobe" for lobe in ("frontal", "temporal", "parietal", "occipital", "limbic")},
}
_NEARLY = 0.7  # of a striatum's change: then its part is named


@dataclass(frozen=True)
class Answer:
    """The classification in words.

    Attributes:
        heading: one or two words: Normal, Reduced, Uncertain, Not classified.
        meaning: a sentence or two.
        probability: "Probability of reduced uptake: 97 %".
        votes: how many networks vote for reduced, by their cut, and what a second reader says; empty where that is
            not known.
        model: name of the model, or "not available".
        color: RGB that stands for the answer.
    """

    heading: str
    meaning: str
    probability: str
    votes: str
    model: str
    color: tuple[int, int, int]


def answer_of(result: dict) -> Answer:
    """The classification of a `result.json` dictionary, complete or not."""
    label = value_of(result, "classification", "label")
    probability = percent(value_of(result, "classification", "probability_reduced"))
    return Answer(
        heading=str(label).capitalize() if label else "Not classified",
        meaning=_meaning(result, label) or str(value_of(result, "error") or "The scan has not been classified."),
        probability=f"Probability of reduced uptake: {probability}",
        votes=" ".join(filter(None, (_votes(value_of(result, "classification")), _second_reader(result)))),
        model=str(value_of(result, "classification", "model") or NOT_AVAILABLE),
        color=ANSWER_COLORS.get(label, ANSWER_COLORS["uncertain"]),
    )


def registration_alarm(result: dict) -> str | None:
    """The sentence about a registration that was not accepted; None if it was, or nothing is known of it."""
    if value_of(result, "registration", "accepted") is not False:
        return None
    quality = number(value_of(result, "registration", "quality"))
    return (
        f"The registration to the template was NOT accepted (quality {quality}): "
        "positions, SBR values and relevance must not be relied on."
    )


def registration_of(result: dict) -> str:
    """The registration's quality and whether it was accepted, in a sentence."""
    quality = number(value_of(result, "registration", "quality"))
    accepted = value_of(result, "registration", "accepted")
    verdict = {True: "accepted", False: "NOT accepted"}.get(accepted, f"acceptance {NOT_AVAILABLE}")
    by_hand = ", given by hand" if value_of(result, "registration", "manual") else ""
    return f"Registration to the template: quality {quality} (0 to 1), {verdict}{by_hand}."


def explanation_of(result: dict) -> str:
    """What the lower putamen argues for, and whether replacing regions bears the map out, in words."""
    relevance = value_of(result, "explanation", "ipsilateral_putamen_relevance")
    if relevance is None:
        return "Explanation: not available."
    above = relevance - (value_of(result, "explanation", "relevance_cut") or 0.0)
    sign = "argues for reduced" if above > 0 else "argues for normal" if above < 0 else "argues for neither"
    side = value_of(result, "quantification", "lower_putamen")
    putamen = f"the putamen with the lower uptake ({side})" if side else "the putamen with the lower uptake"
    return f"Explanation: {putamen} {sign} (relevance {relevance:+.2g}); {_consistency(result)}"


def _consistency(result):
    marked = value_of(result, "explanation", "marked_most")
    region = f"the region marked most ({region_name(marked)})" if marked else "the region marked most"
    words = {
        True: "is one whose normal uptake would change the answer most.",
        False: "is NOT the one whose normal uptake would change the answer most: look twice at this scan.",
    }
    unknown = "was not compared with what normal uptake changes."
    return f"{region} {words.get(value_of(result, 'explanation', 'consistent'), unknown)}"


def reference_of(result: dict) -> str:
    """What the relevance is compared with, as the legends say it, and whether it explains a doubtful answer."""
    doubt = "The network is uncertain. " if value_of(result, "classification", "label") == "uncertain" else ""
    return f"{doubt}Compared with: {value_of(result, 'explanation', 'reference', 'name') or NOT_AVAILABLE}"


def what_if_columns(result: dict) -> list[tuple[str, str]]:
    """For each region with uptake made normal: its short name, and the probability of reduced then."""
    found = value_of(result, "explanation", "what_if") or []
    return [(_short_name(one), percent(one["probability_reduced"])) for one in found]


def what_if_sentence(result: dict) -> str:
    """What the answer would be with the one region normal that matters most; empty for a normal answer."""
    found = value_of(result, "explanation", "what_if") or []
    if not found or value_of(result, "classification", "label") == "normal":
        return ""
    parts = [one for one in found if one["region"] != "striatum"]
    best, whole = (min(ones, key=lambda one: one["change"]) for ones in (parts, found))
    if best["change"] > _NEARLY * whole["change"]:  # a striatum contains its parts
        best = whole
    then = f"p {best['probability_reduced']:.2f}"
    if best["answer"] == value_of(result, "classification", "label"):
        return f"No single region decides: even with a normal {region_name(best)} the answer would stay ({then})."
    return f"With a normal {region_name(best)} the answer would be {best['answer']} ({then})."


def region_name(entry: dict) -> str:
    """A region of `explanation.what_if` in words: "right posterior putamen"."""
    name = _REGION_NAMES.get(entry["region"], entry["region"])
    return name if entry["side"] == "both" else f"{entry['side']} {name}"


def _short_name(entry):
    name = region_name({**entry, "side": "both"})
    for long, short in (("anterior", "ant."), ("posterior", "post.")):
        name = name.replace(long, short)
    return name if entry["side"] == "both" else f"{entry['side'][0].upper()} {name}"


def value_of(data: dict, *keys: str):
    """The value at a path of keys, or None where any of them is missing or null."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def number(value: float | None, digits: int = 2, signed: bool = False) -> str:
    """A number with fixed digits, "not available" for None."""
    if value is None:
        return NOT_AVAILABLE
    value = round(float(value), digits) + 0.0  # no "-0.00"
    return f"{value:{'+' if signed and value else ''}.{digits}f}"


def percent(probability: float | None) -> str:
    """A probability in whole percent, never rounded to certainty."""
    if probability is None:
        return NOT_AVAILABLE
    if probability < 0.01:
        return "below 1 %"
    if probability > 0.99:
        return "above 99 %"
    return f"{100 * probability:.0f} %"


def transliterate(text: str, known: Callable[[str], bool]) -> str:
    """One line of text with only known characters: others lose their accents or become question marks."""
    return "".join(_known_character(character, known) for character in " ".join(str(text).split()))


def shorten(text: str, width: float, measure: Callable[[str], float]) -> str:
    """The text, cut in its middle with "..." if it is wider than `width`: ends of names tell cases apart."""
    if measure(text) <= width:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        keep = (fits + too_long) // 2
        fits, too_long = (keep, too_long) if measure(_without_middle(text, keep)) <= width else (fits, keep)
    return _without_middle(text, fits)


def _meaning(result, label):
    """For an uncertain answer the reasons, where the result holds them."""
    reasons = value_of(result, "classification", "doubt")
    if label != "uncertain" or not reasons:
        return _MEANINGS.get(label)
    return f"No answer is given; the scan has to be judged without one. {' '.join(reasons)}"


def _second_reader(result):
    second = value_of(result, "classification", "second_reader")
    if not second:
        return ""
    agrees = "agrees" if second["agrees"] else "DISAGREES"
    return f"Second reader {second['model']} {agrees}: {second['answer']}."


def _votes(classification):
    votes, members = value_of(classification, "votes_for_reduced"), value_of(classification, "members")
    if not votes or not members:
        return ""
    counts = ", ".join(f"{cut} {count}" for cut, count in votes.items())
    return f"Votes for reduced of {members} networks: {counts}."


def _without_middle(text, keep):
    return text[: keep - keep // 2] + "..." + text[len(text) - keep // 2 :]


def _known_character(character, known):
    if known(character):
        return character
    plain = "".join(part for part in unicodedata.normalize("NFKD", character) if known(part))
    return plain or ("" if unicodedata.category(character) in ("Mn", "Cf", "Cc", "Me") else "?")
