"""Deletion and insertion: how far the score moves when voxels are taken away, or put in, in the order of a map.

After Samek et al. 2017 (IEEE Trans Neural Netw Learn Syst 28:2660) and Petsiuk et al. 2018 (BMVC). A voxel is taken
away by giving it the value of the model's reference, and only voxels of the brain are.
"""

from collections.abc import Callable

import numpy as np

FRACTIONS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)  # of the brain's voxels
DECIDING = 0.01  # at which orders are compared


def order_of(values: np.ndarray, brain: np.ndarray, towards_reduced: bool) -> np.ndarray:
    """Flat indices of the brain's voxels, first those that argue most for the answer.

    Args:
        values: a map `(91, 109, 91)`.
        towards_reduced: whether the answer is "reduced".
    """
    inside = np.flatnonzero(brain)
    strength = values.ravel()[inside]
    return inside[np.argsort(-strength if towards_reduced else strength, kind="stable")]


def deleted(scan: np.ndarray, reference: np.ndarray, order: np.ndarray, fraction: float) -> np.ndarray:
    """The scan with the first part of the order set to the reference."""
    return _exchanged(scan, reference, order, fraction)


def inserted(scan: np.ndarray, reference: np.ndarray, order: np.ndarray, fraction: float) -> np.ndarray:
    """The reference with the first part of the order taken from the scan."""
    return _exchanged(reference, scan, order, fraction)


def moves(
    scan: np.ndarray, reference: np.ndarray, order: np.ndarray, scores: Callable[[list], np.ndarray]
) -> dict[str, list[float]]:
    """How far the score moves at each of `FRACTIONS`, positive where it leaves its start towards the other end.

    Args:
        scores: of a list of scans, in logits.
    """
    volumes = [deleted(scan, reference, order, fraction) for fraction in FRACTIONS]
    volumes += [inserted(scan, reference, order, fraction) for fraction in FRACTIONS]
    found = scores([scan, reference, *volumes])
    of_scan, of_reference, rest = found[0], found[1], found[2:]
    direction = np.sign(of_scan - of_reference) or 1.0
    taken, put = rest[: len(FRACTIONS)], rest[len(FRACTIONS) :]
    return {
        "deletion": [float(direction * (of_scan - value)) for value in taken],
        "insertion": [float(direction * (value - of_reference)) for value in put],
    }


def _exchanged(base, other, order, fraction):
    result, chosen = base.copy(), order[: max(round(fraction * len(order)), 1)]
    result.flat[chosen] = other.flat[chosen]
    return result
