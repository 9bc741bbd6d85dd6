"""The gates' table for a person, and their figure."""

from pathlib import Path

import numpy as np

from .figures import headless_pyplot
from .map_deletion import DECIDING, FRACTIONS


def gates_table(rows: list[dict], lesions: list[dict], randomization: list[dict], deletion: dict) -> str:
    """All tables as Markdown."""
    return "\n".join(
        [*_gates(rows), "", *_lesions(lesions), "", *_randomization(randomization), "", *_deletion(deletion)]
    )


def _gates(rows):
    lines = ["| gate | measured | threshold | scans | reached |", "|---|---|---|---|---|"]
    for row in rows:
        reached = {True: "yes", False: "**no**", None: ""}[row["reached"]]
        lines.append(f"| {row['title']} | {_number(row['figure'])} | {_goal(row)} | {row['scans']} | {reached} |")
    return lines


def plain_table(rows: list[dict]) -> str:
    """The gates for a terminal: each measured value beside its threshold, in columns."""
    reached = {True: "reached", False: "NOT reached", None: ""}
    lines = [("measured", "threshold", "scans", "", "gate")]
    lines += [
        (_number(row["figure"]), _goal(row), str(row["scans"]), reached[row["reached"]], row["title"]) for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join("  ".join([*map(str.ljust, line[:4], widths), line[4]]) for line in lines)


def _goal(row):
    sign = ">= " if row["better"] == "higher" else "<= "
    return "reported" if row["goal"] is None else f"{sign}{row['goal']:g}"


def _lesions(rows):
    titles = ("scans", "not read as normal", "peak within 15 mm", "right hemisphere", "healing lowers the score")
    titles = ("planted lesion", *titles, "plain difference within 15 mm")
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for kind in sorted({row["kind"] for row in rows}):
        for where, both in (("one side", False), ("both sides", True)):
            chosen = [row for row in rows if row["kind"] == kind and (row["side"] == "both") == both]
            shown = [row for row in chosen if row["answer"] != "normal"]
            texts = [
                _share([row["near"] for row in shown]),
                _share([row["hemisphere"] for row in shown if row["hemisphere"] is not None]),
                _share([row["healing_move"] < 0 for row in shown]),
                _share([row["plain_near"] for row in shown]),
            ]
            name = f"{kind.replace('_', ', ')}, {where}"
            lines.append(f"| {name} | {len(chosen)} | {len(shown)} | {' | '.join(texts)} |")
    return lines


def _randomization(rows):
    lines = [
        "| weights random from the logits down to | correlation | absolute, median | structural similarity "
        "| peaks apart, median |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        values = (row["correlation"], row["absolute_correlation"], row["structural_similarity"])
        texts = " | ".join(f"{value:.2f}" for value in values)
        lines.append(f"| {row['random_down_to']} | {texts} | {row['peak_distance_mm']:.0f} mm |")
    return lines


def _deletion(deletion):
    at = FRACTIONS.index(DECIDING)
    lines = [f"| order | deletion of {DECIDING:.0%}: median move, logits | insertion |", "|---|---|---|"]
    for name, kinds in deletion.items():
        texts = " | ".join(f"{np.median(kinds[kind][:, at]):.2f}" for kind in ("deletion", "insertion"))
        lines.append(f"| {name} | {texts} |")
    return lines


def _number(value):
    return "not available" if value is None else f"{value:.3f}"


def _share(values):
    return f"{np.mean(values):.2f} of {len(values)}" if values else "none"


def gates_figure(path: Path, rows: list[dict], randomization: list[dict], deletion: dict) -> None:
    """Measured values beside their thresholds, curves of deletion and insertion, likeness by random layers."""
    pyplot = headless_pyplot()
    places = [["gates"] * 3, ["deletion", "insertion", "random"]]
    figure, by_name = pyplot.subplot_mosaic(places, figsize=(13, 8), layout="constrained")
    _draw_gates(by_name["gates"], rows)
    axes = [by_name[name] for name in places[1]]
    for axis, kind in zip(axes, ("deletion", "insertion"), strict=False):
        for name, kinds in deletion.items():
            axis.plot(100 * np.array(FRACTIONS), np.median(kinds[kind], axis=0), marker=".", label=name)
        axis.set(xscale="log", xlabel="voxels of the brain, %", ylabel="median move of the score, logits", title=kind)
    axes[0].legend(fontsize=7)
    names = [row["random_down_to"] for row in randomization]
    for key, label in (("absolute_correlation", "absolute correlation"), ("structural_similarity", "SSIM")):
        axes[2].plot(names, [row[key] for row in randomization], marker="o", label=label)
    axes[2].axhline(0.3, color="gray", linewidth=0.8, linestyle=":")
    axes[2].set(ylim=(-0.1, 1), title="weights random from the logits down to")
    axes[2].tick_params(axis="x", rotation=45)
    axes[2].legend(fontsize=7)
    figure.suptitle("Simulated scans of heads and cameras that training has not seen", fontsize=9)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _draw_gates(axis, rows):
    """One line a gate: a dot for the measured value, a stroke for the threshold; grey where none is set."""
    colors = {True: "tab:green", False: "tab:red", None: "tab:gray"}
    for place, row in enumerate(rows):
        if row["figure"] is not None:
            axis.plot(row["figure"], place, "o", color=colors[row["reached"]])
        if row["goal"] is not None:
            axis.plot(row["goal"], place, "|", color="black", markersize=14)
    axis.set_yticks(range(len(rows)), [row["title"] for row in rows], fontsize=7)
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.set_title("measured (dots; red falls short) and threshold (strokes)", fontsize=9)
