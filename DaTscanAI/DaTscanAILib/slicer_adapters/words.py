"""What the panel says of a result, for a physician: whole sentences, each with its translation mark."""

from slicer.i18n import tr as _

from ..explanation.lower_putamen import NEITHER
from ..reporting.numbers import normals_note, worst_region
from ..reporting.wording import answer_of, argument_of, number, percent, value_of
from .state import ScanState
from .tables import grade_in_words

_BETWEEN = 0.5  # probability that parts the answers


def answer_heading(result: dict | None, state: ScanState) -> str:
    """The answer in a word; one that no longer belongs to the scan says so."""
    if result is None:
        return _("No result yet")
    heading = {
        "normal": _("Normal"),
        "reduced": _("Reduced"),
        "uncertain": _("Uncertain"),
    }.get(value_of(result, "classification", "label"), _("Not classified"))
    return _("{answer} (outdated)").format(answer=heading) if state["classification"].is_outdated else heading


def answer_sentences(result: dict) -> list[str]:
    """Probability, what argues for the answer, and what has to be looked at first."""
    label = value_of(result, "classification", "label")
    if label is None:
        error = value_of(result, "error")
        return [error] if error else []
    probability = value_of(result, "classification", "probability_reduced")
    lines = [_("Probability of reduced uptake: {percent}").format(percent=percent(probability))]
    if label == "uncertain":
        lines += [_("Judge this scan without an answer:"), *_sentences(result, "doubt")]
    lines += [_worst_grade(result), _argument(result), *_what_if(result), *_sentences(result, "atypical")]
    return [line for line in lines if line]


def registration_sentence(result: dict) -> str:
    """A sentence where the registration needs a look; empty where it is good."""
    if value_of(result, "registration", "accepted") is not False:
        return ""
    return _("The registration was not accepted (quality {quality}): do not rely on positions, SBRs and map.").format(
        quality=number(value_of(result, "registration", "quality"))
    )


def outdated_sentence(reason: str) -> str:
    """Why a result no longer belongs to the scan."""
    flips = {
        "flip R": _("belongs to the scan before the flip left-right"),
        "flip S": _("belongs to the scan before the flip head-foot"),
        "flip A": _("belongs to the scan before the flip front-back"),
    }
    others = {
        "voxels": _("belongs to the scan before its voxels were changed"),
        "header": _("belongs to the scan before its position was changed"),
        "transform": _("belongs to the registration before it was changed"),
        "method": _("was measured by another method than is chosen now"),
        "normals": _("was compared with other normal values than are chosen now"),
        "model": _("was given by another model than is chosen now"),
        "map": _("explains by another kind of map than is chosen now"),
        "second_reader": _("was read with another second reader than is chosen now"),
        "unknown": _("was made by an older version of this module"),
    }
    return {**flips, **others}[reason]


def details(result: dict) -> list[str]:
    """Numbers for who wants to know how the answer came about."""
    answer = answer_of(result)
    relevance = value_of(result, "explanation", "ipsilateral_putamen_relevance")
    lines = [
        _("Registration quality {quality} (0 to 1), {how}").format(
            quality=number(value_of(result, "registration", "quality")),
            how=_("by hand") if value_of(result, "registration", "manual") else _("automatic"),
        ),
        answer.votes,
        relevance is not None and _relevance_figures(result, relevance),
        *_model_lines(result),
        *_table_lines(result),
    ]
    return [line for line in lines if line]


def _sentences(result, key):
    """Sentences that the classification gives under a key; none where it has not."""
    found = value_of(result, "classification", key) or []
    return [str(sentence) for sentence in ([found] if isinstance(found, str) else found)]


def _argument(result):
    """What the relevance of the lower putamen argues for, and whether that is against the answer."""
    argues, putamen = argument_of(result), _side_of_lower_putamen(result)
    if argues is None:
        return ""
    if argues == NEITHER:
        return _("{putamen} hardly argues for either answer: its relevance is near this model's cut.").format(
            putamen=putamen
        )
    label = value_of(result, "classification", "label")
    says_reduced = (value_of(result, "classification", "probability_reduced") or 0.0) >= _BETWEEN
    words = {"putamen": putamen, "answer": {"reduced": _("reduced"), "normal": _("normal")}[argues]}
    if says_reduced != (argues == "reduced") and value_of(result, "explanation", "relevance_cut"):
        if label == "uncertain":
            return _("{putamen} argues for {answer}, against the probability: look at the map.").format(**words)
        return _("{putamen} argues for {answer}, against the answer: this scan needs a second look.").format(**words)
    return _("{putamen} argues for {answer}.").format(**words)


def _what_if(result):
    """The sentence on the region whose healing would change most, where the result has it."""
    healed = [entry for entry in value_of(result, "explanation", "what_if") or [] if entry.get("change") is not None]
    if value_of(result, "classification", "label") != "reduced" or not healed:
        return []
    most = max(healed, key=lambda entry: abs(entry["change"]))
    words = {
        "region": region_name(most.get("region"), most.get("side")),
        "percent": percent(most.get("probability_reduced")),
    }
    if most.get("probability_reduced", 1.0) < _BETWEEN:
        return [_("Healing {region} would make the answer normal.").format(**words)]
    return [_("Healing {region} alone would leave a probability of {percent}.").format(**words)]


def region_name(region: str | None, side: str | None) -> str:
    """As "the right putamen"; regions without a translation keep their name."""
    names = {
        "caudate": _("caudate"),
        "putamen": _("putamen"),
        "putamen_anterior": _("anterior putamen"),
        "putamen_posterior": _("posterior putamen"),
        "striatum": _("striatum"),
    }
    sides = {"left": _("left"), "right": _("right"), "both": _("left and right"), None: ""}
    words = (_("the"), sides.get(side, str(side)), names.get(region, str(region).replace("_", " ")))
    return " ".join(filter(None, words))


def _side_of_lower_putamen(result):
    sides = {"left": _("The left putamen"), "right": _("The right putamen")}
    return sides.get(value_of(result, "quantification", "lower_putamen"), _("The putamen with the lower uptake"))


def _relevance_figures(result, relevance):
    figures = _("Relevance of the lower putamen {relevance}").format(relevance=f"{relevance:+.2g}")
    share, cut = (value_of(result, "explanation", key) for key in ("ipsilateral_putamen_share", "relevance_cut"))
    if cut is not None:
        figures = _("{figures} (this model's cut is {cut})").format(figures=figures, cut=f"{cut:+.2g}")
    if share is None:
        return figures
    return _("{figures}, {share} of the whole map").format(figures=figures, share=f"{share:+.1%}")


def _worst_grade(result):
    """The region with the greatest loss by the networks' grades; nothing where none is lost."""
    worst = worst_region(result)
    if worst is None:
        return ""
    part, side, entry = worst
    return _("Greatest loss: {region}, {grade} %.").format(
        region=region_name(part, side), grade=grade_in_words(entry)
    )


def _model_lines(result):
    """Which model answered, and where; what is not known is left out."""
    known = {
        key: value_of(result, "classification", key) for key in ("model", "model_version", "trained_on", "device")
    }
    lines = []
    if None not in (known["model"], known["model_version"], known["trained_on"]):
        model = _("Model {name}, version {version}: {trained_on}")
        words = {"name": known["model"], "version": known["model_version"], "trained_on": known["trained_on"]}
        lines.append(model.format(**words))
    if known["device"] is not None:
        lines.append(_("Computed on {device}").format(device=known["device"]))
    return lines


def _table_lines(result):
    lines = []
    ratios = [number(value_of(result, "quantification", "caudate_putamen_ratio", side)) for side in ("right", "left")]
    if value_of(result, "quantification", "reference_level") is not None:
        lines.append(_("Caudate/putamen: right {right}, left {left}").format(right=ratios[0], left=ratios[1]))
    return [*lines, normals_note(result) or ""]
