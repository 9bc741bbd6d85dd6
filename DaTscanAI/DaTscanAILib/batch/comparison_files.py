"""The files of a comparison, and comparisons of many patients."""

import csv
import io
import sys
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..mni.atlas import GRID_AFFINE
from ..quantification.normal_graphs import Visit
from ..quantification.normals import NormalDatabase
from ..reading.scan import write_volume
from ..reporting.comparison_page import comparison_bytes
from ..reporting.graph_drawing import patient_graphs
from ..reporting.overview import encode_png
from ..reporting.result_files import prepare_output, result_text
from ..reporting.wording import value_of
from .comparison import Comparison, Pair, compare_pair

COMPARISON_FILE, COMPARISON_TABLE = "comparison.json", "comparisons.csv"


def write_comparison(comparison: Comparison, folder: Path, report: bool = True) -> None:
    """Write `comparison.json`, both scans and their difference in MNI space, and the page.

    Args:
        comparison: of `compare_pair`.
        folder: is made if needed; files of a former comparison are replaced.
        report: also write `comparison.pdf`.

    Raises:
        DaTscanError: the folder cannot be written.
    """
    prepare_output(folder)
    volumes = {"before": comparison.before, "after": comparison.after, "difference": comparison.difference}
    for name, voxels in volumes.items():
        write_volume(folder / f"{name}.nii.gz", voxels, GRID_AFFINE, space="mni")
    graphs = visit_graphs(comparison)
    if graphs:
        atomic_write_bytes(folder / "normals.png", encode_png(graphs))
    if report:
        page = comparison_bytes(comparison.result, comparison.before, comparison.after, graphs)
        atomic_write_bytes(folder / "comparison.pdf", page)
    atomic_write_bytes(folder / COMPARISON_FILE, result_text(comparison.result).encode(errors="replace"))


def visit_graphs(comparison: Comparison):
    """Both scans among the normals, joined by a line; None without normals that fit the second scan."""
    before, after = comparison.result["before"], comparison.result["after"]
    measures = value_of(before, "quantification", "normals", "measures") or {}
    former = Visit(value_of(before, "patient", "age"), {key: entry["value"] for key, entry in measures.items()})
    return patient_graphs(after, comparison.normals, (former,) if measures else ())


def compare_many(pairs: list[Pair], folder: Path, normals: NormalDatabase | None = None, report: bool = True) -> int:
    """Compare each pair into a folder of its own and write `comparisons.csv`; the number of those that failed.

    Raises:
        DaTscanError: the folder cannot be written.
    """
    prepare_output(folder)
    rows = []
    for pair in pairs:
        try:
            comparison = compare_pair(pair, normals)
            write_comparison(comparison, folder / pair.name, report)
            rows.append(_row(pair, comparison.result, ""))
        except (DaTscanError, OSError) as error:
            rows.append(_row(pair, None, str(error)))
        print(
            f"[{len(rows)}/{len(pairs)}] {pair.name}: {rows[-1]['error'] or 'compared'}", file=sys.stderr, flush=True
        )
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    atomic_write_bytes(folder / COMPARISON_TABLE, text.getvalue().encode())
    return sum(bool(row["error"]) for row in rows)


_COLUMNS = ("caudate_left", "caudate_right", "putamen_left", "putamen_right", "striatum_left", "striatum_right")


def _row(pair, result, error):
    row = {"comparison": pair.name, "years": _number(pair.years)}
    row["same_camera"] = "" if result is None else str(result["same_camera"]).lower()
    for key in _COLUMNS:
        change = value_of(result or {}, "change", key) or {}
        row[f"percent_{key}"] = _number(change.get("percent"))
        row[f"verdict_{key}"] = change.get("verdict") or ""
    return {**row, "error": error}


def _number(value):
    return "" if value is None else f"{value:.4g}"
