"""How far a site's own normals carry: sites drawn many times from simulated scans of one camera.

    PYTHONPATH=DaTscanAI python Resources/Normals/measure_sites.py FOLDER --save scans.json
    PYTHONPATH=DaTscanAI python Resources/Normals/measure_sites.py scans.json --site 20 30
    PYTHONPATH=DaTscanAI python Resources/Normals/measure_sites.py manifest.csv --prepared PREPARED --family osem

FOLDER/normal and FOLDER/reduced hold scans of one camera (`simulate --camera-seed S`), FOLDER/foreign/NAME those of
others, counted by camera family. Of the normals 60 random sites of the given size are made; all other normals, the
reduced scans and those of the foreign cameras are set beside each. What was measured is kept in a small file, from
which the figures come again without any scan. `--one-grid` keeps the camera's scans of the commonest voxel size. The
third form takes the hundreds of scans of a camera family that `Resources/Models/build_default_model.py` has measured,
each of a camera of its own; without their fingerprints, so all of them get a z.
Prints tables in Markdown for `Resources/Documentation/normals.md`.
"""

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from DaTscanAILib.base.files import atomic_write_bytes
from DaTscanAILib.batch.measuring import MeasuredScan, measure_cases
from DaTscanAILib.batch.normals_building import database_of
from DaTscanAILib.mni.atlas import SIDES
from DaTscanAILib.quantification.fingerprint import Fingerprint
from DaTscanAILib.quantification.leave_one_out import leave_one_out
from DaTscanAILib.quantification.measures import KEYS, SIDED, measures_of_sbr
from DaTscanAILib.quantification.normals import NormalDatabase
from DaTscanAILib.reading.inputs import Case, collect_cases
from DaTscanAILib.simulation.cameras import FAMILIES
from DaTscanAILib.simulation.disease import LOSS_COLUMNS

DRAWS, SEED = 60, 20261126
_LEAVE_OUT = 4  # of the sites: each takes as long as thirty others
LOW = -1.645
_NUCLEI = ("caudate", "putamen", "striatum")
_FOUND = 0.95  # share of the reduced scans that is asked for
LOSSES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7)  # share that the hardest hit caudate or putamen has lost, of either side
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
        any_low_by_loss: the same of those whose hardest hit nucleus has lost from one of `LOSSES` to the next, and
            how many scans these are.
        found_from: the smallest loss from which on 95 % of the reduced scans have a region below -1.645; None if
            there is none.
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
    any_low_by_loss: dict[float, tuple[float, int]]
    found_from: float | None
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
    refused, reduced_low, any_low, normals_any_low, losses = [], [], [], [], []
    foreign_refused = {name: [] for name in foreign}
    for draw in range(draws):
        order = random.permutation(len(normals))
        site = database_of([normals[index] for index in sorted(order[:size])], "site", simulated=True)
        others = [z_scores(normals[index], site) for index in order[size:]]
        refused += [found is None for found in others]
        others = [found for found in others if found is not None]
        normals_any_low += [lowest(found) < LOW for found in others]
        sick = {index: seen for index, scan in enumerate(reduced) if (seen := z_scores(scan, site)) is not None}
        losses += [loss_of(reduced[index]) for index in sick]
        sick = list(sick.values())
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
        *_by_loss(losses, any_low, [loss_of(scan) for scan in reduced]),
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


def loss_of(scan: MeasuredScan) -> float:
    """Share of the binding that the hardest hit caudate or putamen has lost; of a manifest of simulated scans."""
    lost = {name: float(share) for name, share in scan.case.other.items() if name.startswith("loss_")}
    putamina = [
        (lost[f"loss_putamen_anterior_{side}"] + lost[f"loss_putamen_posterior_{side}"]) / 2 for side in SIDES if lost
    ]
    return max([*putamina, *(lost[f"loss_caudate_{side}"] for side in SIDES if lost)], default=float("nan"))


def _by_loss(losses, found, of_scans):
    """What `SiteFigures` has of the losses."""
    losses, found, of_scans = np.array(losses), np.array(found, float), np.array(of_scans)
    table = {}
    for low, high in zip(LOSSES, (*LOSSES[1:], 1.01), strict=True):
        there = (losses >= low) & (losses < high)
        if there.any():
            table[low] = (float(found[there].mean()), int(((of_scans >= low) & (of_scans < high)).sum()))
    enough = [least for least in np.arange(0, 0.95, 0.01) if (there := losses >= least).any()]
    enough = [least for least in enough if found[losses >= least].mean() >= _FOUND]
    return table, round(float(min(enough)), 2) if enough else None


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
    for (low, (share, count)), high in zip(found.any_low_by_loss.items(), _upper_ends(found), strict=True):
        lines.append(
            f"| of these, hardest hit nucleus has lost {low:.0%} to {high:.0%} ({count} scans) | {share:.1%} |"
        )
    if found.found_from is not None:
        lines.append(f"| loss from which on 95 % have a region below -1.645 | {found.found_from:.0%} |")
    lines += [f"| {name}, no z | {share:.1%} |" for name, share in found.foreign_refused.items()]
    return "\n".join(lines)


def _upper_ends(found):
    return [next((end for end in LOSSES if end > low), 1.0) for low in found.any_low_by_loss]


def prepared_scans(manifest: Path, prepared: Path, family: str) -> dict[str, list[MeasuredScan]]:
    """Scans that `training.preparation` has measured: normal (without any loss) and reduced ones of a family.

    Only those that are stored as the camera writes them.

    Args:
        manifest: of the cohort.
        prepared: folder of the measurements.
        family: of cameras.
    """
    found = {"normal": [], "reduced": []}
    rows = csv.DictReader(manifest.read_text(encoding="utf-8").splitlines())
    for number, row in enumerate(rows, start=2):
        facts = prepared / f"{row['case']}.json"
        kind = "normal" if row["subtype"] == "normal" else "reduced" if row["label"] == "reduced" else None
        if kind is None or (row["site"], row["storage"]) != (family, "plain") or not facts.is_file():
            continue
        values = measures_of_sbr(json.loads(facts.read_text(encoding="utf-8"))["sbr"])
        if None not in values.values():
            case = Case(f"scan {number}", None, other=row)
            found[kind].append(MeasuredScan(case, float(row["age"]), row["sex"], values, Fingerprint(), row=number))
    return found


def scans_of(folder: Path, workers: int = 1) -> dict[str, list[MeasuredScan]]:
    """Those scans of a folder that can be used, by the name of their place; foreign ones by the manifest's `site`."""
    found = {name: _usable(folder / name, workers) for name in ("normal", "reduced")}
    for place in sorted((folder / "foreign").glob("*")):
        for scan in _usable(place, workers):
            found.setdefault(scan.case.site or place.name, []).append(scan)
    return found


def _usable(place, workers):
    return [scan for scan in measure_cases(collect_cases([place / "manifest.csv"]), workers) if scan.error is None]


def of_one_grid(scans: dict[str, list[MeasuredScan]]) -> dict[str, list[MeasuredScan]]:
    """Normal and reduced scans of the voxel size that most normals have, foreign ones as they are.

    A hospital exports one grid; the simulator exports some of a camera's scans on finer or turned ones.
    """
    sizes = [scan.fingerprint.voxel_mm for scan in scans["normal"]]
    usual = max(set(sizes), key=sizes.count)
    own = {
        name: [scan for scan in scans[name] if scan.fingerprint.voxel_mm == usual] for name in ("normal", "reduced")
    }
    return {**scans, **own}


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
    losses = {
        name: float(share) for name, share in scan.case.other.items() if name.startswith("loss_") if float(share)
    }
    entry = {"age": scan.age, "sex": scan.sex, "fingerprint": scan.fingerprint.to_json(), **values}
    subtype = {"subtype": scan.case.other["subtype"]} if scan.case.other.get("subtype") else {}
    return {**entry, **({"lost": losses} if losses else {}), **subtype}


def _scan(entry, row):
    values = {key: entry[key] for key in KEYS}
    lost = dict.fromkeys(LOSS_COLUMNS, "0") | {name: str(share) for name, share in entry.get("lost", {}).items()}
    case = Case(f"scan {row}", None, other={**lost, "subtype": entry.get("subtype", "")})
    return MeasuredScan(
        case, entry["age"], entry["sex"], values, Fingerprint.from_json(entry["fingerprint"]), row=row
    )


def main(
    source: Path,
    sizes: list[int],
    save: Path | None,
    workers: int,
    prepared: Path | None,
    family: str | None,
    one_grid: bool,
) -> None:
    if prepared:
        scans = prepared_scans(source, prepared, family)
    else:
        scans = read_scans(source) if source.is_file() else scans_of(source, workers)
    if save:
        atomic_write_bytes(save, scans_text(scans).encode())
    scans = of_one_grid(scans) if one_grid else scans
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
    parser.add_argument("--prepared", type=Path)
    parser.add_argument("--family", choices=FAMILIES)
    parser.add_argument("--one-grid", action="store_true", help="only scans of the commonest voxel size")
    options = parser.parse_args()
    main(
        options.source,
        options.site,
        options.save,
        options.workers,
        options.prepared,
        options.family,
        options.one_grid,
    )
