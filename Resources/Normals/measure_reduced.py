"""Which reduced scans a site's normals find, and which nobody could by these numbers: overlap with normal people.

    PYTHONPATH=DaTscanAI python Resources/Normals/measure_reduced.py scans.json --site 30

Takes the small file of `measure_sites.py --save`. Three readings of each scan: any caudate, putamen or striatum below
-1.645 by a random site's normals; the same by all normals together, which is about what normals without any sampling
error would say (the ceiling); and the first, or a caudate/putamen ratio above or an asymmetry beyond its 97 % limits.
"""

import argparse
from pathlib import Path

import numpy as np
from measure_sites import LOSSES, LOW, SEED, loss_of, lowest, read_scans, z_scores

from DaTscanAILib.batch.measuring import MeasuredScan
from DaTscanAILib.batch.normals_building import database_of
from DaTscanAILib.quantification.measures import RATIO, SIDED, SINGLE

READINGS = ("site", "all normals", "site, with ratio and asymmetry")
_DRAWS = 40
_BEYOND = 2.17  # 3 % of normals lie beyond it on either side together
_OUTSIDE_THE_ORDER = "focal"  # lesions of a part of a nucleus: hottest voxels are taken from what is left


def found_by(normals: list[MeasuredScan], reduced: list[MeasuredScan], size: int, draws: int = _DRAWS):
    """Share of the draws in which a scan is found.

    Returns:
        `(normals, 3)` and `(reduced, 3)` by `READINGS`; of a normal those draws in which it is not of the site
        (nor, by all normals, can it be left out). NaN where it never got a z.
    """
    random = np.random.default_rng(SEED)
    everybody = database_of(normals, "all", simulated=True)
    seen = {kind: np.full((draws, len(scans), 2), np.nan) for kind, scans in (("n", normals), ("r", reduced))}
    for draw in range(draws):
        order = random.permutation(len(normals))
        site = database_of([normals[index] for index in sorted(order[:size])], "site", simulated=True)
        for index in order[size:]:
            seen["n"][draw, index] = _readings(normals[index], site)
        for index, scan in enumerate(reduced):
            seen["r"][draw, index] = _readings(scan, site)
    return tuple(_shares(seen[kind], scans, everybody) for kind, scans in (("n", normals), ("r", reduced)))


def _readings(scan, site):
    """Whether a scan is low, and whether it is low or stands out; NaN without z."""
    z = z_scores(scan, site)
    if z is None:
        return np.nan, np.nan
    ratio = max(z[key] for key in SIDED[RATIO])
    stands_out = ratio > _BEYOND or max(abs(z[key]) for key in SINGLE) > _BEYOND
    return lowest(z) < LOW, lowest(z) < LOW or stands_out


def _shares(seen, scans, everybody):
    by_all = [_readings(scan, everybody)[0] for scan in scans]
    counted = np.maximum((~np.isnan(seen)).sum(axis=0), 1e-9)
    shares = np.nansum(seen, axis=0) / counted
    shares[counted < 1] = np.nan
    return np.column_stack([shares[:, 0], by_all, shares[:, 1]])


def markdown(normals: np.ndarray, reduced: np.ndarray, scans: list[MeasuredScan]) -> str:
    """One table: rows of losses and subtypes, columns of `READINGS`."""
    losses, subtypes = np.array([loss_of(scan) for scan in scans]), [scan.case.other["subtype"] for scan in scans]
    groups = [("other normals (false alarms)", normals), ("reduced", reduced)]
    ordered = np.array([subtype != _OUTSIDE_THE_ORDER for subtype in subtypes])
    groups.append((f"reduced, all but {_OUTSIDE_THE_ORDER}", reduced[ordered]))
    for low, high in zip(LOSSES, (*LOSSES[1:], 1.01), strict=True):
        groups.append((f"lost {low:.0%} to {min(high, 1):.0%}", reduced[(losses >= low) & (losses < high)]))
    for subtype in sorted(set(subtypes)):
        groups.append((subtype, reduced[[found == subtype for found in subtypes]]))
    lines = [f"| scans | number | {' | '.join(READINGS)} |", "|---|---|---|---|---|"]
    for name, found in groups:
        if len(found):
            lines.append(f"| {name} | {len(found)} | {' | '.join(_percent(column) for column in found.T)} |")
    return "\n".join(lines)


def _percent(shares):
    known = shares[~np.isnan(shares)]
    return f"{known.mean():.1%}" if len(known) else "-"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("scans", type=Path)
    parser.add_argument("--site", type=int, default=30)
    options = parser.parse_args()
    of = read_scans(options.scans)
    print(markdown(*found_by(of["normal"], of["reduced"], options.site), of["reduced"]))
