"""What a repeated measurement of the same simulated person differs by: `test_retest.json`, for `compare`.

    PYTHONPATH=DaTscanAI python Resources/Normals/build_test_retest.py FOLDER --workers 2

Normal people of one camera are simulated into FOLDER/normal and examined again (FOLDER/again: position, field of view
and noise are new). The limits come from the first 16. They are tried on 20 others, who are also examined again after
15 % of the binding in every part of both striata is lost (FOLDER/loss). Scans that are there are kept. All are
measured as `compare` measures them. Prints how many of the others stay within the limits while nothing has changed,
and how many of their losses lie beyond.
"""

import argparse
import json
from dataclasses import asdict, dataclass
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
SEED, OF_LIMITS, OF_CHECK = 991000, 16, 20
SETTINGS = Settings(families=("butterworth",), camera_seed=5, label="normal")
LOSS = Lesion({(part, side): 0.15 for part in PARTS for side in "LR"})
# By folder: first seed, people, and what is new in them.
EXAMINATIONS = {
    "normal": (SEED, OF_LIMITS + OF_CHECK, {}),
    "again": (SEED, OF_LIMITS + OF_CHECK, {"repeat": 1}),
    "loss": (SEED + OF_LIMITS, OF_CHECK, {"repeat": 1, "lesion": LOSS}),
}
Values = dict[str, float]


@dataclass(frozen=True)
class Checked:
    """Of a nucleus, over the sides of all people of the check.

    Attributes:
        values: how many, of either examination.
        difference: root mean square of what a repeated scan differs by, percent.
        limit: at an SBR of 2, percent.
        within: share of repeated scans within the limits.
        measured_loss: mean of what the loss of 15 % is measured as, percent.
        beyond: share of those losses beyond the limits.
    """

    values: int
    difference: float
    limit: float
    within: float
    measured_loss: float
    beyond: float


def main(folder: Path, workers: int) -> None:
    for name, (seed, people, more) in EXAMINATIONS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        simulate_cohort(folder / name, people, seed, workers, SETTINGS, storage="plain", **more)
    values = {name: _values(folder / name, workers) for name in EXAMINATIONS}
    of_limits = {f"sim{SEED + person}" for person in range(OF_LIMITS)}
    first, again, loss = values.values()
    fits = limits_of([(first[who], again[who]) for who in first if who in again and who in of_limits])
    write_limits(fits, len([who for who in again if who in of_limits]))
    same = [(first[who], again[who]) for who in first if who in again and who not in of_limits]
    lost = [(first[who], loss[who]) for who in first if who in loss and who not in of_limits]
    for nucleus, found in check(fits, same, lost).items():
        print(
            f"{nucleus}: {found.values} repeated values differ by {found.difference:.1f} % (root mean square), limit "
            f"at SBR 2 {found.limit:.1f} %, {found.within:.1%} within; a loss of 15 % is measured as "
            f"{found.measured_loss:.1f} %, {found.beyond:.1%} beyond"
        )


def limits_of(pairs: list[tuple[Values, Values]]) -> dict[str, Repeatability]:
    """By nucleus, of people scanned twice: values of `measures.KEYS`, before and after."""
    return {nucleus: careful_fit(*_of(nucleus, pairs)) for nucleus in HOTTEST_VOLUME_ML}


def write_limits(fits: dict[str, Repeatability], people: int) -> None:
    """Write `test_retest.json`."""
    content = {
        "sentence": f"The measurement's limits are those of one simulated camera ({people} normal people scanned "
        "twice); other cameras may need wider ones.",
        "measurement": {nucleus: asdict(fit) for nucleus, fit in fits.items()},
    }
    atomic_write_bytes(HERE / "test_retest.json", (json.dumps(content, indent=1) + "\n").encode())


def check(
    fits: dict[str, Repeatability], same: list[tuple[Values, Values]], lost: list[tuple[Values, Values]]
) -> dict[str, Checked]:
    """Limits tried on people who did not make them.

    Args:
        fits: of `limits_of`.
        same: before and after, nothing has changed.
        lost: before and after a loss of 15 %.
    """
    return {nucleus: _checked(nucleus, fit, same, lost) for nucleus, fit in fits.items()}


def careful_fit(before: np.ndarray, after: np.ndarray) -> Repeatability:
    """Constant and share that each hold all that was seen.

    Normal people alone cannot part the two, and a share alone would call noise a change where little is bound.
    """
    level = float((before + after).mean() / 2)
    deviation = float(np.sqrt(np.mean((after - before) ** 2) / 2))
    return Repeatability(round(deviation, 4), round(deviation / level, 4))


def _checked(nucleus, fit, same, lost):
    differences, losses = (_percent(nucleus, pairs) for pairs in (same, lost))
    return Checked(
        values=differences.size,
        difference=float(np.sqrt(np.mean(differences**2))),
        limit=50 * fit.limit(2.0),
        within=float(_inside(nucleus, same, fit).mean()),
        measured_loss=float(losses.mean()),
        beyond=float((~_inside(nucleus, lost, fit)).mean()),
    )


def _values(folder, workers):
    cases = collect_cases([folder / "manifest.csv"])
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
