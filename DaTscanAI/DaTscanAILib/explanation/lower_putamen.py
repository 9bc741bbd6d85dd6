"""Does the relevance of the lower putamen fit the answer? The number by which Nazari 2021 re-reads each scan.

They compare the mean relevance of the hottest voxels with 0, which the maps of their network allow. In other networks
uptake argues for "normal" wherever it is, less so the less there is: then a share of the whole relevance with a cut
learned on labelled scans parts the classes as well. At a cut of 0 both are the same rule.
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


def explain(relevance: np.ndarray, says_reduced: bool, scan_left: np.ndarray, atlas: Atlas, cut: float) -> dict:
    """Relevance of the hottest voxels of the ipsilateral (lower) putamen, and whether it fits the answer.

    Args:
        relevance: `(91, 109, 91)`, lower putamen left.
        says_reduced: what the answer would be without its doubt.
        scan_left: normalized, lower putamen left.
        cut: of the share, see `AnswerRule`.
    """
    mean, share = lower_putamen_relevance(relevance, scan_left, atlas)
    return {
        "ipsilateral_putamen_relevance": mean,
        "ipsilateral_putamen_share": share,
        "share_cut": cut,
        "consistent": (share > cut) == says_reduced,
    }
