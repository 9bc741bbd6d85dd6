"""The benchmark's results as CSV, JSON, Markdown and a figure."""

import csv
import io
import json
from importlib.util import find_spec

from ..base.files import atomic_write_bytes
from ..evaluation.figures import headless_pyplot
from .goals import Findings, Row
from .machine import sentence
from .settings import Settings

HEADER = ("stage", "what", "unit", "ours", "peer", "peer's", "ratio", "goal", "reached", "note")
QUICK = "Smoke test with small networks and few repetitions: its figures mean nothing."


def write_results(settings: Settings, rows: list[Row], findings: dict[str, Findings], machine: dict) -> str:
    """Write `benchmark.csv`, `.json`, `.md` and, where matplotlib is installed, `.png`.

    Args:
        settings: of the run.
        rows: of all stages that were run.
        findings: by stage, for the tables with more detail.
        machine: of `machine.describe_machine`.

    Returns:
        The table for people, in Markdown.
    """
    folder, command, table = settings.output, settings.command(), markdown([HEADER, *map(cells, rows)])
    atomic_write_bytes(folder / "benchmark.csv", _csv_text(rows).encode())
    content = {"command": command, "machine": machine, "rows": [as_dict(row) for row in rows]}
    atomic_write_bytes(folder / "benchmark.json", (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    parts = ["# Benchmark", f"Measured on {sentence(machine)}, by `{command}`.", *[QUICK] * settings.quick, table]
    for stage, found in findings.items():
        if found.table:
            parts += [f"## {stage.capitalize()} in detail", markdown(found.table)]
    parts.append("Versions: " + ", ".join(f"{name} {text}" for name, text in machine["versions"].items()) + ".")
    atomic_write_bytes(folder / "benchmark.md", ("\n\n".join(parts) + "\n").encode())
    _write_figure(folder / "benchmark.png", rows)
    return table


def as_dict(row: Row) -> dict:
    """Everything known of a row, as plain JSON data."""
    goal, measured = row.goal, row.measured
    return {
        **{name: getattr(goal, name) for name in ("key", "stage", "what", "unit")},
        "ours": measured.ours,
        "peer": goal.peer,
        "peer_figure": measured.peer,
        "ratio": row.ratio,
        "goal": goal.text(),
        "reached": row.reached,
        "note": measured.note,
        "repetitions": measured.repetitions,
    }


def cells(row: Row) -> tuple[str, ...]:
    """A row as text, three significant digits; empty where there is nothing to say."""
    goal, measured = row.goal, row.measured
    reached = {None: "", True: "yes", False: "no"}[row.reached]
    figures = (number(measured.ours), goal.peer or "", number(measured.peer), number(row.ratio))
    return (goal.stage, goal.what, goal.unit, *figures, goal.text(), reached, measured.note)


def number(value: float | None) -> str:
    """Three significant digits, and no fewer than a large number has before its point."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 or value == 0 else f"{value:.3g}"


def markdown(rows) -> str:
    """A table whose columns also align as plain text; the first row is the header."""
    rows = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


def _csv_text(rows):
    columns = [name for name in as_dict(rows[0]) if name != "repetitions"]
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows({key: "" if value is None else value for key, value in as_dict(row).items()} for row in rows)
    return text.getvalue()


def _write_figure(path, rows):
    """How many times faster, smaller or nearer than the peer, beside the goal; goals without a ratio left out."""
    compared = [row for row in rows if row.ratio and (row.goal.at_most is None or row.goal.ratio_from)]
    if not compared or not find_spec("matplotlib"):
        return
    plt = headless_pyplot()
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.3 * len(compared)), layout="constrained")
    _draw_ratios(axes, compared)
    axes.axvline(1, color="#cccccc", lw=1, zorder=0)
    axes.invert_yaxis()
    axes.margins(y=0.02)
    axes.set(xscale="log", xlabel="peer's figure / ours (black: goal; orange: goal missed; gray: no goal)")
    axes.xaxis.set_major_formatter("{x:g}")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=150, metadata={"Software": None})
    plt.close(figure)


def _draw_ratios(axes, rows):
    """A bar a row from 1 to the ratio, with its goal as a stroke."""
    colors = {True: "#2878b5", False: "#d95f02", None: "#999999"}
    places, bars = range(len(rows)), [row.ratio - 1 for row in rows]
    axes.barh(places, bars, left=1, color=[colors[row.reached] for row in rows], height=0.6)
    for place, row in zip(places, rows, strict=True):
        limit = row.goal.ratio_from or row.goal.ratio_above
        if limit:
            axes.plot([limit, limit], [place - 0.42, place + 0.42], color="black", lw=2)
        axes.text(row.ratio, place, f" {number(row.ratio)}", va="center", fontsize=7)
    axes.set_yticks(list(places), [f"{row.goal.what}\nbeside {row.goal.peer}" for row in rows], fontsize=6)
