"""The cut on the lower putamen's share of the relevance, learned on labelled scans."""

import numpy as np

from ..explanation.lower_putamen import lower_putamen_relevance
from ..mni.atlas import Atlas


def relevance_cut(networks: list, images, contrast, preprocessing, reference, atlas: Atlas) -> float:
    """The share that best parts labelled scans (Youden); 0 for networks that do not see the striatum.

    Args:
        networks: members of an ensemble, on the CPU.
        images: `input_sets.ImageSet` of network inputs.
        contrast: of `RelevancePropagator`.
        preprocessing: of the model.
        reference: `(91, 109, 91)`, the model's.
    """
    import torch

    from ..evaluation.metrics import youden_cutoff
    from ..explanation.lrp import RelevancePropagator

    if preprocessing.striatum_masked:
        return 0.0
    propagators = [RelevancePropagator(network, contrast) for network in networks]
    shares = []
    for image in images.images:
        batch = torch.from_numpy(image.astype(np.float32))[None, None]
        relevance = sum(propagator.propagate(batch)[1].numpy() for propagator in propagators)
        scan = preprocessing.restore(preprocessing.uptake(image.astype(np.float32), reference))
        shares.append(lower_putamen_relevance(preprocessing.restore(relevance), scan, atlas)[1])
    return youden_cutoff(images.labels == 1, np.array(shares))
