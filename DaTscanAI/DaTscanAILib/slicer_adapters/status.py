"""The one sentence below the button: it belongs to the selected scan and to what is known of it."""

from slicer.i18n import tr as _

from ..reporting.wording import value_of
from .state import ScanState
from .words import answer_heading, outdated_sentence


def status_sentence(name: str | None, result: dict | None, state: ScanState, message: str = "") -> str:
    """What a person should know or do now.

    Args:
        name: of the selected scan; None without one.
        result: what is known of it.
        state: of its stages.
        message: how its last run ended, where that gave no result; it goes before all else.
    """
    if name is None:
        return message or _("No scan is selected: load one.")
    if message:
        return message if message.startswith(name) else f"{name}: {message}"
    return f"{name}: {_known(result, state)}"


def _known(result, state):
    if result is None:
        return _("not analyzed yet.")
    if state.is_outdated:
        return _outdated(result, state)
    if value_of(result, "classification", "label"):
        return _("{answer}.").format(answer=answer_heading(result, state).lower())
    if state["classification"].is_current:
        return _("not classified; the result says why.")
    if state["quantification"].is_current:
        return _("measured, not classified yet.")
    return _("registered, not measured yet.")


def _outdated(result, state):
    """The first stage that is outdated for the reason that counts, and what to press."""
    if state["classification"].is_outdated and value_of(result, "classification", "label"):
        what, reason, how = _("the answer"), state["classification"].reason, _("Analyze again.")
    elif state["quantification"].is_outdated:
        what, reason, how = _("the measurement"), state["quantification"].reason, _("Measure again.")
    else:
        what, reason, how = _("the registration"), state.reason, _("Register again.")
    return _("{what} {reason}. {how}").format(what=what, reason=outdated_sentence(reason), how=how)
