"""Clusters of a heat map outside the striatum: found in the training scans, confirmed in the test scans."""

import numpy as np

from ..mni.atlas import SIDES, load_atlas
from .clusters import Cluster, compare_classes, correlation, find_clusters, regional_uptake, spill_shells
from .group_maps import Explained, heat_threshold, outside_striatum
from .workspace import Workspace

SIGNIFICANT = 0.05


def search(workspace: Workspace, name: str, explained: Explained, known, tested) -> list[dict]:
    """The clusters of one heat map with their comparisons in the training and the test scans, findings first."""
    atlas = load_atlas()
    clusters = find_clusters(explained.heat, outside_striatum(atlas), heat_threshold(explained.heat, atlas), atlas)
    if not clusters:
        return []
    arrays = workspace.finished_arrays(f"uptake_{name}", lambda: measure(workspace, clusters))
    putamen = lower_putamina(workspace)
    records = []
    for k, cluster in enumerate(clusters):
        covariates = _covariates(workspace, arrays[f"spill_{cluster.label}"])
        records.append(_compare(workspace, cluster, arrays["uptake"][:, k], covariates, putamen, known, tested))
    corrected = _corrected([one["training"]["adjusted_p"] for one in records])
    for record, p in zip(records, corrected, strict=True):
        record["training"]["adjusted_p_corrected"] = p
        record["confirmed"] = is_confirmed(record)
    return sorted(records, key=lambda one: (not one["confirmed"], one["training"]["adjusted_p"]))


def measure(workspace: Workspace, clusters: list[Cluster]) -> dict[str, np.ndarray]:
    """Mean uptake of all scans: `uptake` `(n, clusters)`; in the shells of region L of the atlas `spill_L`."""
    atlas = load_atlas()
    places = {"uptake": [np.flatnonzero(one.mask) for one in clusters]}
    sides = {one.label: one.side for one in clusters}
    places |= {f"spill_{label}": spill_shells(label, side, atlas) for label, side in sides.items()}
    rows = {name: [] for name in places}
    workspace.say(f"uptake of {len(workspace.scans)} scans in {len(clusters)} clusters")
    for one in workspace.scans:
        voxels = one.load()
        for name, regions in places.items():
            rows[name].append(regional_uptake(voxels, regions))
    return {name: np.array(values) for name, values in rows.items()}


def _covariates(workspace, shells):
    """Shells of a cluster, age and sex where every scan has them."""
    columns = [shells]
    ages, sexes = ([getattr(one.case, what) for one in workspace.scans] for what in ("age", "sex"))
    if None not in ages:
        columns.append(np.array(ages, float)[:, None])
    if None not in sexes:
        columns.append(np.array([[sex == "F"] for sex in sexes], float))
    return np.column_stack(columns)


def _compare(workspace, cluster, uptake, covariates, putamen, known, tested):
    parts = {
        part: compare_classes(uptake[scans], workspace.truth[scans], covariates[scans])
        for part, scans in (("training", known), ("test", tested))
    }
    measured = np.isfinite(putamen)
    classes = {"normal": measured & ~workspace.truth, "reduced": measured & workspace.truth}
    return {
        "cluster": cluster.name,
        "region": cluster.region,
        "volume_ml": cluster.volume_ml,
        "peak_mm": list(cluster.peak),
        "peak_relevance": cluster.peak_value,
        "correlation_with_putamen_sbr": correlation(uptake[measured], putamen[measured]),
        "correlation_within_classes": {
            name: correlation(uptake[chosen], putamen[chosen]) for name, chosen in classes.items()
        },
        **parts,
        "uptake": uptake,
    }


def _corrected(p_values):
    """Benjamini and Hochberg's false discovery rate."""
    from scipy.stats import false_discovery_control

    return [float(p) for p in false_discovery_control(p_values)]


def is_confirmed(record: dict) -> bool:
    """Whether a cluster's own uptake is lower in the reduced scans of the training set, and again of the test set."""
    training, test = record["training"], record["test"]
    return bool(
        training["adjusted_p_corrected"] < SIGNIFICANT
        and test["adjusted_p"] < SIGNIFICANT
        and max(training["adjusted_difference_percent"], test["adjusted_difference_percent"]) < 0
    )


def lower_putamina(workspace: Workspace) -> np.ndarray:
    """SBR of the lower putamen of each scan, nan where the field of view did not allow it."""
    pairs = [[one.facts["sbr"][f"putamen_{side}"] for side in SIDES] for one in workspace.scans]
    return np.array([np.nan if None in pair else min(pair) for pair in pairs])
