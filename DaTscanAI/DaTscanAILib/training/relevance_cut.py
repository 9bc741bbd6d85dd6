"""The cut on the lower putamen's relevance, and the band around it, learned on labelled scans."""

import math

import numpy as np

from ..classification.evidence import read_evidence
from ..classification.orientation import mirrored_weight
from ..evaluation.metrics import fit_platt, youden_cutoff
from ..explanation.lower_putamen import lower_putamen_relevance
from ..explanation.methods import INTEGRATED_GRADIENTS
from ..mni.atlas import Atlas
from ..quantification.mirroring import mirror

ODDS = 3.0  # within the band neither label is three times as likely as the other
_DIGITS = 6


def relevance_cut(
    maps, images: np.ndarray, labels, logits, asymmetries, model, atlas: Atlas
) -> tuple[float, tuple[float, float] | None]:
    """Cut and band of `cut_and_band`; 0 and none for networks that do not see the striatum.

    Args:
        maps, images, logits, asymmetries, model, atlas: of `lower_putamen_means`.
        labels: `(n,)`, 1 for reduced.
    """
    if not model.preprocessing.sees_striatum:
        return 0.0, None
    return cut_and_band(labels, lower_putamen_means(maps, images, logits, asymmetries, model, atlas))


def lower_putamen_means(maps, images, logits, asymmetries, model, atlas: Atlas) -> list[float]:
    """Mean relevance of the lower putamen of each scan.

    The maps are those that a user gets: of the region on which the answer rests where it is not the whole scan, and
    of both orientations where the sides are nearly equal.

    Args:
        maps: `RelevanceMaps` of the networks.
        images: `(n, x, y, z)` network inputs.
        logits: `(n, members, outputs)`.
        asymmetries: `(n,)`, percent, of the putamina; None where not measured.
        model: whose rule and preprocessing are meant.
        atlas: of the regions.
    """
    preprocessing, reference = model.preprocessing, model.reference.voxels
    # Of a difference from the reference, mirrored: the reference stays as it is.
    turned = model.network_input(mirror(reference), atlas) if preprocessing.from_reference else 0
    found = []
    for image, of_scan, asymmetry in zip(images, logits, asymmetries, strict=True):
        basis = read_evidence(of_scan, model.rule).basis
        weight = 0.0 if preprocessing.keeps_sides else mirrored_weight(asymmetry)
        orientations = [(1 - weight, torch_batch(image))]
        if weight:
            orientations.append((weight, torch_batch(image[::-1] + turned)))
        relevance = maps.relevance(orientations, basis, INTEGRATED_GRADIENTS)
        found.append(lower_putamen_relevance(relevance)[0])
    return found


def cut_and_band(labels, values) -> tuple[float, tuple[float, float] | None]:
    """The number at which both labels are equally likely, and between which neither is `ODDS` times as likely.

    By a logistic fit in which both labels count one half. It takes all scans into account: the cut that parts just
    these scans best (Youden) hangs on the few that lie next to it. That one is taken, without a band, where the fit
    finds none among the scans: the number is not larger in reduced ones.

    Args:
        labels: `(n,)`, 1 for reduced.
        values: `(n,)`.
    """
    labels, values = np.asarray(labels).astype(int), np.asarray(values, float)
    weights = 1 / np.bincount(labels, minlength=2)[labels]
    slope, intercept = fit_platt(values, labels, weights * len(labels) / 2)
    if slope <= 0 or not values.min() <= -intercept / slope <= values.max():
        return round(youden_cutoff(labels == 1, values), _DIGITS), None
    cut, low, high = (round((odds - intercept) / slope, _DIGITS) for odds in (0, -math.log(ODDS), math.log(ODDS)))
    return cut, (low, high)


def torch_batch(image: np.ndarray):
    """A network input `(x, y, z)` as a tensor `(1, 1, x, y, z)`."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None]
