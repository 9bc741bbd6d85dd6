"""The relevance of the lower putamen: the number by which Nazari 2021 re-reads each scan.

They compare the mean relevance of the hottest voxels with 0, which the maps of their network allow. Where the
reference is the mean normal scan, the map of a normal one is nearly empty and either sign happens: there a cut
learned on labelled scans takes the place of 0 (`AnswerRule.relevance_cut`).
"""

import numpy as np

from ..mni.atlas import VOXEL_VOLUME_ML, Atlas
from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML, hottest_voxels_mask


def lower_putamen_relevance(relevance: np.ndarray, scan: np.ndarray, atlas: Atlas) -> tuple[float, float]:
    """Mean relevance of the hottest voxels, and their signed share of all absolute relevance.

    Args:
        relevance, scan: `(91, 109, 91)`, lower putamen left.
    """
    region = atlas.hottest_voxels_region("putamen", "left")
    hottest = hottest_voxels_mask(scan, region, HOTTEST_VOLUME_ML["putamen"], VOXEL_VOLUME_ML)
    values, total = relevance[hottest].astype(np.float64), np.abs(relevance).sum(dtype=np.float64)
    return float(values.mean()), float(values.sum() / total) if total else 0.0
