"""How far a scan is from normal, voxel by voxel, in multiples of normals' spread. No explanation of a network."""

import numpy as np

from ..mni.atlas import load_atlas, read_grid
from .reference import shipped_reference

SPREAD_OF = "simulated, all cameras"  # a site's own camera may spread less
_LEAST_SPREAD = 0.08  # multiples of the reference level: what noise alone makes of a voxel


def difference_from_normal(normalized: np.ndarray, mirrored: bool) -> np.ndarray:
    """`(scan - mean normal scan) / spread`, float32 `(91, 109, 91)`; negative where uptake is lost, 0 off the brain.

    Args:
        normalized: `(91, 109, 91)`, reference level 1, in the patient's own orientation.
        mirrored: whether the lower putamen is the patient's right: the mean scan has it on the left.
    """
    mean = shipped_reference("normal").voxels
    spread = np.maximum(read_grid("fpcit_normal_spread_2mm.nii.gz").astype(np.float32) / 100, _LEAST_SPREAD)
    if mirrored:
        mean, spread = mean[::-1], spread[::-1]
    return np.where(load_atlas().brain, (normalized - mean) / spread, np.float32(0)).astype(np.float32)
