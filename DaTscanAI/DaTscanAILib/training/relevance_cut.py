"""The cut on the lower putamen's relevance, learned on labelled scans."""

import numpy as np

from ..explanation.lower_putamen import lower_putamen_relevance
from ..mni.atlas import Atlas


def relevance_cut(networks: list, images, contrast, preprocessing, reference: np.ndarray, atlas: Atlas) -> float:
    """The mean relevance that best parts labelled scans (Youden); 0 for networks that do not see the striatum.

    Args:
        networks: members of an ensemble, on the CPU.
        images: `input_sets.ImageSet` of network inputs.
        contrast: of the logits, see `IntegratedGradients`.
        preprocessing: of the model.
        reference: `(91, 109, 91)`, the model's.
    """
    from ..evaluation.metrics import youden_cutoff
    from ..explanation.integrated_gradients import IntegratedGradients

    if not preprocessing.sees_striatum:
        return 0.0
    compared_with = _batch(preprocessing.apply(reference, atlas, reference))
    maps = [IntegratedGradients(network, compared_with, contrast) for network in networks]
    means = []
    for image in images.images:
        relevance = sum(of_member.relevance(_batch(image)).numpy() for of_member in maps) / len(maps)
        scan = preprocessing.restore(preprocessing.uptake(image.astype(np.float32), reference))
        means.append(lower_putamen_relevance(preprocessing.restore(relevance), scan, atlas)[0])
    return youden_cutoff(images.labels == 1, np.array(means))


def _batch(image):
    import torch

    return torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None]
