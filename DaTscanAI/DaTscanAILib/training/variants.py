"""What one prepared scan becomes in a set of inputs: itself, a smoothed copy, augmented copies, and their truth."""

import numpy as np

from ..classification.orientation import mirrored_weight
from ..mni.atlas import load_atlas
from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML, hottest_voxels_mean
from ..quantification.mirroring import mirror
from ..quantification.sbr import asymmetry_percent_of
from .augmentation import augment, smooth_to
from .lesions import is_reduced, plant
from .targets import SWAPPED, regional_losses

LABELS = ("normal", "reduced")


def variants_of(numbered, plan, copies, smoothed, average):
    """`[(network input float16, target float32 (1 + regions,)), ...]`: the target is label and losses.

    Args:
        numbered: (number of the scan, `Prepared`).
        plan: `plans.Plan`.
        copies: itself and so many less one augmented copies.
        smoothed: itself and its 18-mm-smoothed copy.
        average: layer to apply in advance; None for none.
    """
    number, one = numbered
    atlas, voxels = load_atlas(), one.load()
    label, losses = LABELS.index(one.case.label), regional_losses(one)
    chosen = [(voxels, label, losses)]
    if smoothed:
        chosen.append((smooth_to(voxels, 18.0, atlas.reference), label, losses))
    random = np.random.default_rng([plan.seed, 7919, number])
    asymmetry = one.facts["asymmetry_percent"].get("putamen")
    chosen += [_changed(voxels, label, losses, asymmetry, plan, random) for _ in range(copies - 1)]
    reference = plan.compared_with.voxels
    return [
        (_averaged(plan.preprocessing.apply(image, atlas, reference), average), np.append(np.float32(of), lost))
        for image, of, lost in chosen
    ]


def _changed(voxels, label, losses, asymmetry, plan, random):
    """An augmented copy: perhaps with one more lesion, and of nearly equal sides perhaps mirrored."""
    if random.random() < plan.planted and not np.isnan(losses).any():
        voxels, losses = plant(voxels, losses, random)
        label = max(label, int(is_reduced(losses)))
        left, right = (_putamen(voxels, side) for side in ("left", "right"))
        asymmetry = asymmetry_percent_of(left, right)
        if right < left:  # the other side is the lower one now
            voxels, losses = mirror(voxels), losses[list(SWAPPED)]
    copy = augment(voxels, load_atlas().reference, random)
    if random.random() < mirrored_weight(asymmetry):  # as `analyze` sees such scans
        return mirror(copy), label, losses[list(SWAPPED)]
    return copy, label, losses


def _putamen(voxels, side):
    """SBR by hottest voxels."""
    region = load_atlas().hottest_voxels_region("putamen", side)
    return hottest_voxels_mean(voxels[region], HOTTEST_VOLUME_ML["putamen"]) - 1


def _averaged(image, average):
    import torch

    if average is not None:
        image = average(torch.from_numpy(np.ascontiguousarray(image, np.float32))[None])[0].numpy()
    return image.astype(np.float16)
