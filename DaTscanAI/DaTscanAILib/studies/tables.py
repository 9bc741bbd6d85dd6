"""Tables of a study: CSV files with one line of names, and numbers of fixed digits."""

import csv
import io
from pathlib import Path

import numpy as np

from ..base.files import atomic_write_bytes
from ..evaluation.metrics import Share


def write_table(path: Path, header: list[str], rows: list[list]) -> None:
    """Write a CSV file; floats keep six significant digits, None becomes an empty cell."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows([[_cell(value) for value in row] for row in rows])
    atomic_write_bytes(path, text.getvalue().encode())


def shares_table(path: Path, metrics: dict[str, Share | None]) -> None:
    """One line a measure: value, 95 % interval, number of scans."""
    rows = [[name, one.value, one.low, one.high, one.count] for name, one in metrics.items() if one]
    write_table(path, ["measure", "value", "low", "high", "n"], rows)


def as_numbers(metrics: dict[str, Share | None]) -> dict:
    """Shares as the JSON data of a summary."""
    return {name: one.as_dict() if one else None for name, one in metrics.items()}


def mean_and_deviation(values) -> dict:
    """Mean and standard deviation (n - 1) over folds or splits, None of a single one."""
    values = np.asarray(values, float)
    deviation = float(values.std(ddof=1)) if values.size > 1 else None
    return {"mean": float(values.mean()), "sd": deviation, "n": int(values.size)}


def percent(share: Share | dict | float | None) -> str:
    """ "95.8 %", with the interval where there is one."""
    if share is None:
        return "not available"
    if isinstance(share, Share):
        share = share.as_dict()
    if isinstance(share, dict) and "low" in share:
        return f"{100 * share['value']:.1f} % ({100 * share['low']:.1f} to {100 * share['high']:.1f})"
    if isinstance(share, dict):
        spread = "" if share["sd"] is None else f" ± {100 * share['sd']:.1f}"
        return f"{100 * share['mean']:.1f}{spread} %"
    return f"{100 * share:.1f} %"


def decimal(share: Share | None) -> str:
    """ "0.990 (0.970 to 1.000)"."""
    return "not available" if share is None else f"{share.value:.3f} ({share.low:.3f} to {share.high:.3f})"


def _cell(value):
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    return "" if value is None else value
