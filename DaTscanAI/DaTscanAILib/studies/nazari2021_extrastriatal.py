"""Nazari et al. 2021, Scientific Reports: does the network use signal outside the striatum, and where?

Three networks see the full image, the striatum only, and the brain without the striatum. What their group heat maps
show outside the striatum is named by the atlas, and its uptake compared between the classes: found in the training
scans, confirmed in the test scans.

The paper's comparison is a plain t test. A camera's blur carries striatal signal into the insula and further, so that
such a test finds the insula even where its own uptake is the same in both classes (it does in simulated scans whose
disease is confined to the striatum). The study therefore adds the difference at equal spill
(`clusters.spill_shells`), and only what is left there counts as a finding.
"""

from dataclasses import dataclass

import numpy as np

from ..evaluation.metrics import classification_metrics, roc_auc
from ..mni.atlas import load_atlas
from .clusters import regional_uptake
from .extrastriatal_search import lower_putamina, search
from .figures import histogram_figure, roc_figure, scatter_figure
from .group_maps import explain, heat_threshold, map_row, rows_figure
from .linear_control import linear_scores, regions_without_box
from .model_training import write_learning_curves
from .nazari_networks import (
    ARCHITECTURE_CHOICE,
    DIVISION_CHOICE,
    SETS,
    SILENT_UNITS_CHOICE,
    START_CHOICE,
    departures,
    divide,
    limits,
    midway_of,
    plan_of,
    train_on,
    write_division,
)
from .summary import Findings
from .tables import as_numbers, decimal, percent, shares_table, write_table
from .workspace import Workspace

PAPERS_SETS = (876, 130, 300)
SHARES = tuple(count / 1306 for count in PAPERS_SETS)
SETTINGS = {
    "full": ("nazari2021-full", "Full image", ("97.0 %", "98.0 %", "96.0 %")),
    "striatum": ("nazari2021-striatum", "Striatum only", ("95.7 %", "99.3 %", "92.1 %")),
    "without_striatum": ("nazari2021-without-striatum", "Without striatum", ("69.3 %", "59.7 %", "78.8 %")),
}
SEARCHED = ("full", "without_striatum")  # whose heat maps are searched for clusters
MEASURES = ("accuracy", "sensitivity", "specificity")
POSITIONS = (-36.0, -28.0, -20.0, -12.0, -4.0, 4.0, 12.0, 20.0, 28.0, 40.0)  # mm
PAPERS_EPOCHS = 200  # without striatum
LINEAR = "without_striatum_linear"  # the control of that network
CHOICES = [
    f"{ARCHITECTURE_CHOICE[:-1]}; of 16, 16 and 16 for the striatum only, which make its 25 million.",
    "The box of the striatum is 61 x 44 x 35 voxels at x -60..60, y -50..36, z -34..34 mm; the paper gives its size. "
    '"Without striatum" sets all of it to the reference level, thalamus and amygdala included.',
    DIVISION_CHOICE,
    "200 epochs without striatum as in the paper; for the others their number is not given: training stops after 5 "
    "without a lower validation loss. The best epoch's weights count.",
    START_CHOICE,
    SILENT_UNITS_CHOICE,
    "Heat maps are of the correctly answered training and validation scans, so that the test scans confirm what "
    "others have found; threshold: 95th percentile of the brain outside the large regions of the hottest voxels.",
    "A cluster that spans several regions of the atlas is divided among them; parts under 0.4 ml are left out. "
    "Ipsilateral is the side of the lower putamen.",
]
DEVIATION = (
    "The paper compares uptake by a plain test. Here a finding has a lower uptake in reduced scans at equal spill of "
    "the striatum (five shells of white matter and ventricles around it, not within 12 mm of the region), age and "
    "sex: in the training scans after Benjamini and Hochberg's correction for the number of clusters, and again in "
    "the test scans, p < 0.05 each."
)


@dataclass(frozen=True)
class Form:
    """Sizes of the study."""

    epochs: int
    patience: int
    epochs_without_striatum: int


FULL, QUICK = Form(40, 5, PAPERS_EPOCHS), Form(4, 4, 4)


def run(workspace: Workspace) -> Findings:
    """The whole study."""
    form = workspace.form(FULL, QUICK)
    sets = divide(workspace, SHARES)
    epochs = dict.fromkeys(SETTINGS, form.epochs)
    epochs["without_striatum"] = workspace.options.epochs or form.epochs_without_striatum
    midway = midway_of(workspace, sets)
    plans = {name: plan_of(workspace, published, epochs[name], midway) for name, (published, *_) in SETTINGS.items()}
    patience = {**dict.fromkeys(SETTINGS, form.patience), "without_striatum": None}
    models = {name: train_on(workspace, name, plan, sets, patience[name]) for name, plan in plans.items()}
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
    metrics[LINEAR] = classification_metrics(workspace.truth[tested], _linear(workspace, known, tested) >= 0.5)
    heats = {name: explained_by(name, "training", known) for name in models}
    searched = {name: search(workspace, name, heats[name], known, tested) for name in SEARCHED}
    differences = write_division(workspace, sets)
    _write_tables(workspace, metrics, searched)
    _draw_maps(workspace, heats)
    leading = _draw_leading(workspace, searched, known, tested)
    return _findings(workspace, plans, sets, metrics, searched, leading, models, differences)


def _linear(workspace, known, tested):
    """Scores of the test scans by regional uptake outside the box: a control of the network without striatum."""

    def compute():
        places = regions_without_box(load_atlas())
        return {"uptake": np.array([regional_uptake(one.load(), places) for one in workspace.scans])}

    uptake = workspace.finished_arrays("uptake_without_box", compute)["uptake"]
    return linear_scores(uptake[known], workspace.truth[known], uptake[tested])


def _write_tables(workspace, metrics, searched):
    folder = workspace.folder("tables")
    for name, shares in metrics.items():
        shares_table(folder / f"test_{name}.csv", shares)
    keys = ["difference_percent", "p", "adjusted_difference_percent", "adjusted_standard_error_percent", "adjusted_p"]
    header = [f"{part}_{key}" for part in ("training", "test") for key in [*keys, "auc", "auc_low", "auc_high"]]
    rows = [[name, *_cells(one, keys)] for name, records in searched.items() for one in records]
    first = ["heat_map", "cluster", "volume_ml", "peak_x", "peak_y", "peak_z"]
    last = ["training_adjusted_p_corrected", "r_putamen_sbr", "r_low", "r_high", "r_normal", "r_reduced"]
    last.append("confirmed")
    write_table(folder / "clusters.csv", [*first, *header, *last], rows)


def _cells(record, keys):
    """A cluster's line of `clusters.csv`.

    Args:
        keys: of what is shown of the comparisons, beside the area.
    """
    cells = [record["cluster"], record["volume_ml"], *record["peak_mm"]]
    for part in ("training", "test"):
        cells += [record[part][key] for key in keys]
        cells += [record[part]["roc_auc"][key] for key in ("value", "low", "high")]
    cells.append(record["training"]["adjusted_p_corrected"])
    cells += [record["correlation_with_putamen_sbr"][key] for key in ("r", "low", "high")]
    cells += [record["correlation_within_classes"][label]["r"] for label in ("normal", "reduced")]
    return [*cells, record["confirmed"]]


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
    """ROC curves, histograms and scatter plot of the leading cluster; its record, None without clusters."""
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
    for part, scans in (("training", known), ("test", tested)):
        label = f"Uptake, {leading['cluster']}, {part} scans"
        histogram_figure(folder / f"cluster_histogram_{part}", workspace.truth[scans], uptake[scans], label)
    putamen = lower_putamina(workspace)
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


def _findings(workspace, plans, sets, metrics, searched, leading, models, differences):
    confirmed = [
        f"{one['cluster']} ({name})" for name, records in searched.items() for one in records if one["confirmed"]
    ]
    return Findings(
        title="What the network finds outside the striatum",
        source="Nazari et al. 2021, Scientific Reports",
        sizes={
            **{name: int((sets == k).sum()) for k, name in enumerate(SETS)},
            "networks": ", ".join(dict.fromkeys(plan.architecture for plan in plans.values())),
            "epochs at most": plans["full"].epochs,
            "epochs without striatum": plans["without_striatum"].epochs,
        },
        comparison=_comparison(metrics, searched, confirmed),
        results={
            "test": {name: as_numbers(shares) for name, shares in metrics.items()},
            "clusters": {name: [_without_uptake(one) for one in records] for name, records in searched.items()},
            "confirmed": confirmed,
            "leading_cluster": leading["cluster"] if leading else None,
            "balance_of_sets": differences,
            "models": {name: f"models/{model.folder.name}" for name, model in models.items()},
        },
        choices=CHOICES,
        deviations=_deviations(plans, sets),
        figures=["heat_maps", "cluster_roc", "cluster_scatter", "cluster_histogram_test"],
        warnings=limits(workspace),
    )


def _comparison(metrics, searched, confirmed):
    """Lines of the main table: the three networks, the largest cluster in the insula, what was confirmed."""
    networks = [
        (f"{title}: {measure}", published, percent(metrics[name][measure]))
        for name, (_, title, figures) in SETTINGS.items()
        for measure, published in zip(MEASURES, figures, strict=True)
    ]
    insulae = [one for name in SEARCHED for one in searched[name] if one["region"] == "Insula"]
    insula = max(insulae, key=lambda one: one["volume_ml"], default=None)
    control = [
        (
            f"Without striatum, logistic regression on regions: {measure}",
            "not done",
            percent(metrics[LINEAR][measure]),
        )
        for measure in MEASURES
    ]
    return [
        *networks,
        *control,
        ("Largest insula cluster: AUC, training", "0.668", _area(insula, "training")),
        ("Largest insula cluster: AUC, test", "0.621", _area(insula, "test")),
        ("Largest insula cluster: r with the putamen's SBR", "0.331", _r(insula)),
        ("The same within normal, within reduced scans", "0.158, 0.270", _r_within(insula)),
        ("Clusters confirmed at equal spill", "not done", ", ".join(confirmed) or "none"),
    ]


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


def _r_within(record):
    if record is None:
        return "no such cluster"
    return ", ".join(f"{record['correlation_within_classes'][label]['r']:.3f}" for label in ("normal", "reduced"))


def _deviations(plans, sets):
    found = [*departures(plans["full"], PAPERS_SETS, sets), DEVIATION]
    epochs = plans["without_striatum"].epochs
    if epochs != PAPERS_EPOCHS:
        found.append(f"Without striatum: {epochs} epochs, the paper has {PAPERS_EPOCHS}.")
    return found
