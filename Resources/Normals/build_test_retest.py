"""What a repeated measurement of the same simulated person differs by: `test_retest.json`, for `compare`.

    PYTHONPATH=DaTscanAI python Resources/Normals/build_test_retest.py FOLDER --workers 2

Eight normal people of one camera are simulated into FOLDER/normal, examined again (FOLDER/again: position, field of
view and noise are new) and again after 15 % of the binding in every part of both striata is lost (FOLDER/loss). Scans
that are there are kept. All are measured as `compare` measures them. Prints how many of those of whom nothing has
changed stay within the limits, and how many losses lie beyond.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from DaTscanAILib.base.files import atomic_write_bytes
from DaTscanAILib.batch.measuring import measure_cases
from DaTscanAILib.mni.atlas import SIDES
from DaTscanAILib.quantification.hottest_voxels import HOTTEST_VOLUME_ML
from DaTscanAILib.quantification.repeatability import Repeatability
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.simulation.cohort import simulate_cohort
from DaTscanAILib.simulation.patterns import PARTS, Lesion
from DaTscanAILib.simulation.simulator import Settings

HERE = Path(__file__).resolve().parent
PEOPLE, SEED = 8, 991000
SETTINGS = Settings(families=("butterworth",), camera_seed=5, label="normal")
LOSS = Lesion({(part, side): 0.15 for part in PARTS for side in "LR"})
EXAMINATIONS = {"normal": {}, "again": {"repeat": 1}, "loss": {"repeat": 1, "lesion": LOSS}}


def main(folder: Path, workers: int) -> None:
    for name, more in EXAMINATIONS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        if len(list((folder / name).glob("sim*.nii.gz"))) < PEOPLE:
            simulate_cohort(folder / name, PEOPLE, SEED, workers, SETTINGS, storage="plain", **more)
    write_limits({name: _values(folder / name, workers) for name in EXAMINATIONS})


def write_limits(values: dict[str, dict[str, dict[str, float]]]) -> None:
    """Write `test_retest.json` and print the shares.

    Args:
        values: by examination and person, of `measures.KEYS`.
    """
    same, lost = ([(before, values[name][who]) for who, before in values["normal"].items()] for name in _AFTER)
    fits = {nucleus: careful_fit(*_of(nucleus, same)) for nucleus in HOTTEST_VOLUME_ML}
    content = {
        "sentence": f"The measurement's limits are those of one simulated camera ({len(same)} normal people scanned "
        "twice); other cameras may need wider ones.",
        "measurement": {nucleus: asdict(fit) for nucleus, fit in fits.items()},
    }
    atomic_write_bytes(HERE / "test_retest.json", (json.dumps(content, indent=1) + "\n").encode())
    for nucleus, fit in fits.items():
        inside, beyond = _inside(nucleus, same, fit), ~_inside(nucleus, lost, fit)
        differences, losses = (_percent(nucleus, pairs) for pairs in (same, lost))
        print(
            f"{nucleus}: difference {np.sqrt(np.mean(differences**2)):.1f} % (root mean square), limit at SBR 2 "
            f"{50 * fit.limit(2.0):.1f} %, {inside.sum()} of {inside.size} within; loss measured as "
            f"{losses.mean():.1f} %, {beyond.sum()} of {beyond.size} beyond"
        )


def careful_fit(before: np.ndarray, after: np.ndarray) -> Repeatability:
    """Constant and share that each hold all that was seen.

    Normal people alone cannot part the two, and a share alone would call noise a change where little is bound.
    """
    level = float((before + after).mean() / 2)
    deviation = float(np.sqrt(np.mean((after - before) ** 2) / 2))
    return Repeatability(round(deviation, 4), round(deviation / level, 4))


_AFTER = ("again", "loss")


def _values(folder, workers):
    cases = collect_cases([folder / "manifest.csv"])[:PEOPLE]
    return {scan.case.name: scan.values for scan in measure_cases(cases, workers) if scan.error is None}


def _of(nucleus, pairs):
    """`(people, 2)` of both sides, before and after."""
    keys = [f"{nucleus}_{side}" for side in SIDES]
    return np.array([[[values[key] for key in keys] for values in pair] for pair in pairs]).transpose(1, 0, 2)


def _inside(nucleus, pairs, fit):
    before, after = _of(nucleus, pairs)
    return np.abs(after - before) <= np.vectorize(fit.limit)((before + after) / 2)


def _percent(nucleus, pairs):
    before, after = _of(nucleus, pairs)
    return 100 * (after / before - 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    main(options.folder, options.workers)
