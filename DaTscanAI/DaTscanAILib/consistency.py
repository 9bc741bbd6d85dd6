"""Does the relevance of the lower putamen fit the answer? The number by which Nazari 2021 re-reads each scan.

They compare the mean relevance of the hottest voxels with 0, which the maps of their network allow. In other networks
uptake argues for "normal" wherever it is, less so the less there is: then a share of the whole relevance with a cut
learned on labelled scans parts the classes as well. At a cut of 0 both are the same rule.
"""

import numpy as np

from .atlas import VOXEL_VOLUME_ML, Atlas
from .quantification import HOTTEST_VOLUME_ML, hottest_voxels_mask


def lower_putamen_relevance(relevance: np.ndarray, scan: np.ndarray, atlas: Atlas) -> tuple[float, float]:
    """Mean relevance of the hottest voxels, and their signed share of all absolute relevance.

    Args:
        relevance, scan: `(91, 109, 91)`, lower putamen left.
    """
    region = atlas.hottest_voxels_region("putamen", "left")
    hottest = hottest_voxels_mask(scan, region, HOTTEST_VOLUME_ML["putamen"], VOXEL_VOLUME_ML)
    values, total = relevance[hottest].astype(np.float64), np.abs(relevance).sum(dtype=np.float64)
    return float(values.mean()), float(values.sum() / total) if total else 0.0


def relevance_cut(networks: list, images, contrast, preprocessing, atlas: Atlas) -> float:
    """The share that best parts labelled scans (Youden); 0 for networks that do not see the striatum.

    Args:
        networks: members of an ensemble, on the CPU.
        images: `training.ImageSet` of network inputs.
        contrast: of `RelevancePropagator`.
        preprocessing: of the model.
    """
    import torch

    from .metrics import youden_cutoff
    from .relevance import RelevancePropagator

    if preprocessing.striatum_masked:
        return 0.0
    propagators = [RelevancePropagator(network, contrast) for network in networks]
    shares = []
    for image in images.images:
        batch = torch.from_numpy(image.astype(np.float32))[None, None]
        relevance = sum(propagator.propagate(batch)[1].numpy() for propagator in propagators)
        scan = preprocessing.restore(preprocessing.uptake(image.astype(np.float32)))
        shares.append(lower_putamen_relevance(preprocessing.restore(relevance), scan, atlas)[1])
    return youden_cutoff(images.labels == 1, np.array(shares))
