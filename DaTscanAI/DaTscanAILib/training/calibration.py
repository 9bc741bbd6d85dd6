"""From the logits of an ensemble to probabilities, grades and doubt, on scans that no member has seen.

An image and its smoothed copy are one scan: they count half each. Where a manifest has no regional losses there are
no grades.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..classification.answer import choose_device
from ..classification.answer_rule import AnswerRule, SbrRule, votes_needed
from ..classification.evidence import read_evidence
from ..classification.familiarity import TrainingFeatures, fit_training_features
from ..classification.grades import REGIONS
from ..classification.model_folder import Model
from ..classification.relevance_maps import RelevanceMaps
from ..evaluation.metrics import fit_platt
from ..mni.atlas import SIDES, load_atlas
from .doubt_calibration import with_doubt
from .engine import average_taken
from .grade_calibration import fit_region
from .input_sets import ImageSet
from .plans import Plan
from .preparation import Prepared
from .relevance_cut import relevance_cut, torch_batch
from .targets import reduced_from

_LEAST_OF_REGION = 10  # calibration scans that have lost a region, and that have kept it, for grades
_FEATURE_SCANS = 1500  # of the training: enough for the covariance of some hundred features
_RELEVANCE_SCANS = 200
_BEYOND = 1.5  # times what is usual: heads and cameras never seen lie up to 1.3 times off, and are read as well
_USUAL = 99.0  # percentile of calibration scans that are like the training's, and of SBRs that fit a label


@dataclass(frozen=True)
class CalibrationScans:
    """What calibration reads.

    Attributes:
        training: inputs of the training scans.
        images: inputs of the calibration scans, with all voxels.
        scans: the calibration scans.
    """

    training: ImageSet
    images: ImageSet
    scans: list[Prepared]


def calibrate(networks, data: CalibrationScans, plan: Plan, device: str):
    """`(rule, scores for the metadata, training features)` of an ensemble."""
    device, images = choose_device(device), data.images
    read = [logits_and_features(network, images, plan, device) for network in networks]
    logits, features = np.stack([one for one, _ in read], axis=1), np.concatenate([one for _, one in read], axis=1)
    weights = 1 / np.bincount(images.scans)[images.scans]
    rule = probability_rule(logits, images, plan, weights)
    cut_on_relevance, band = _relevance_cut(networks, data, logits, plan, rule)
    training_features, cut = _familiarity(networks, data.training, features, plan, device)
    rule = replace(
        rule,
        relevance_cut=cut_on_relevance,
        relevance_band=band,
        sbr=_sbr_rule(data.scans),
        unlike_cut=cut,
    )
    probability = np.array([read_evidence(one, rule).probability for one in logits])
    accuracy = np.average((probability > 0.5) == (images.labels == 1), weights=weights)
    scores = {"calibration_accuracy": round(float(accuracy), 4), "calibration_scans": len(data.scans)}
    return rule, scores, training_features


def logits_and_features(network, images: ImageSet, plan: Plan, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Logits `(n, outputs)` of every image, and what the last layer reads `(n, features)`."""
    import torch

    logits, features = [], []
    with torch.inference_mode(), average_taken(network.to(device), images.averaged):
        for start in range(0, len(images), plan.batch_size):
            batch = torch.stack([images[k][0] for k in range(start, min(start + plan.batch_size, len(images)))])
            below = network[:-1](batch.to(device))
            features.append(below.float().cpu().numpy())
            logits.append(network[-1](below).cpu().numpy())
    network.to("cpu")
    return np.concatenate(logits), np.concatenate(features)


def member_differences(network, images: ImageSet, plan: Plan, device: str) -> np.ndarray:
    """Balanced logit difference, reduced minus normal, of every image."""
    _, normal, reduced = plan.heads[0]
    logits, _ = logits_and_features(network, images, plan, device)
    return logits[:, reduced] - logits[:, normal]


def probability_rule(logits, images, plan, weights):
    """Platt scaling of the whole and of the regions, grades, votes, band.

    Args:
        logits: `(images, members, outputs)`.
        images: `ImageSet` of the calibration scans.
        weights: `(images,)`, 1 in all for a scan.
    """
    heads = {name: (normal, reduced) for name, normal, reduced in plan.heads}
    normal, reduced = heads["balanced"]
    difference = (logits[:, :, reduced] - logits[:, :, normal]).mean(axis=1)
    slope, intercept = fit_platt(difference, images.labels, weights)
    sensitive, specific = votes_needed(logits.shape[1])
    rule = AnswerRule(
        slope, intercept, doubt=plan.doubt, heads=heads, sensitive_votes=sensitive, specific_votes=specific
    )
    if _enough_for_grades(images):
        rule = _with_regions(rule, logits, images, plan, weights)
    return with_doubt(rule, logits, images.labels, plan, weights)


def _enough_for_grades(images):
    """Whether every region is lost in enough calibration scans and kept in enough."""
    if images.losses is None:
        return False
    first = np.unique(images.scans, return_index=True)[1]
    lost = images.losses[first] >= [reduced_from(region) for region in REGIONS]
    kept = images.losses[first] < [reduced_from(region) for region in REGIONS]
    return min(lost.sum(axis=0).min(), kept.sum(axis=0).min()) >= _LEAST_OF_REGION


def _with_regions(rule, logits, images, plan, weights):
    regions, evidence = {}, []
    for number, region in enumerate(REGIONS):
        score, losses = logits[:, :, plan.regions + number].mean(axis=1), images.losses[:, number]
        known = np.isfinite(losses)
        fitted = score[known], losses[known], weights[known]
        regions[region] = fit_region(plan.regions + number, *fitted, reduced_from(region))
        evidence.append(regions[region].evidence(score))
    slope, intercept = fit_platt(np.max(evidence, axis=0), images.labels, weights)
    return replace(rule, regions=regions, regional_slope=slope, regional_intercept=intercept)


def _sbr_rule(scans):
    """What SBRs contradict an answer; None where they were not measured."""
    known = [one for one in scans if one.facts["sbr"] and None not in one.facts["sbr"].values()]
    groups = {label: [one for one in known if one.case.label == label] for label in ("normal", "reduced")}
    if min(map(len, groups.values())) < 20:
        return None
    means = {
        nucleus: float(np.mean([one.facts["sbr"][f"{nucleus}_{side}"] for one in groups["normal"] for side in SIDES]))
        for nucleus in ("putamen", "caudate")
    }
    rule = SbrRule(**means, least_of_normal=0.0, most_of_reduced=0.0)
    shares = {label: [rule.share(one.facts["sbr"]) for one in group] for label, group in groups.items()}
    return replace(
        rule,
        least_of_normal=float(np.percentile(shares["normal"], 100 - _USUAL)),
        most_of_reduced=float(np.percentile(shares["reduced"], _USUAL)),
    )


def _familiarity(networks, training, features, plan, device) -> tuple[TrainingFeatures | None, float | None]:
    """The Gaussian of the training scans, and a distance well beyond what 99 % of the calibration images keep."""
    if plan.regions is None:
        return None, None
    first = np.unique(training.scans, return_index=True)[1]
    chosen = replace(training, rows=first[:: max(len(first) // _FEATURE_SCANS, 1)])
    seen = np.concatenate([logits_and_features(one, chosen, plan, device)[1] for one in networks], axis=1)
    found = fit_training_features(seen)
    return found, _BEYOND * float(np.percentile(found.distance(features), _USUAL))


def _relevance_cut(networks, data, logits, plan, rule):
    """On images as they are: smoothed copies spread their relevance wider."""
    images, atlas = data.images, load_atlas()
    rows = np.unique(images.scans, return_index=True)[1]
    rows = np.sort(np.random.default_rng(plan.seed).permutation(rows)[:_RELEVANCE_SCANS])
    asymmetries = [data.scans[number].facts["asymmetry_percent"].get("putamen") for number in images.scans[rows]]
    model = Model("", Path(), plan.architecture, plan.preprocessing, rule, (), "", "", plan.compared_with)
    reference = torch_batch(model.network_input(plan.compared_with.voxels, atlas))
    maps = RelevanceMaps(model, networks, reference)
    given = images.images[rows], images.labels[rows], logits[rows], asymmetries
    return relevance_cut(maps, *given, model, atlas)
