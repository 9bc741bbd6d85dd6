"""The cut on the lower putamen's relevance, learned on labelled scans."""

import numpy as np

from ..classification.evidence import read_evidence
from ..classification.orientation import mirrored_weight
from ..explanation.lower_putamen import lower_putamen_relevance
from ..explanation.methods import INTEGRATED_GRADIENTS
from ..mni.atlas import Atlas
from ..quantification.mirroring import mirror


def relevance_cut(maps, images: np.ndarray, labels, logits, asymmetries, model, atlas: Atlas) -> float:
    """The mean relevance that best parts labelled scans (Youden); 0 for networks that do not see the striatum.

    The maps are those that a user gets: of the region on which the answer rests where it is not the whole scan, and
    of both orientations where the sides are nearly equal.

    Args:
        maps: `RelevanceMaps` of the networks.
        images: `(n, x, y, z)` network inputs.
        labels: `(n,)`, 1 for reduced.
        logits: `(n, members, outputs)`.
        asymmetries: `(n,)`, percent, of the putamina; None where not measured.
        model: whose rule and preprocessing are meant.
        atlas: of the regions.
    """
    from ..evaluation.metrics import youden_cutoff

    preprocessing, reference = model.preprocessing, model.reference.voxels
    if not preprocessing.sees_striatum:
        return 0.0
    # Of a difference from the reference, mirrored: the reference stays as it is.
    turned = model.network_input(mirror(reference), atlas) if preprocessing.from_reference else 0
    means = []
    for image, of_scan, asymmetry in zip(images, logits, asymmetries, strict=True):
        basis = read_evidence(of_scan, model.rule).basis
        weight = 0.0 if preprocessing.keeps_sides else mirrored_weight(asymmetry)
        orientations = [(1 - weight, torch_batch(image))]
        if weight:
            orientations.append((weight, torch_batch(image[::-1] + turned)))
        relevance = maps.relevance(orientations, basis, INTEGRATED_GRADIENTS)
        means.append(lower_putamen_relevance(relevance)[0])
    return youden_cutoff(np.asarray(labels) == 1, np.array(means))


def torch_batch(image: np.ndarray):
    """A network input `(x, y, z)` as a tensor `(1, 1, x, y, z)`."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None]
