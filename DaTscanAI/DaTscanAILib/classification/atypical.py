"""Patterns of loss that Parkinson's disease does not make, read from the six regional grades.

In Parkinson's disease the posterior putamen goes first, on one side before the other, and the caudate last. What
contradicts that points to another cause (vascular lesion, atypical parkinsonism, a drug that blocks the transporter)
and is said in a sentence.
"""

import numpy as np

from .grades import expected_loss

_LOST, _KEPT = 0.45, 0.25  # expected loss from which a region counts as lost, and up to which as kept
_CLEARLY = 0.25  # difference of losses that counts
_EVEN = 0.20  # spread of losses up to which they count as even
_NEARLY_ALL = 0.75  # mean loss from which a late Parkinson's disease is even too
_SIDES = ("left", "right")


def atypical_patterns(grades: dict[str, np.ndarray]) -> list[str]:
    """One sentence for each atypical pattern; none for a normal or a typical scan.

    Args:
        grades: probabilities of the five grades by region, in the patient's sides.
    """
    loss = {region: expected_loss(probabilities) for region, probabilities in grades.items()}
    whole = _whole_striatum(loss) or _even(loss)
    return [whole] if whole else [*_caudate_first(loss), *_anterior_first(loss)]


def _parts(loss, side):
    return np.array([loss[f"{part}_{side}"] for part in ("caudate", "putamen_anterior", "putamen_posterior")])


def _whole_striatum(loss):
    for side, other in (_SIDES, _SIDES[::-1]):
        lost, kept = _parts(loss, side), _parts(loss, other)
        if lost.min() >= _LOST and np.ptp(lost) <= _CLEARLY and kept.max() <= _KEPT:
            return f"The whole {side} striatum is lost and the other kept: think of a vascular or other lesion."
    return None


def _even(loss):
    values = np.concatenate([_parts(loss, side) for side in _SIDES])
    if values.min() >= _LOST - 0.1 and np.ptp(values) <= _EVEN and values.mean() < _NEARLY_ALL:
        return (
            "Caudate and putamen of both sides are lost evenly: think of drugs that block the transporter, dementia "
            "with Lewy bodies or atypical parkinsonism."
        )
    return None


def _caudate_first(loss):
    sides = [side for side in _SIDES if _worse(loss[f"caudate_{side}"], loss[f"putamen_posterior_{side}"])]
    if sides:
        where = " and ".join(sides)
        yield f"The caudate is worse than the putamen ({where}), unlike in Parkinson's disease."


def _anterior_first(loss):
    sides = [side for side in _SIDES if _worse(loss[f"putamen_anterior_{side}"], loss[f"putamen_posterior_{side}"])]
    if sides:
        where = " and ".join(sides)
        yield f"The anterior putamen is worse than the posterior ({where}), unlike in Parkinson's disease."


def _worse(loss, compared):
    return loss >= _LOST and loss - compared >= _CLEARLY
