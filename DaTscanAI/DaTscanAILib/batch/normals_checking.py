"""A database of normals looked at: graphs, and each scan beside the others."""

import json
from dataclasses import asdict
from pathlib import Path

from ..base.files import atomic_write_bytes
from ..quantification.leave_one_out import LeftOut, leave_one_out
from ..quantification.normal_graphs import normal_graphs
from ..quantification.normals import NormalDatabase
from ..reporting.graph_drawing import graphs_image
from ..reporting.overview import encode_png
from ..reporting.result_files import prepare_output

CHECK_FILE, GRAPH_FILE = "check.json", "normals.png"
_SUSPECT = -3.0  # z-score: one normal of 700 lies below


def check_normals(database: NormalDatabase, folder: Path) -> dict[str, LeftOut]:
    """Write `normals.png` (women and men each their own curves) and `check.json`; the leave-one-out figures.

    Raises:
        DaTscanError: the folder cannot be written.
    """
    prepare_output(folder)
    left_out = leave_one_out(database)
    image = _graphs(database)
    atomic_write_bytes(folder / GRAPH_FILE, encode_png(image))
    content = {
        "name": database.name,
        "simulated": database.simulated,
        "scans": len(database.cases),
        "leave_one_out": {name: asdict(found) for name, found in left_out.items()},
    }
    atomic_write_bytes(folder / CHECK_FILE, (json.dumps(content, indent=1) + "\n").encode())
    return left_out


def describe_check(database: NormalDatabase, left_out: dict[str, LeftOut]) -> str:
    """The figures as a table for people, with the scans that deserve a second look."""
    lines = [database.source, "", "Each scan beside all others: z-scores of both sides; 0, 1 and 5 % are right."]
    lines.append(f"{'measure':<24}{'mean':>7}{'spread':>8}{'below -1.65':>13}{'lowest':>8}  row")
    for name, found in left_out.items():
        low = f"{100 * found.share_low:.0f} %"
        lines.append(f"{name:<24}{found.mean:>7.2f}{found.spread:>8.2f}{low:>13}{found.lowest:>8.1f}  {found.row}")
    rows = sorted({found.row for found in left_out.values() if found.lowest < _SUSPECT})
    if rows:
        lines.append(f"Look again at row {', '.join(map(str, rows))}: hardly a normal lies so low.")
    return "\n".join(lines)


def _graphs(database):
    from PIL import Image

    sexes = [sex for sex in ("F", "M") if any(case.sex == sex for case in database.cases)] or [None]
    rows = [graphs_image(normal_graphs(database, sex=sex), f"{database.source} {_CURVES[sex]}") for sex in sexes]
    image = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), "white")
    for index, row in enumerate(rows):
        image.paste(row, (0, index * row.height))
    return image


_CURVES = {"F": "Lines: women.", "M": "Lines: men.", None: ""}
