"""How far a site's own normals carry: sites drawn many times from simulated normals of one camera.

    PYTHONPATH=DaTscanAI python Resources/Normals/measure_sites.py NORMAL REDUCED --foreign OTHER... --site 30

Each argument is a folder that `simulate --camera-seed S` has filled. Of the measured normals 200 random sites of the
given size are made; all other normals and the reduced scans are set beside each, and so are the scans of the foreign
cameras. Prints a table in Markdown for `Resources/Documentation/normals.md`.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from DaTscanAILib.batch.measuring import MeasuredScan, measure_cases
from DaTscanAILib.batch.normals_building import database_of
from DaTscanAILib.quantification.against_normals import against_normals
from DaTscanAILib.quantification.leave_one_out import leave_one_out
from DaTscanAILib.quantification.measures import SIDED
from DaTscanAILib.quantification.normals import NormalDatabase
from DaTscanAILib.reading.inputs import collect_cases

DRAWS, SEED = 200, 20261126
LOW = -1.645
_NUCLEI = ("caudate", "putamen", "striatum")
_PUTAMINA = tuple(SIDED["putamen"])


@dataclass(frozen=True)
class SiteFigures:
    """Of all sites together; by nucleus where a dictionary.

    Attributes:
        sites: that were drawn.
        mean, spread, low: of the z-scores of other normals, both sides: mean, standard deviation, share below -1.645.
        mean_of_sites: standard deviation over the sites of their own means.
        leave_one_out: (mean, spread, share below -1.645) of each site's own scans beside the others.
        refused: share of the other normals of the same camera that get no z.
        reduced_low: share of reduced scans of which the lower putamen lies below -1.645.
        any_low: share of reduced scans of which any caudate, putamen or striatum does.
        normals_any_low: the same share of other normals.
        foreign_refused: by camera, share of its scans that get no z.
    """

    sites: int
    mean: dict[str, float]
    spread: dict[str, float]
    low: dict[str, float]
    mean_of_sites: dict[str, float]
    leave_one_out: dict[str, tuple[float, float, float]]
    refused: float
    reduced_low: float
    any_low: float
    normals_any_low: float
    foreign_refused: dict[str, float]


def figures(
    normals: list[MeasuredScan],
    reduced: list[MeasuredScan],
    foreign: dict[str, list[MeasuredScan]],
    size: int,
    draws: int = DRAWS,
) -> SiteFigures:
    """Draw sites of `size` normals and look at what they say of the other scans."""
    random = np.random.default_rng(SEED)
    z = {nucleus: [] for nucleus in _NUCLEI}
    left_out = {nucleus: [] for nucleus in _NUCLEI}
    refused, reduced_low, any_low, normals_any_low = [], [], [], []
    foreign_refused = {name: [] for name in foreign}
    for _ in range(draws):
        order = random.permutation(len(normals))
        site = database_of([normals[index] for index in sorted(order[:size])], "site", simulated=True)
        others = [z_scores(normals[index], site) for index in order[size:]]
        refused += [found is None for found in others]
        others = [found for found in others if found is not None]
        normals_any_low += [lowest(found) < LOW for found in others]
        sick = [found for scan in reduced if (found := z_scores(scan, site)) is not None]
        reduced_low += [min(found[key] for key in _PUTAMINA) < LOW for found in sick]
        any_low += [lowest(found) < LOW for found in sick]
        for nucleus in _NUCLEI:
            z[nucleus].append([[found[key] for key in SIDED[nucleus]] for found in others])
        for name, scans in foreign.items():
            foreign_refused[name] += [z_scores(scan, site) is None for scan in scans]
        for nucleus, found in leave_one_out(site).items():
            if nucleus in left_out:
                left_out[nucleus].append((found.mean, found.spread, found.share_low))
    together = {nucleus: np.concatenate([np.ravel(found) for found in z[nucleus]]) for nucleus in _NUCLEI}
    return SiteFigures(
        draws,
        {nucleus: float(found.mean()) for nucleus, found in together.items()},
        {nucleus: float(np.mean([np.std(site) for site in z[nucleus]])) for nucleus in _NUCLEI},
        {nucleus: float((found < LOW).mean()) for nucleus, found in together.items()},
        {nucleus: float(np.std([np.mean(site) for site in z[nucleus]])) for nucleus in _NUCLEI},
        {nucleus: tuple(np.mean(found, axis=0).tolist()) for nucleus, found in left_out.items()},
        float(np.mean(refused)),
        float(np.mean(reduced_low)) if reduced_low else float("nan"),
        float(np.mean(any_low)) if any_low else float("nan"),
        float(np.mean(normals_any_low)),
        {name: float(np.mean(found)) for name, found in foreign_refused.items()},
    )


def z_scores(scan: MeasuredScan, site: NormalDatabase) -> dict[str, float | None] | None:
    """By key; None where the site's normals do not fit the scan."""
    return against_normals(scan.values, scan.age, scan.sex, scan.fingerprint, site).z


def lowest(z: dict[str, float | None]) -> float:
    """The lowest of caudates, putamina and striata."""
    return min(z[key] for nucleus in _NUCLEI for key in SIDED[nucleus])


def markdown(found: SiteFigures) -> str:
    """The figures as two tables."""
    lines = [
        "| z-scores | mean | spread | below -1.645 | mean of a single site | leave one out |",
        "|---|---|---|---|---|---|",
    ]
    for nucleus in _NUCLEI:
        mean, spread, low = found.leave_one_out[nucleus]
        lines.append(
            f"| {nucleus} | {found.mean[nucleus]:+.2f} | {found.spread[nucleus]:.2f} | {found.low[nucleus]:.1%} | "
            f"± {found.mean_of_sites[nucleus]:.2f} | {mean:+.2f}, {spread:.2f}, {low:.1%} |"
        )
    lines += ["", "| scans | share |", "|---|---|"]
    lines.append(f"| other normals of the camera, no z | {found.refused:.1%} |")
    lines.append(f"| other normals of the camera, any region below -1.645 | {found.normals_any_low:.1%} |")
    lines.append(f"| reduced, lower putamen below -1.645 | {found.reduced_low:.1%} |")
    lines.append(f"| reduced, any region below -1.645 | {found.any_low:.1%} |")
    lines += [f"| {name}, no z | {share:.1%} |" for name, share in found.foreign_refused.items()]
    return "\n".join(lines)


def measured(folder: Path, workers: int) -> list[MeasuredScan]:
    """Those scans of a folder that can be used."""
    return [scan for scan in measure_cases(collect_cases([folder / "manifest.csv"]), workers) if scan.error is None]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("normal", type=Path)
    parser.add_argument("reduced", type=Path)
    parser.add_argument("--foreign", type=Path, nargs="*", default=[])
    parser.add_argument("--site", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    parts = [measured(folder, options.workers) for folder in (options.normal, options.reduced)]
    others = {str(folder): measured(folder, options.workers) for folder in options.foreign}
    print(markdown(figures(*parts, others, options.site)))
