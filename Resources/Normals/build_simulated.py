"""A database of simulated normals for each camera family of the simulator.

    PYTHONPATH=DaTscanAI python Resources/Normals/build_simulated.py FOLDER --workers 2
    PYTHONPATH=DaTscanAI python Resources/Normals/build_simulated.py FOLDER --cohort manifest.csv --families osem

Takes 42 normal scans of each family, stored as the camera writes them, from a cohort that was simulated before
(`Resources/Models/build_default_model.py` makes one); those that it lacks are simulated into FOLDER/FAMILY, where
finished ones are kept. Measures them and writes `simulated-FAMILY.json` beside this file. The cameras of a family
differ, so the limits are wide. With `--measured` the numbers that the cohort's preparation or evaluation has written
are taken and nothing is simulated or measured again.
`--one-camera` takes the scans that `simulate --families butterworth --camera-seed 5 --label normal --count 36
--seed 991000 --storage plain` has written into FOLDER/normal, and writes `simulated-one-camera.json` alone.
`--refit` writes what ships again from the values that it holds, after the regression has changed.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from measured_before import normals_measured_before

from DaTscanAILib.base.files import atomic_write_bytes
from DaTscanAILib.batch.measuring import MeasuredScan, measure_cases
from DaTscanAILib.batch.normals_building import check_enough, database_of, usable_normals
from DaTscanAILib.quantification.normals import normals_text, read_normals, shipped_normals
from DaTscanAILib.reading.inputs import Case, collect_cases
from DaTscanAILib.simulation.cameras import FAMILIES
from DaTscanAILib.simulation.cohort import simulate_cohort
from DaTscanAILib.simulation.simulator import Settings

HERE = Path(__file__).resolve().parent
SCANS, FIRST_SEED = 42, 980000
ONE_CAMERA = "simulated-one-camera"


def main(folder: Path, workers: int, families: list[str], cohort: Path | None, measured: Path | None) -> None:
    for family in families:
        if measured:
            scans = normals_measured_before(cohort, measured, family, SCANS)
        else:
            scans = measured_normals(folder / family, workers, family, cohort)
        check_enough(len(scans), family)
        name = f"simulated-{family}"
        database = database_of(scans, name, simulated=True, several_cameras=True)
        atomic_write_bytes(HERE / f"{name}.json", normals_text(database).encode())
        print(f"{name}: {len(scans)} normals", flush=True)


def measured_normals(folder: Path, workers: int, family: str, cohort: Path | None) -> list[MeasuredScan]:
    """A family's normals, of the cohort as far as it has them, the others simulated into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = [] if cohort is None else plain_normals(cohort, family)[:SCANS]
    if len(cases) < SCANS:
        lacking = (SCANS - len(cases), first_seed(family), workers, settings_of(family))
        cases += plain_normals(simulate_cohort(folder, *lacking, storage="plain"), family)
    scans = [scan for scan in measure_cases(cases, workers) if scan.error is None]
    return [replace(scan, row=row) for row, scan in enumerate(scans, start=1)]


def plain_normals(manifest: Path, family: str) -> list[Case]:
    """Of a simulated cohort: normal scans of a family without any loss, stored as the camera writes them."""
    wanted = {"subtype": "normal", "storage": "plain"}
    return [
        case for case in collect_cases([manifest]) if case.site == family and wanted.items() <= case.other.items()
    ]


def write_one_camera(scans: list[MeasuredScan]) -> None:
    """The database of the measured scans of one camera."""
    database = database_of(scans, ONE_CAMERA, simulated=True)
    atomic_write_bytes(HERE / f"{ONE_CAMERA}.json", normals_text(database).encode())


def refit() -> None:
    """Write the shipped databases again: only what is there for people, `expected`, changes."""
    for name in shipped_normals():
        atomic_write_bytes(HERE / f"{name}.json", normals_text(read_normals(name)).encode())


def settings_of(family: str) -> Settings:
    """Of a family's normals."""
    return Settings(families=(family,), label="normal")


def first_seed(family: str) -> int:
    """Seed of a family's first normal."""
    return FIRST_SEED + 1000 * FAMILIES.index(family)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--one-camera", action="store_true")
    parser.add_argument("--refit", action="store_true")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--cohort", type=Path)
    parser.add_argument("--measured", type=Path)
    options = parser.parse_args()
    if options.refit:
        refit()
    elif options.folder is None:
        parser.error("give a folder, or --refit")
    elif options.one_camera:
        write_one_camera(usable_normals(options.folder / "normal" / "manifest.csv", options.workers))
    else:
        main(options.folder, options.workers, options.families, options.cohort, options.measured)
