"""A database of simulated normals for each camera family of the simulator.

    PYTHONPATH=DaTscanAI python Resources/Normals/build_simulated.py FOLDER --workers 2

Simulates 22 normal scans of each family into FOLDER/FAMILY (those that are there are kept), measures them, and
writes `simulated-FAMILY.json` beside this file. The cameras of a family differ, so the limits are wide.
`--one-camera` takes the scans that `simulate --families butterworth --camera-seed 5 --label normal --count 36
--seed 991000 --storage plain` has written into FOLDER/normal, and writes `simulated-one-camera.json` alone.
"""

import argparse
from pathlib import Path

from DaTscanAILib.base.files import atomic_write_bytes
from DaTscanAILib.batch.measuring import MeasuredScan
from DaTscanAILib.batch.normals_building import database_of, usable_normals
from DaTscanAILib.quantification.normals import normals_text
from DaTscanAILib.simulation.cameras import FAMILIES
from DaTscanAILib.simulation.cohort import simulate_cohort
from DaTscanAILib.simulation.simulator import Settings

HERE = Path(__file__).resolve().parent
SCANS, FIRST_SEED = 22, 980000
ONE_CAMERA = "simulated-one-camera"


def main(folder: Path, workers: int, one_camera: bool) -> None:
    if one_camera:
        write_one_camera(usable_normals(folder / "normal" / "manifest.csv", workers))
        return
    for family in FAMILIES:
        scans = folder / family
        scans.mkdir(parents=True, exist_ok=True)
        manifest = simulate_cohort(scans, SCANS, first_seed(family), workers, settings_of(family), storage="plain")
        name = f"simulated-{family}"
        database = database_of(usable_normals(manifest, workers), name, simulated=True, several_cameras=True)
        atomic_write_bytes(HERE / f"{name}.json", normals_text(database).encode())


def write_one_camera(scans: list[MeasuredScan]) -> None:
    """The database of the measured scans of one camera."""
    database = database_of(scans, ONE_CAMERA, simulated=True)
    atomic_write_bytes(HERE / f"{ONE_CAMERA}.json", normals_text(database).encode())


def settings_of(family: str) -> Settings:
    """Of a family's normals."""
    return Settings(families=(family,), label="normal", pose="moderate", field="camera")


def first_seed(family: str) -> int:
    """Seed of a family's first normal."""
    return FIRST_SEED + 1000 * FAMILIES.index(family)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--one-camera", action="store_true")
    options = parser.parse_args()
    main(options.folder, options.workers, options.one_camera)
