"""Normal SBRs by age from prepared simulated scans.

    python -m DaTscanAILib simulate --count 2400 --seed 300000 --output TRAIN \\
        --families papers butterworth osem osem_ac
    python -m DaTscanAILib train TRAIN/manifest.csv --architecture compact --output MODEL
    python Resources/Templates/build_normal_values.py TRAIN/manifest.csv MODEL/work/prepared

A line over age through the hottest-voxels SBRs, mean of both sides, of the scans whose subtype is normal, and the
standard deviation of single sides about it. Writes normal_values.json.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np

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
