"""Small folders of results for the batch page."""

import copy
import functools
import json
from pathlib import Path

import numpy as np
from picture_factory import GRID_SHAPE, RESULT, blob

from DaTscanAILib.reporting.page import Page
from DaTscanAILib.reporting.page_pictures import case_pictures
from DaTscanAILib.reporting.result_files import RESULT_FILE, table_row

HOSTILE = "</script><script>window.stolen=1</script><img src=x onerror=window.stolen=1>"
# case: answer, probability, right putamen, quality
ANSWERS = {
    "case-2": ("reduced", 0.974, 1.02, 0.93),
    "case-10": ("normal", 0.021, 3.4, 0.99),
    "case-1": ("uncertain", 0.5, 2.2, 0.61),
}
TRUNCATED = "scan.nii is truncated or damaged: copy or export it again."
REFUSED = f"scan.dcm is no DAT scan, it looks like {HOSTILE}: give the reconstruction of a DAT scan."


def result_of(case: str, answer, probability, putamen_right, quality, stamp="5a" * 32, warnings=()) -> dict:
    """A `result.json` of a case with pictures."""
    result = copy.deepcopy(RESULT) | {"case": case, "series": f"{case}.dcm, series 1, 01234567"}
    result["classification"] |= {"label": answer, "probability_reduced": probability}
    result["quantification"]["sbr"]["putamen_right"] = putamen_right
    result["registration"]["quality"] = quality
    files = [RESULT_FILE, "map.png", "report.pdf", "slices.png", "thumbnail.png"]
    return result | {"warnings": list(warnings), "inputs_sha256": stamp, "files": files}


def write_case(folder: Path, result: dict, pictures: dict[str, bytes]) -> dict:
    """A case's folder; its row of the table."""
    place = folder / result["case"]
    place.mkdir(exist_ok=True)
    for name, data in {**pictures, "report.pdf": b"%PDF-1.4"}.items():
        (place / name).write_bytes(data)
    (place / RESULT_FILE).write_text(json.dumps(result))
    return table_row(result["case"], result, None)


@functools.cache
def small_pictures() -> dict[str, bytes]:
    """Pictures of two round striata, of which the map marks one."""
    scan = np.ones(GRID_SHAPE, np.float32) + 4 * blob((26.0, 4.0, 3.0)) + 2 * blob((-26.0, 4.0, 3.0))
    return case_pictures(scan, blob((-26.0, 4.0, 3.0)) - 0.5 * blob((26.0, 4.0, 3.0)))


def write_small_batch(folder: Path, stamp="5a" * 32) -> Path:
    """Three answers, a failure without results, a refusal, and a name full of HTML; the page's path."""
    pictures = small_pictures()
    rows = [
        write_case(
            folder, result_of(case, *facts, stamp, [f"{HOSTILE} is noisy."] if case == "case-1" else []), pictures
        )
        for case, facts in ANSWERS.items()
    ]
    refused = result_of("refused", None, None, 0.4, 0.2) | {"refused": True, "error": REFUSED}
    refused["registration"]["accepted"] = False
    rows.append(write_case(folder, refused, pictures))
    rows += [table_row("broken", None, TRUNCATED), table_row(HOSTILE, None, TRUNCATED)]
    Page(folder).write(rows)
    return folder / "index.html"
