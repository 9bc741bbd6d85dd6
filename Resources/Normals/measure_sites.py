"""How far a site's own normals carry: sites drawn many times from simulated scans of one camera.

    PYTHONPATH=DaTscanAI python Resources/Normals/measure_sites.py FOLDER --save scans.json
    PYTHONPATH=DaTscanAI python Resources/Normals/measure_sites.py scans.json --site 20 30

FOLDER/normal and FOLDER/reduced hold scans of one camera (`simulate --camera-seed S`), FOLDER/foreign/NAME those of
others. Of the normals 60 random sites of the given size are made; all other normals, the reduced scans and those of
the foreign cameras are set beside each. What was measured is kept in a small file, from which the figures come again
without any scan. Prints tables in Markdown for `Resources/Documentation/normals.md`.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from DaTscanAILib.base.files import atomic_write_bytes
from DaTscanAILib.batch.measuring import MeasuredScan, measure_cases
from DaTscanAILib.batch.normals_building import database_of
from DaTscanAILib.quantification.fingerprint import Fingerprint
from DaTscanAILib.quantification.leave_one_out import leave_one_out
from DaTscanAILib.quantification.measures import KEYS, SIDED
from DaTscanAILib.quantification.normals import NormalDatabase
from DaTscanAILib.reading.inputs import Case, collect_cases

DRAWS, SEED = 60, 20261126
_LEAVE_OUT = 4  # of the sites: each takes as long as thirty others
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
        leave_one_out: (mean, spread, share below -1.645) of own scans beside the others, of the first sites.
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
    for draw in range(draws):
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
        for nucleus, found in leave_one_out(site).items() if draw < _LEAVE_OUT else ():
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


def z_scores(scan: MeasuredScan, site: NormalDatabase) -> dict[str, float] | None:
    """By key; None where the site's normals do not fit the scan (as `against_normals` has it, without its limits)."""
    if site.fingerprint.misfits(scan.fingerprint) or site.age_problem(scan.age):
        return None
    return {key: site.expected(key, scan.age, scan.sex).z(value) for key, value in scan.values.items()}


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


def scans_of(folder: Path, workers: int = 1) -> dict[str, list[MeasuredScan]]:
    """Those scans of a folder that can be used, by the name of their place."""
    places = {name: folder / name for name in ("normal", "reduced")}
    places |= {place.name: place for place in sorted((folder / "foreign").glob("*"))}
    return {
        name: [scan for scan in measure_cases(collect_cases([place / "manifest.csv"]), workers) if scan.error is None]
        for name, place in places.items()
    }


def scans_text(scans: dict[str, list[MeasuredScan]]) -> str:
    """The small file: one line a scan."""
    lines = {name: ",\n  ".join(json.dumps(_entry(scan)) for scan in found) for name, found in scans.items()}
    return "{\n" + ",\n".join(f' "{name}": [\n  {text}\n ]' for name, text in lines.items()) + "\n}\n"


def read_scans(path: Path) -> dict[str, list[MeasuredScan]]:
    """What `scans_text` wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return {name: [_scan(entry, row) for row, entry in enumerate(found, start=2)] for name, found in content.items()}


def _entry(scan):
    values = {key: round(value, 4) for key, value in scan.values.items()}
    return {"age": scan.age, "sex": scan.sex, "fingerprint": scan.fingerprint.to_json(), **values}


def _scan(entry, row):
    values = {key: entry[key] for key in KEYS}
    case = Case(f"scan {row}", None)
    return MeasuredScan(
        case, entry["age"], entry["sex"], values, Fingerprint.from_json(entry["fingerprint"]), row=row
    )


def main(source: Path, sizes: list[int], save: Path | None, workers: int) -> None:
    scans = read_scans(source) if source.is_file() else scans_of(source, workers)
    if save:
        atomic_write_bytes(save, scans_text(scans).encode())
    foreign = {name: found for name, found in scans.items() if name not in ("normal", "reduced")}
    for size in sizes:
        print(f"Sites of {size} of {len(scans['normal'])} normals\n")
        print(markdown(figures(scans["normal"], scans["reduced"], foreign, size)), "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("--site", type=int, nargs="+", default=[30])
    parser.add_argument("--save", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    main(options.source, options.site, options.save, options.workers)
