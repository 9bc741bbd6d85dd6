"""Clusters of a heat map outside the striatum, named by the atlas, and what their uptake tells of the class."""

from dataclasses import dataclass

import numpy as np

from ..evaluation.metrics import roc_auc
from ..mni.atlas import GRID_AFFINE, GRID_SPACING, VOXEL_VOLUME_ML, Atlas
from ..mni.geometry import apply_affine

LEAST_VOLUME_ML = 0.4  # 50 voxels
SHELLS = ((2, 6), (6, 10), (10, 14), (14, 20), (20, 30))  # mm from the outline of the striatum
OWN_MARGIN = 12.0  # mm, about the resolution of the camera
STRIATAL_LABELS = (71, 72, 73, 74, 75, 76, 121, 122)  # caudate, putamen, pallidum, accumbens
_SIDES = {"left": "ipsilateral", "right": "contralateral", "both": "midline"}  # once the lower putamen lies left


@dataclass(frozen=True)
class Cluster:
    """Connected voxels of a heat map in one region of the atlas.

    Attributes:
        name: for example "Insula, ipsilateral": ipsilateral is the side of the lower putamen.
        region: name in the atlas, without the side.
        side: `left`, `right` or `both`.
        label: number of the region in the atlas.
        mask: bool `(91, 109, 91)`.
        peak: MNI mm of the highest voxel.
        peak_value: of the heat map.
    """

    name: str
    region: str
    side: str
    label: int
    mask: np.ndarray
    peak: tuple[float, float, float]
    peak_value: float

    @property
    def volume_ml(self) -> float:
        """Of the whole cluster, ml."""
        return float(self.mask.sum() * VOXEL_VOLUME_ML)


def find_clusters(heat: np.ndarray, outside: np.ndarray, threshold: float, atlas: Atlas) -> list[Cluster]:
    """Clusters above a threshold, the largest first; one that spans several regions is divided among them.

    Args:
        heat: `(91, 109, 91)`, lower putamen left.
        outside: bool, the brain outside the striatum.
        threshold: voxels above it count.
    """
    from scipy import ndimage

    above, found = outside & (heat > threshold), []
    for number, (name, _, hemisphere) in atlas.names.items():
        parts, count = ndimage.label(above & (atlas.labels == number))
        for part in range(1, count + 1):
            mask = parts == part
            if mask.sum() * VOXEL_VOLUME_ML >= LEAST_VOLUME_ML:
                found.append(_cluster(number, name, hemisphere, mask, heat))
    return sorted(found, key=lambda one: -one.volume_ml)


def _cluster(label, name, hemisphere, mask, heat):
    region = name.removesuffix("_L").removesuffix("_R")
    peak = np.unravel_index(np.where(mask, heat, -np.inf).argmax(), heat.shape)
    place = tuple(float(value) for value in apply_affine(GRID_AFFINE, np.array(peak, float)))
    return Cluster(
        f"{region.replace('_', ' ')}, {_SIDES[hemisphere]}", region, hemisphere, label, mask, place, float(heat[peak])
    )


def regional_uptake(voxels: np.ndarray, places: list[np.ndarray]) -> np.ndarray:
    """Mean of a normalized scan over each list of flat indices."""
    flat = voxels.reshape(-1)
    return np.array([flat[place].mean(dtype=np.float64) for place in places])


def spill_shells(label: int, side: str, atlas: Atlas) -> list[np.ndarray]:
    """Shells around the striatum that tell, scan by scan, how much of a region's uptake the striatum has spilled.

    They hold what binds no tracer of its own, the brain outside the atlas's grey matter: what the camera's blur
    carries out of the striatum arrives there as it does in the grey matter at the same distance. Voxels near the
    region are left out, as its own uptake spills into them.

    Args:
        label: number of the region in the atlas.
        side: `left`, `right` or `both`, on which the shells are to lie.

    Returns:
        Flat indices into the grid, one array a shell of at least `LEAST_VOLUME_ML`.
    """
    from scipy import ndimage

    to_striatum, to_region = (
        ndimage.distance_transform_edt(~mask, sampling=GRID_SPACING)
        for mask in (np.isin(atlas.labels, STRIATAL_LABELS), atlas.labels == label)
    )
    x = (np.arange(atlas.labels.shape[0]) * GRID_AFFINE[0, 0] + GRID_AFFINE[0, 3])[:, None, None]
    on_side = {"left": x < 0, "right": x > 0, "both": x != 0}[side]
    unbinding = atlas.brain & (atlas.labels == 0) & on_side & (to_region >= OWN_MARGIN)
    shells = [np.flatnonzero(unbinding & (to_striatum >= low) & (to_striatum < high)) for low, high in SHELLS]
    return [shell for shell in shells if shell.size * VOXEL_VOLUME_ML >= LEAST_VOLUME_ML]


def compare_classes(uptake: np.ndarray, truth: np.ndarray, covariates: np.ndarray) -> dict:
    """How the uptake of one cluster differs between the classes.

    Args:
        uptake: `(n,)` cluster means.
        truth: bool, labelled reduced.
        covariates: `(n, k)` for the adjusted difference, above all the means of `spill_shells`: a difference that
            remains at equal spill is the cluster's own.

    Returns:
        Means, Welch's t test, the area under the ROC curve of low uptake with its 95 % interval, and the adjusted
        difference with its standard error and p.
    """
    from scipy.stats import ttest_ind

    test = ttest_ind(uptake[truth], uptake[~truth], equal_var=False)
    adjusted, error, p = adjusted_difference(uptake, truth, covariates)
    return {
        "mean_normal": float(uptake[~truth].mean()),
        "mean_reduced": float(uptake[truth].mean()),
        "difference_percent": float(100 * (uptake[truth].mean() / uptake[~truth].mean() - 1)),
        "p": _number_or_one(test.pvalue),
        "roc_auc": roc_auc(truth, -uptake).as_dict(),
        "adjusted_difference_percent": float(100 * adjusted / uptake[~truth].mean()),
        "adjusted_standard_error_percent": float(100 * error / uptake[~truth].mean()),
        "adjusted_p": p,
    }


def adjusted_difference(values: np.ndarray, truth: np.ndarray, covariates: np.ndarray) -> tuple[float, float, float]:
    """Reduced minus normal at equal covariates (analysis of covariance): estimate, standard error, two-sided p.

    The standard error allows a spread that differs between scans (White's estimator in the form HC3), as that of the
    spill does between cameras. With fewer scans than covariates there is no answer: standard error 0 and p 1.
    """
    from scipy.stats import t

    design = np.column_stack([truth, np.ones(len(truth)), covariates - covariates.mean(axis=0)]).astype(float)
    inverse = np.linalg.pinv(design.T @ design)
    estimate = inverse @ design.T @ values
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    residual = (values - design @ estimate) / np.maximum(1 - leverage, 1e-6)
    variance = (inverse @ (design.T * residual**2) @ design @ inverse)[0, 0]
    freedom = len(values) - np.linalg.matrix_rank(design)
    if freedom < 1 or not variance > 0:
        return float(estimate[0]), 0.0, 1.0
    error = np.sqrt(variance)
    return float(estimate[0]), float(error), float(2 * t.sf(abs(estimate[0]) / error, freedom))


def correlation(first: np.ndarray, second: np.ndarray) -> dict:
    """Pearson's r with its 95 % interval and p."""
    from scipy.stats import pearsonr

    if min(np.ptp(first), np.ptp(second)) == 0 or len(first) < 4:
        return {"r": 0.0, "low": -1.0, "high": 1.0, "p": 1.0}
    result = pearsonr(first, second)
    interval = result.confidence_interval(0.95)
    return {
        "r": float(result.statistic),
        "low": float(interval.low),
        "high": float(interval.high),
        "p": float(result.pvalue),
    }


def _number_or_one(p):
    """1 where a test has no answer, as without any spread."""
    return float(p) if np.isfinite(p) else 1.0
