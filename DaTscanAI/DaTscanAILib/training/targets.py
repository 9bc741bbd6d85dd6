"""What the regional head learns: the share of binding lost in six regions, from the columns of a manifest."""

import math

import numpy as np

from ..classification.grades import GRADE_EDGES, REGIONS, other_side, stated_loss
from .preparation import Prepared

# Scores at which training puts the edges of the grades; calibration finds the final ones.
TRAINING_CUTS = (-3.0, -1.0, 1.0, 3.0)
_SOFTNESS = 0.05  # share of binding over which an edge is blurred: no scan tells a loss more exactly
_REDUCED_FROM = {"caudate": 0.50, "putamen_anterior": 0.45, "putamen_posterior": 0.40}
SWAPPED = tuple(REGIONS.index(other_side(region)) for region in REGIONS)


def regional_losses(one: Prepared) -> np.ndarray:
    """Loss (0 to 1) of `grades.REGIONS`, lower putamen left as in the prepared scan; NaN where it is not stated.

    The columns are `loss_caudate_left`, `loss_putamen_anterior_left`, ... in the patient's sides.
    """
    stated = [stated_loss(one.case.other, region) for region in REGIONS]
    losses = np.array([math.nan if loss is None else loss for loss in stated], np.float32)
    return losses[list(SWAPPED)] if one.facts["mirrored"] else losses


def reduced_from(region: str) -> float:
    """Loss of a region from which it alone makes a scan "reduced" (`simulation.disease`)."""
    return _REDUCED_FROM[region.rsplit("_", 1)[0]]


def ordinal_loss(scores, losses):
    """Cross entropy of the cumulative logits `score - cut` (McCullagh 1980), mean over regions whose loss is known.

    Args:
        scores, losses: tensors `(scans, regions)`; losses may be NaN.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    known = ~losses.isnan()
    cuts, edges = losses.new_tensor(TRAINING_CUTS), losses.new_tensor(GRADE_EDGES)
    target = torch.sigmoid((losses.nan_to_num()[..., None] - edges) / _SOFTNESS)
    entropy = binary_cross_entropy_with_logits(scores.float()[..., None] - cuts, target, reduction="none").mean(-1)
    return (entropy * known).sum() / known.sum().clamp(min=1)
