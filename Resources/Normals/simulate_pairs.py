"""The simulated people of `build_simulated.py` examined again, and again after a loss of 15 %.

    PYTHONPATH=DaTscanAI python Resources/Normals/simulate_pairs.py FOLDER --workers 2

FOLDER is that of `build_simulated.py`. Of each family the first people are examined by the same camera again
(FOLDER/FAMILY/again: position, field of view and noise are new), the same with 15 % less binding in every part of
both striata (FOLDER/FAMILY/loss), and a few patients twice (FOLDER/FAMILY/patients, patients_again). Scans that are
there are kept.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from build_simulated import first_seed, settings_of

from DaTscanAILib.simulation.cameras import FAMILIES
from DaTscanAILib.simulation.cohort import simulate_cohort
from DaTscanAILib.simulation.patterns import PARTS, Lesion

PEOPLE, PATIENTS = 8, 2  # of each family
LOST = 0.15
LOSS = Lesion({(part, side): LOST for part in PARTS for side in "LR"})
_FIRST_PATIENT = 500  # added to the seeds of the family's normals


def main(folder: Path, workers: int) -> None:
    for family in FAMILIES:
        normal = settings_of(family)
        patients = replace(normal, label="reduced")
        later = first_seed(family) + _FIRST_PATIENT
        _write(folder / family / "again", PEOPLE, first_seed(family), workers, normal, repeat=1)
        _write(folder / family / "loss", PEOPLE, first_seed(family), workers, normal, repeat=1, lesion=LOSS)
        _write(folder / family / "patients", PATIENTS, later, workers, patients)
        _write(folder / family / "patients_again", PATIENTS, later, workers, patients, repeat=1)


def _write(folder, count, seed, workers, settings, **more):
    folder.mkdir(parents=True, exist_ok=True)
    simulate_cohort(folder, count, seed, workers, settings, storage="plain", **more)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    main(options.folder, options.workers)
