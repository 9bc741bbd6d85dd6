"""Nazari et al. 2021, Scientific Reports: does the network use signal outside the striatum, and where?

Three networks see the full image, the striatum only, and the brain without the striatum. What their group heat maps
show outside the striatum is named by the atlas, and its uptake compared between the classes: found in the training
scans, confirmed in the test scans.

The paper's comparison is a plain t test. A camera's blur carries striatal signal into the insula and further, so that
such a test finds the insula even where its own uptake is the same in both classes (it does in simulated scans whose
disease is confined to the striatum). The study therefore adds the difference at equal spill
(`clusters.spill_shells`), and only what is left there counts as a finding.
"""

import numpy as np

from ..evaluation.metrics import classification_metrics, roc_auc
from ..mni.atlas import load_atlas
from .clusters import Cluster, compare_classes, correlation, find_clusters, regional_uptake, spill_shells
from .figures import roc_figure, scatter_figure
from .group_maps import Explained, explain, heat_threshold, map_row, outside_striatum, rows_figure
from .model_training import write_learning_curves
from .nazari2021_lrp import FULL, INPUT_CHOICE, RATE_CHOICE, SETS, Form, divide, limits, plan_of, train_on
from .summary import Findings
from .tables import as_numbers, decimal, percent, shares_table, write_table
from .workspace import Workspace

SHARES = (876 / 1306, 130 / 1306, 300 / 1306)
SETTINGS = {
    "full": ("nazari2021-full", "Full image", ("97.0 %", "98.0 %", "96.0 %")),
    "striatum": ("nazari2021-striatum", "Striatum only", ("95.7 %", "99.3 %", "92.1 %")),
    "without_striatum": ("nazari2021-without-striatum", "Without striatum", ("69.3 %", "59.7 %", "78.8 %")),
}
SEARCHED = ("full", "without_striatum")  # whose heat maps are searched for clusters
MEASURES = ("accuracy", "sensitivity", "specificity")
POSITIONS = (-36.0, -28.0, -20.0, -12.0, -4.0, 4.0, 12.0, 20.0, 28.0, 40.0)  # mm
SIGNIFICANT = 0.05
CHOICES = [
    "Dense layers of 32 and 16 for the full image and without striatum, of 16, 16 and 16 for the striatum only: "
    "these give the numbers of parameters that the paper quotes.",
    "The box of the striatum is 61 x 44 x 35 voxels at x -60..60, y -50..36, z -34..34 mm; the paper gives its size.",
    INPUT_CHOICE,
    RATE_CHOICE,
    "The striatum that is masked, and that the threshold leaves out, is the large regions of the hottest voxels; "
    "masked voxels are set to the reference level.",
    "Heat maps are of the correctly answered training and validation scans, so that the test scans confirm what "
    "others have found; threshold: 95th percentile of the brain outside the striatum.",
    "A cluster that spans several regions of the atlas is divided among them; parts under 0.4 ml are left out. "
    "Ipsilateral is the side of the lower putamen.",
    "A finding has a lower uptake in reduced scans at equal spill of the striatum (five shells of white matter and "
    "ventricles around it, not within 12 mm of the region), age and sex: in the training scans after Benjamini and "
    "Hochberg's correction for the number of clusters, and again in the test scans, p < 0.05 each.",
]


QUICK = Form(4, 4)


def run(workspace: Workspace) -> Findings:
    """The whole study."""
    form = workspace.form(FULL, QUICK)
    sets = divide(workspace, SHARES)
    plans = {name: plan_of(workspace, published, form.epochs) for name, (published, *_) in SETTINGS.items()}
    models = {name: train_on(workspace, name, plan, sets, form.patience) for name, plan in plans.items()}
    write_learning_curves(workspace, list(models))
    known, tested = np.flatnonzero(sets != 2), np.flatnonzero(sets == 2)

    def explained_by(name, part, chosen):
        scans = [workspace.scans[k] for k in chosen]
        return explain(workspace, f"{name}_{part}", models[name], scans, workspace.truth[chosen])

    tests = {name: explained_by(name, "test", tested) for name in models}
    metrics = {
        name: classification_metrics(workspace.truth[tested], explained.difference > 0)
        for name, explained in tests.items()
    }
    heats = {name: explained_by(name, "training", known) for name in models}
    searched = {name: search(workspace, name, heats[name], known, tested) for name in SEARCHED}
    _write_tables(workspace, sets, metrics, searched)
    _draw_maps(workspace, heats)
    leading = _draw_leading(workspace, searched, known, tested)
    return _findings(workspace, plans, sets, metrics, searched, leading, models)


def search(workspace: Workspace, name: str, explained: Explained, known, tested) -> list[dict]:
    """The clusters of one heat map with their comparisons in the training and the test scans, findings first."""
    atlas = load_atlas()
    clusters = find_clusters(explained.heat, outside_striatum(atlas), heat_threshold(explained.heat, atlas), atlas)
    if not clusters:
        return []
    arrays = workspace.finished_arrays(f"uptake_{name}", lambda: measure(workspace, clusters))
    putamen = np.array([_lower_putamen(one) for one in workspace.scans])
    records = []
    for k, cluster in enumerate(clusters):
        covariates = _covariates(workspace, arrays[f"spill_{k}"])
        records.append(_compare(workspace, cluster, arrays["uptake"][:, k], covariates, putamen, known, tested))
    corrected = _corrected([one["training"]["adjusted_p"] for one in records])
    for record, p in zip(records, corrected, strict=True):
        record["training"]["adjusted_p_corrected"] = p
        record["confirmed"] = is_confirmed(record)
    return sorted(records, key=lambda one: (not one["confirmed"], one["training"]["adjusted_p"]))


def measure(workspace: Workspace, clusters: list[Cluster]) -> dict[str, np.ndarray]:
    """Mean uptake of all scans: `uptake` `(n, clusters)`; in the k-th cluster's shells `spill_k` `(n, shells)`."""
    atlas = load_atlas()
    places = {"uptake": [np.flatnonzero(one.mask) for one in clusters]}
    places |= {f"spill_{k}": spill_shells(one.label, one.side, atlas) for k, one in enumerate(clusters)}
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
    has_putamen = np.isfinite(putamen)
    return {
        "cluster": cluster.name,
        "region": cluster.region,
        "volume_ml": cluster.volume_ml,
        "peak_mm": list(cluster.peak),
        "peak_relevance": cluster.peak_value,
        "correlation_with_putamen_sbr": correlation(uptake[has_putamen], putamen[has_putamen]),
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


def _lower_putamen(one):
    values = [one.facts["sbr"][f"putamen_{side}"] for side in ("left", "right")]
    return min(values) if None not in values else np.nan


def _write_tables(workspace, sets, metrics, searched):
    folder = workspace.folder("tables")
    for name, shares in metrics.items():
        shares_table(folder / f"test_{name}.csv", shares)
    rows = [
        [one.case.name, one.case.label, one.case.sex, one.case.age, SETS[number]]
        for one, number in zip(workspace.scans, sets, strict=True)
    ]
    write_table(folder / "split.csv", ["case", "label", "sex", "age", "set"], rows)
    keys = ["difference_percent", "p", "adjusted_difference_percent", "adjusted_standard_error_percent", "adjusted_p"]
    header = [f"{part}_{key}" for part in ("training", "test") for key in [*keys, "auc", "auc_low", "auc_high"]]
    rows = [
        [
            name,
            one["cluster"],
            one["volume_ml"],
            *one["peak_mm"],
            *(
                value
                for part in ("training", "test")
                for value in [
                    *(one[part][key] for key in keys),
                    *(one[part]["roc_auc"][key] for key in ("value", "low", "high")),
                ]
            ),
            one["training"]["adjusted_p_corrected"],
            *(one["correlation_with_putamen_sbr"][key] for key in ("r", "low", "high")),
            one["confirmed"],
        ]
        for name, records in searched.items()
        for one in records
    ]
    first = ["heat_map", "cluster", "volume_ml", "peak_x", "peak_y", "peak_z"]
    last = ["training_adjusted_p_corrected", "r_putamen_sbr", "r_low", "r_high", "confirmed"]
    write_table(folder / "clusters.csv", [*first, *header, *last], rows)


def _draw_maps(workspace, heats):
    """The paper's figure 3: heat maps above their threshold, over the MRI."""
    atlas, rows = load_atlas(), []
    for name, explained in heats.items():
        threshold = heat_threshold(explained.heat, atlas)
        limit = max(float(np.percentile(explained.heat[atlas.brain], 99.9)), threshold * 1.01)
        shown = np.where(explained.heat > threshold, explained.heat, 0)
        if np.isfinite(threshold):
            rows.append(
                (
                    f"{SETTINGS[name][1]}: heat map, reduced minus normal",
                    map_row(shown, POSITIONS, limit, threshold / limit),
                )
            )
    if rows:
        rows_figure(workspace.folder("figures") / "heat_maps", rows, signed=False)


def _draw_leading(workspace, searched, known, tested):
    """ROC curves in both sets and scatter plot of the leading cluster; its record, None without clusters."""
    records = [one for name in SEARCHED for one in searched[name]]
    if not records:
        return None
    leading = min(records, key=lambda one: (not one["confirmed"], one["training"]["adjusted_p"]))
    folder, uptake = workspace.folder("figures"), leading["uptake"]
    curves = {
        f"{part}: AUC {decimal(roc_auc(workspace.truth[scans], -uptake[scans]))}": (
            workspace.truth[scans],
            -uptake[scans],
        )
        for part, scans in (("training", known), ("test", tested))
    }
    roc_figure(folder / "cluster_roc", curves)
    putamen = np.array([_lower_putamen(one) for one in workspace.scans])
    has_putamen = np.isfinite(putamen)
    r = leading["correlation_with_putamen_sbr"]
    scatter_figure(
        folder / "cluster_scatter",
        putamen[has_putamen],
        uptake[has_putamen],
        workspace.truth[has_putamen],
        "SBR of the lower putamen",
        f"Uptake, {leading['cluster']}",
        f"r = {r['r']:.2f} ({r['low']:.2f} to {r['high']:.2f})",
    )
    return leading


def _findings(workspace, plans, sets, metrics, searched, leading, models):
    confirmed = [
        f"{one['cluster']} ({name})" for name, records in searched.items() for one in records if one["confirmed"]
    ]
    comparison = [
        (f"{title}: {measure}", published, percent(metrics[name][measure]))
        for name, (_, title, figures) in SETTINGS.items()
        for measure, published in zip(MEASURES, figures, strict=True)
    ]
    insulae = [one for name in SEARCHED for one in searched[name] if one["region"] == "Insula"]
    insula = max(insulae, key=lambda one: one["volume_ml"], default=None)
    comparison += [
        ("Largest insula cluster: AUC, training", "0.668", _area(insula, "training")),
        ("Largest insula cluster: AUC, test", "0.621", _area(insula, "test")),
        ("Largest insula cluster: r with the putamen's SBR", "0.331", _r(insula)),
        ("Clusters confirmed at equal spill", "not done", ", ".join(confirmed) or "none"),
    ]
    return Findings(
        title="What the network finds outside the striatum",
        source="Nazari et al. 2021, Scientific Reports",
        sizes={
            **{name: int((sets == k).sum()) for k, name in enumerate(SETS)},
            "networks": ", ".join(dict.fromkeys(plan.architecture for plan in plans.values())),
            "epochs at most": plans["full"].epochs,
        },
        comparison=comparison,
        results={
            "test": {name: as_numbers(shares) for name, shares in metrics.items()},
            "clusters": {name: [_without_uptake(one) for one in records] for name, records in searched.items()},
            "confirmed": confirmed,
            "leading_cluster": leading["cluster"] if leading else None,
            "models": {name: f"models/{model.folder.name}" for name, model in models.items()},
        },
        choices=CHOICES,
        figures=["heat_maps", "cluster_roc", "cluster_scatter", "learning_curves"],
        warnings=limits(workspace),
    )


def _without_uptake(record):
    return {key: value for key, value in record.items() if key != "uptake"}


def _area(record, part):
    if record is None:
        return "no such cluster"
    return "{value:.3f} ({low:.3f} to {high:.3f})".format(**record[part]["roc_auc"])


def _r(record):
    if record is None:
        return "no such cluster"
    return "{r:.3f} ({low:.3f} to {high:.3f})".format(**record["correlation_with_putamen_sbr"])
