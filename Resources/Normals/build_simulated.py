"""A database of simulated normals for each camera family of the simulator.

    PYTHONPATH=DaTscanAI python Resources/Normals/build_simulated.py FOLDER --workers 2
    PYTHONPATH=DaTscanAI python Resources/Normals/build_simulated.py FOLDER --cohort manifest.csv --families osem

Takes 45 normal scans of each family, stored as the camera writes them, from a cohort that was simulated before
(`Resources/Models/build_default_model.py` makes one); those that it lacks are simulated into FOLDER/FAMILY, where
finished ones are kept. Measures them and writes `simulated-FAMILY.json` beside this file. The cameras of a family
differ, so the limits are wide.
`--one-camera` takes the scans that `simulate --families butterworth --camera-seed 5 --label normal --count 36
--seed 991000 --storage plain` has written into FOLDER/normal, and writes `simulated-one-camera.json` alone.
"""

import argparse
import csv
import io
from pathlib import Path

from DaTscanAILib.base.files import atomic_write_bytes
from DaTscanAILib.batch.measuring import MeasuredScan
from DaTscanAILib.batch.normals_building import database_of, usable_normals
from DaTscanAILib.quantification.normals import normals_text
from DaTscanAILib.simulation.cameras import FAMILIES
from DaTscanAILib.simulation.cohort import simulate_cohort
from DaTscanAILib.simulation.simulator import Settings

HERE = Path(__file__).resolve().parent
SCANS, FIRST_SEED = 45, 980000
ONE_CAMERA = "simulated-one-camera"
_COLUMNS = ("scan", "age", "sex", "label")


def main(folder: Path, workers: int, families: list[str], cohort: Path | None) -> None:
    for family in families:
        (folder / family).mkdir(parents=True, exist_ok=True)
        rows = [] if cohort is None else cohort_normals(cohort, family)[:SCANS]
        if len(rows) < SCANS:
            simulated = (SCANS - len(rows), first_seed(family), workers, settings_of(family))
            rows += cohort_normals(simulate_cohort(folder / family, *simulated, storage="plain"), family)
        manifest = folder / family / "normals.csv"
        atomic_write_bytes(manifest, manifest_text(rows).encode())
        name = f"simulated-{family}"
        database = database_of(usable_normals(manifest, workers), name, simulated=True, several_cameras=True)
        atomic_write_bytes(HERE / f"{name}.json", normals_text(database).encode())


def cohort_normals(manifest: Path, family: str) -> list[dict[str, str]]:
    """Rows of a simulated cohort: normal scans of a family without any loss, stored as the camera writes them."""
    wanted = {"subtype": "normal", "site": family, "storage": "plain"}
    rows = csv.DictReader(manifest.read_text(encoding="utf-8").splitlines())
    return [
        {**row, "scan": str((manifest.parent / row["scan"]).resolve())}
        for row in rows
        if wanted.items() <= row.items()
    ]


def manifest_text(rows: list[dict[str, str]]) -> str:
    """Of scans that may come from several cohorts."""
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def write_one_camera(scans: list[MeasuredScan]) -> None:
    """The database of the measured scans of one camera."""
    database = database_of(scans, ONE_CAMERA, simulated=True)
    atomic_write_bytes(HERE / f"{ONE_CAMERA}.json", normals_text(database).encode())


def settings_of(family: str) -> Settings:
    """Of a family's normals."""
    return Settings(families=(family,), label="normal")


def first_seed(family: str) -> int:
    """Seed of a family's first normal."""
    return FIRST_SEED + 1000 * FAMILIES.index(family)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--one-camera", action="store_true")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--cohort", type=Path)
    options = parser.parse_args()
    if options.one_camera:
        write_one_camera(usable_normals(options.folder / "normal" / "manifest.csv", options.workers))
    else:
        main(options.folder, options.workers, options.families, options.cohort)
