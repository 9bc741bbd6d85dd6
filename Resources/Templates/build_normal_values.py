"""Normal SBRs by age from prepared simulated scans.

    python -m DaTscanAILib simulate --count 2400 --seed 300000 --output TRAIN \\
        --families papers butterworth osem osem_ac
    python -m DaTscanAILib train TRAIN/manifest.csv --architecture compact --output MODEL
    python Resources/Templates/build_normal_values.py TRAIN/manifest.csv MODEL/work/prepared

A line over age through the hottest-voxels SBRs, mean of both sides, of the scans whose subtype is normal, and the
standard deviation of single sides about it. Writes normal_values.json. Also prints, for all scans of each camera
family, the rank correlation of the putamen's SBR with its true specific ratio, mean of its front and back half.
"""

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

HERE = Path(__file__).resolve().parent
NUCLEI = ("caudate", "putamen", "striatum")
SIDES = ("left", "right")


def main(manifest, prepared):
    with Path(manifest).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["subtype"] == "normal"]
    used = [(float(row["age"]), path) for row in rows if (path := Path(prepared) / f"{row['case']}.json").exists()]
    ages = np.array([age for age, _ in used])
    sbr = [json.loads(path.read_text())["sbr"] for _, path in used]
    middle = float(np.round(ages.mean()))
    fits = {nucleus: fit(ages - middle, sides(sbr, nucleus)) for nucleus in NUCLEI}
    content = {"scans": len(used), "ages": [ages.min(), ages.max()], "middle_age": middle, "sbr": fits}
    (HERE / "normal_values.json").write_text(json.dumps(content, indent=1) + "\n")
    print(json.dumps(content, indent=1))
    print_rank_correlation(Path(manifest).parent, Path(prepared))


def print_rank_correlation(scans, prepared):
    pairs = defaultdict(list)
    for path in sorted(prepared.glob("*.json")):
        measured = json.loads(path.read_text())["sbr"]
        truth = json.loads((scans / path.name).read_text())
        ratio = truth["true_specific_ratio"]
        for side in SIDES:
            halves = [ratio[f"{half}_putamen_{side[0]}"] for half in ("anterior", "posterior")]
            pairs[truth["camera"]["family"]].append((measured[f"putamen_{side}"], np.mean(halves)))
    for family, values in sorted(pairs.items()):
        correlation = spearmanr(*zip(*values, strict=True)).statistic
        print(f"{family}: rank correlation {correlation:.3f} over {len(values)} putamina")


def sides(sbr, nucleus):
    """`(scans, 2)`."""
    return np.array([[values[f"{nucleus}_{side}"] for side in SIDES] for values in sbr])


def fit(years, values):
    slope, mean = np.polyfit(years, values.mean(axis=1), 1)
    left_over = values - (mean + slope * years)[:, None]
    return {
        "mean": round(float(mean), 4),
        "slope_per_year": round(float(slope), 5),
        "sd": round(float(left_over.std(ddof=2)), 4),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
