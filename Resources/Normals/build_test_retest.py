"""What a repeated measurement of the same simulated person differs by: `test_retest.json`, for `compare`.

    PYTHONPATH=DaTscanAI python Resources/Normals/build_test_retest.py FOLDER --workers 2

FOLDER is that of `simulate_pairs.py`. Every scan is measured as `compare` measures it; of each camera family the
limits are fitted to its people and patients, of whom nothing has changed, and `shares.csv` beside the scans says how
many of them stay within, and how many losses of 15 % lie beyond: by the family's own limits, and by the widest, which
`compare` uses.
"""

import argparse
import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from simulate_pairs import LOST, PATIENTS, PEOPLE

from DaTscanAILib.base.files import atomic_write_bytes
from DaTscanAILib.batch.measuring import measure_cases
from DaTscanAILib.mni.atlas import SIDES
from DaTscanAILib.quantification.hottest_voxels import HOTTEST_VOLUME_ML
from DaTscanAILib.quantification.repeatability import Repeatability, fit_repeatability
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.simulation.cameras import FAMILIES

HERE = Path(__file__).resolve().parent
_LEVELS = (0.5, 1.0, 2.0, 3.0)  # SBRs at which families are compared


def main(folder: Path, workers: int) -> None:
    pairs = {family: measured_pairs(folder / family, workers) for family in FAMILIES}
    fits = {
        family: {nucleus: _fit(nucleus, same) for nucleus in HOTTEST_VOLUME_ML} for family, (same, _) in pairs.items()
    }
    widest = {nucleus: _widest([fit[nucleus] for fit in fits.values()]) for nucleus in HOTTEST_VOLUME_ML}
    people = sum(len(same) for same, _ in pairs.values())
    content = {
        "sentence": f"The measurement's limits are the widest of {len(FAMILIES)} simulated camera families "
        f"({people} simulated people, each scanned twice by one camera).",
        "measurement": {nucleus: asdict(fit) for nucleus, fit in widest.items()},
        "families": {family: {name: asdict(fit) for name, fit in found.items()} for family, found in fits.items()},
        "pairs": {family: len(same) for family, (same, _) in pairs.items()},
    }
    atomic_write_bytes(HERE / "test_retest.json", (json.dumps(content, indent=1) + "\n").encode())
    atomic_write_bytes(folder / "shares.csv", _shares(pairs, fits, widest).encode())


def measured_pairs(folder: Path, workers: int) -> tuple[list, list]:
    """(before, after) values of those of whom nothing has changed, and of those who lost 15 %."""
    first = _values(folder, workers, PEOPLE)
    again, loss = (_values(folder / name, workers) for name in ("again", "loss"))
    patients, patients_again = (_values(folder / name, workers, PATIENTS) for name in ("patients", "patients_again"))
    same = [*_paired(first, again), *_paired(patients, patients_again)]
    return same, _paired(first, loss)


def _values(folder, workers, most=None):
    cases = collect_cases([folder / "manifest.csv"])[:most]
    return {scan.case.name: scan.values for scan in measure_cases(cases, workers) if scan.error is None}


def _paired(before, after):
    return [(before[name], after[name]) for name in before if name in after]


def _fit(nucleus, pairs) -> Repeatability:
    return fit_repeatability(*_of(nucleus, pairs))


def _of(nucleus, pairs):
    keys = [f"{nucleus}_{side}" for side in SIDES]
    return np.array([[[values[key] for key in keys] for values in pair] for pair in pairs]).transpose(1, 0, 2)


def _widest(fits) -> Repeatability:
    """The fit with the largest limits, on average over the levels."""
    return max(fits, key=lambda fit: sum(fit.limit(level) / level for level in _LEVELS))


def _shares(pairs, fits, widest):
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["family", "limits", "nucleus", "pairs", "within", "losses", "found", "limit_percent_at_2"])
    for family, (same, lost) in pairs.items():
        for name, fit in (("own", fits[family]), ("widest", widest)):
            for nucleus in HOTTEST_VOLUME_ML:
                within, beyond = _inside(nucleus, same, fit[nucleus]), ~_inside(nucleus, lost, fit[nucleus])
                numbers = [within.size, f"{within.mean():.3f}", beyond.size, f"{beyond.mean():.3f}"]
                table.writerow([family, name, nucleus, *numbers, f"{50 * fit[nucleus].limit(2.0):.1f}"])
    return text.getvalue()


def _inside(nucleus, pairs, fit):
    before, after = _of(nucleus, pairs)
    limits = np.vectorize(fit.limit)(np.maximum((before + after) / 2, 0))
    return np.abs(after - before) <= limits


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=f"Losses of {100 * LOST:.0f} % are looked for.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    main(options.folder, options.workers)
