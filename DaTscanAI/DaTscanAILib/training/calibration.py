"""From the logits of an ensemble to a calibrated probability, on validation scans."""

import numpy as np

from ..classification.answer import choose_device
from ..classification.answer_rule import AnswerRule
from ..evaluation.metrics import fit_platt
from ..mni.atlas import load_atlas
from .input_sets import ImageSet
from .plans import Plan
from .relevance_cut import relevance_cut


def calibrate(networks, validation: ImageSet, plan: Plan, device: str) -> tuple[AnswerRule, dict]:
    """Platt scaling of the mean balanced logit difference and the cut of the relevance, on the validation set."""
    difference = np.mean(
        [member_differences(network, validation, plan, choose_device(device)) for network in networks], axis=0
    )
    slope, intercept = fit_platt(difference, validation.labels)
    accuracy = float(np.mean((slope * difference + intercept > 0) == (validation.labels == 1)))
    heads = {name: (normal, reduced) for name, normal, reduced in plan.heads}
    contrast = [0.0] * (2 * len(heads))
    contrast[heads["balanced"][0]], contrast[heads["balanced"][1]] = -1.0, 1.0
    every = 2 if plan.smooth_validation else 1  # smoothed copies spread their relevance wider
    sharp = ImageSet(validation.images[::every], validation.labels[::every])
    cut = relevance_cut(networks, sharp, contrast, plan.preprocessing, plan.compared_with.voxels, load_atlas())
    rule = AnswerRule(slope, intercept, doubt=plan.doubt, heads=heads, relevance_cut=round(cut, 4))
    return rule, {"validation_accuracy": round(accuracy, 4), "validation_images": len(validation)}


def member_differences(network, images: ImageSet, plan: Plan, device: str) -> np.ndarray:
    """Balanced logit difference, reduced minus normal, of every image."""
    import torch

    _, normal, reduced = plan.heads[0]
    network = network.to(device)
    out = []
    with torch.inference_mode():
        for start in range(0, len(images), plan.batch_size):
            batch = torch.stack([images[k][0] for k in range(start, min(start + plan.batch_size, len(images)))])
            logits = network(batch.to(device))
            out.append((logits[:, reduced] - logits[:, normal]).cpu().numpy())
    network.to("cpu")
    return np.concatenate(out)
