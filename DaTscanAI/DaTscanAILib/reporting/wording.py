"""The words and numbers of a result as the pictures and the report print them, in any language that there is."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from ..explanation.lower_putamen import argument
from .language import ENGLISH, Language
from .sentences import translated

# The colors of the answers are those of the relevance map: orange argues for reduced, blue for normal.
ANSWER_COLORS = {"reduced": (214, 96, 0), "normal": (0, 112, 200), "uncertain": (120, 120, 120)}
WARNING_COLOR = (208, 24, 40)

_LONGEST = 1000  # characters of a text from elsewhere
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


def answer_of(result: dict, words: Language = ENGLISH) -> Answer:
    """The classification of a `result.json` dictionary, complete or not."""
    label = value_of(result, "classification", "label")
    probability = percent(value_of(result, "classification", "probability_reduced"), words)
    error = value_of(result, "error")
    otherwise = translated(str(error)[:_LONGEST], words) if error else words("answer.none")
    votes = _votes(value_of(result, "classification"), words), _second_reader(result, words)
    return Answer(
        heading=words(f"answer.heading.{label if label in ANSWER_COLORS else 'none'}"),
        meaning=_meaning(result, label, words) or otherwise,
        probability=words("answer.probability", percent=probability),
        votes=" ".join(filter(None, votes)),
        model=str(value_of(result, "classification", "model") or words("not_available")),
        color=ANSWER_COLORS.get(label, ANSWER_COLORS["uncertain"]),
    )


def registration_alarm(result: dict, words: Language = ENGLISH) -> str | None:
    """The sentence about a registration that was not accepted; None if it was, or nothing is known of it."""
    if value_of(result, "registration", "accepted") is not False:
        return None
    quality = number(value_of(result, "registration", "quality"), words=words)
    return words("registration.alarm", quality=quality)


def registration_of(result: dict, words: Language = ENGLISH) -> str:
    """The registration's quality and whether it was accepted, in a sentence."""
    quality = number(value_of(result, "registration", "quality"), words=words)
    accepted = value_of(result, "registration", "accepted")
    verdict = words({True: "registration.accepted", False: "registration.refused"}.get(accepted, "registration.open"))
    by_hand = words("registration.by_hand") if value_of(result, "registration", "manual") else ""
    return words("registration.quality", quality=quality, verdict=verdict + by_hand)


def explanation_of(result: dict, words: Language = ENGLISH) -> str:
    """What the lower putamen argues for, and whether replacing regions bears the map out, in words."""
    relevance = value_of(result, "explanation", "ipsilateral_putamen_relevance")
    if relevance is None:
        return words("explanation.none")
    side, cut = value_of(result, "quantification", "lower_putamen"), value_of(result, "explanation", "relevance_cut")
    figures = {"relevance": words.numbers_of(f"{relevance:+.2g}"), "cut": words.numbers_of(f"{cut or 0.0:+.2g}")}
    return words(
        "explanation.lower_putamen",
        putamen=words(f"explanation.putamen.{side}" if side else "explanation.putamen"),
        argues=words(f"explanation.argues.{argument_of(result)}"),
        figures=words("explanation.relevance_cut" if cut else "explanation.relevance", **figures),
        consistency=_consistency(result, words),
    )


def argument_of(result: dict) -> str | None:
    """What the lower putamen argues for: `reduced`, `normal` or `neither`; None where there is no map."""
    relevance = value_of(result, "explanation", "ipsilateral_putamen_relevance")
    if relevance is None:
        return None
    cut, band = (value_of(result, "explanation", f"relevance_{name}") for name in ("cut", "band"))
    return argument(relevance, cut or 0.0, band)


def _consistency(result, words):
    marked = value_of(result, "explanation", "marked_most")
    region = words("explanation.marked", region=region_name(marked, words)) if marked else words("explanation.most")
    key = {True: "consistent", False: "inconsistent"}.get(value_of(result, "explanation", "consistent"), "unchecked")
    return words(f"explanation.{key}", region=region)


def reference_of(result: dict, words: Language = ENGLISH) -> str:
    """What the relevance is compared with, as the legends say it, and whether it explains a doubtful answer."""
    name = value_of(result, "explanation", "reference", "name")
    compared = words("pictures.reference", name=translated(name, words) if name else words("not_available"))
    doubtful = value_of(result, "classification", "label") == "uncertain"
    return f"{words('pictures.doubtful')} {compared}" if doubtful else compared


def what_if_columns(result: dict, words: Language = ENGLISH) -> list[tuple[str, str]]:
    """For each region with uptake made normal: its short name, and the probability of reduced then."""
    found = value_of(result, "explanation", "what_if") or []
    return [(_short_name(one, words), percent(one["probability_reduced"], words)) for one in found]


def what_if_sentence(result: dict, words: Language = ENGLISH) -> str:
    """What the answer would be with the one region normal that matters most; empty for a normal answer."""
    found = value_of(result, "explanation", "what_if") or []
    label = value_of(result, "classification", "label")
    if not found or label == "normal":
        return ""
    parts = [one for one in found if one["region"] != "striatum"]
    best, whole = (min(ones, key=lambda one: one["change"]) for ones in (parts, found))
    if best["change"] > _NEARLY * whole["change"]:  # a striatum contains its parts
        best = whole
    then = number(best["probability_reduced"], words=words)
    if best["answer"] == label:
        return words("what_if.stays", region=region_name(best, words), probability=then)
    answer = words(f"answer.{best['answer']}")
    return words("what_if.changes", region=region_name(best, words), answer=answer, probability=then)


def region_name(entry: dict, words: Language = ENGLISH) -> str:
    """A region of `explanation.what_if` in words: "right posterior putamen"."""
    name = words.texts.get(f"region.{entry['region']}", entry["region"])
    return name if entry["side"] == "both" else words(f"region.{entry['side']}", region=name)


def _short_name(entry, words):
    name = words.texts.get(f"region.short.{entry['region']}") or region_name({**entry, "side": "both"}, words)
    return name if entry["side"] == "both" else f"{words('side.letter.' + entry['side'])} {name}"


def value_of(data: dict, *keys: str):
    """The value at a path of keys, or None where any of them is missing or null."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def number(value: float | None, digits: int = 2, signed: bool = False, words: Language = ENGLISH) -> str:
    """A number with fixed digits, "not available" for None."""
    if value is None:
        return words("not_available")
    value = round(float(value), digits) + 0.0  # no "-0.00"
    return words.numbers_of(f"{value:{'+' if signed and value else ''}.{digits}f}")


def percent(probability: float | None, words: Language = ENGLISH) -> str:
    """A probability in whole percent, never rounded to certainty."""
    if probability is None:
        return words("not_available")
    if probability < 0.01:
        return words("percent.below")
    if probability > 0.99:
        return words("percent.above")
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


def _meaning(result, label, words):
    """For an uncertain answer the reasons, where the result holds them."""
    reasons = value_of(result, "classification", "doubt")
    if label not in ANSWER_COLORS:
        return ""
    if label != "uncertain" or not reasons:
        return words(f"answer.meaning.{label}")
    return " ".join([words("answer.without"), *(translated(reason, words) for reason in reasons)])


def _second_reader(result, words):
    second = value_of(result, "classification", "second_reader")
    if not second:
        return ""
    key = "answer.second.agrees" if second["agrees"] else "answer.second.disagrees"
    return words(key, model=second["model"], answer=words.texts.get(f"answer.{second['answer']}", second["answer"]))


def _votes(classification, words):
    votes, members = value_of(classification, "votes_for_reduced"), value_of(classification, "members")
    if not votes or not members:
        return ""
    counts = ", ".join(f"{words.texts.get(f'votes.{cut}', cut)} {count}" for cut, count in votes.items())
    return words("answer.votes", members=members, counts=counts)


def _without_middle(text, keep):
    return text[: keep - keep // 2] + "..." + text[len(text) - keep // 2 :]


def _known_character(character, known):
    if known(character):
        return character
    plain = "".join(part for part in unicodedata.normalize("NFKD", character) if known(part))
    return plain or ("" if unicodedata.category(character) in ("Mn", "Cf", "Cc", "Me") else "?")
