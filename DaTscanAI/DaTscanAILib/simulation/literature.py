"""Simulated scans measured as patients' scans were, set beside what was published.

Every scan is normalized with its true affine, so that the table judges the simulator and not the registration.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..base.files import atomic_write_bytes
from ..base.parallel import in_order
from ..evaluation.metrics import roc_auc
from ..mni.atlas import SIDES, load_atlas
from ..quantification.sbr import quantify
from ..quantification.scaling import normalize
from ..reconstruction.chang import chang_factors
from .anatomy import Region, load_anatomy
from .disease import TYPICAL_SHARES, draw_degeneration, draw_subtype
from .healthy_map import SPHERES, sphere_uptake
from .literature_page import Compared, Measured, page_text, table_text
from .published import PUBLISHED
from .simulator import Settings, draw_patient, simulate_scan, streams
from .uptake import draw_person, draw_uptake

TABLE_FILE = "simulated_against_published"
FAMILIES_OF_CORRECTION = {
    "none": ("papers", "butterworth", "osem"),
    "chang": ("chang",),
    "map": ("osem_ac", "osem_ac_rr"),
    "both": ("osem_ac", "osem_ac_rr"),
}
# `map` corrects attenuation alone, as in Lange 2014, whose gain of 15 % is that of the European data base for
# attenuation alone; `both` corrects scatter too. Two fifths are not corrected; half of each are normal.
_CORRECTIONS = ("none", "none", "chang", "map", "both")
_NUCLEI = ("putamen", "caudate", "striatum")
_STRIATUM = tuple(
    Region[f"{part}_{side}"] for part in ("CAUDATE", "ANTERIOR_PUTAMEN", "POSTERIOR_PUTAMEN") for side in "LR"
)
_PERSONS = 2000


def literature(folder: Path, count: int, seed: int, workers: int = 1) -> list[Compared]:
    """Simulate scans, measure them, write the table as CSV and for people to read (Markdown).

    Args:
        folder: gets `simulated_against_published.csv` and `.md`.
        count: of scans; half normal, half reduced.
        seed: of the first scan; scan k has seed + k.
        workers: processes.
    """
    records = []
    for record in in_order(partial(measure_scan, first=seed), range(seed, seed + count), workers):
        records.append(record)
        print(f"[{len(records)}/{count}] {record['label']}, {record['correction']}", file=sys.stderr, flush=True)
    figures = {**measures(records), **true_measures(seed)}
    rows = [Compared(one, figures[one.measure]) for one in PUBLISHED if one.measure in figures]
    command = f"python -m DaTscanAILib literature --count {count} --seed {seed} --output DIR"
    atomic_write_bytes(Path(folder) / f"{TABLE_FILE}.csv", table_text(rows).encode())
    atomic_write_bytes(Path(folder) / f"{TABLE_FILE}.md", page_text(rows, command).encode())
    return rows


# ---- one scan


def measure_scan(seed: int, first: int = 0) -> dict:
    """Plain numbers of the scan of a seed; its place after the `first` one decides correction and label."""
    place = seed - first
    correction = _CORRECTIONS[place % len(_CORRECTIONS)]
    label = ("normal", "reduced")[place // len(_CORRECTIONS) % 2]
    settings = settings_of(seed, correction, label)
    scan = simulate_scan(seed, settings)
    atlas = load_atlas()
    normalized = normalize(scan.voxels, scan.affine, scan.pose.scanner_from_mni, atlas)
    numbers = quantify(normalized, atlas)
    record = {
        "label": label,
        "correction": correction,
        "age": scan.person.age,
        "woman": scan.person.sex == "F",
        **{f"sbr_{nucleus}": _lower(numbers.sbr, nucleus) for nucleus in _NUCLEI},
        **{f"asymmetry_{nucleus}": value for nucleus, value in numbers.asymmetry_percent.items()},
        **_ratios(numbers.caudate_putamen_ratio.values()),
        **{f"uptake_{region}": value for region, value in sphere_uptake(normalized.voxels, atlas).items()},
        "recovery": 100 * _measured_in_own_outlines(scan, settings, normalized, atlas) / true_striatal_ratio(scan),
        "insula": float(normalized.voxels[_insula(atlas)].mean()) - 1,
    }
    if label == "normal" and correction == "none":
        record["chang_gain"] = _chang_gain(scan, atlas, record["sbr_putamen"])
    return record


def settings_of(seed: int, correction: str, label: str) -> Settings:
    """Settings of one scan; reduced ones have the clinic's shares of subtypes, without the atypical patterns."""
    return Settings(
        families=FAMILIES_OF_CORRECTION[correction],
        label=label,
        subtype=draw_subtype(label, np.random.default_rng(seed), TYPICAL_SHARES),
        scatter_corrected=correction == "both",
    )


def _lower(values, nucleus):
    return min(values[f"{nucleus}_{side}"] for side in SIDES)


def _ratios(sides):
    """The higher and the mean of the sides' caudate/putamen ratios; None where a putamen is all but gone."""
    known = [value for value in sides if value is not None]
    return {"ratio": max(known, default=None), "sides_ratio": float(np.mean(known)) if known else None}


def _measured_in_own_outlines(scan, settings, normalized, atlas):
    """SBR as in phantoms: mean within the true outlines of caudates and putamina over the mean background, less 1."""
    head = draw_patient(streams(scan.seed), settings).head
    head.pose = scan.pose
    inside = head.share_of(_STRIATUM, scan.affine, scan.voxels.shape)
    background = normalized.voxels[atlas.reference & normalized.covered].mean() * normalized.reference_level
    return float((inside * scan.voxels).sum() / inside.sum() / background) - 1


def true_striatal_ratio(scan) -> float:
    """Specific ratio of caudates and putamina of the scan's person, weighted with their volumes."""
    codes = load_anatomy(scan.anatomy).codes
    volumes = np.bincount(codes.ravel(), minlength=len(Region))[list(_STRIATUM)]
    return float(np.average([scan.uptake.specific_ratio[part.name.lower()] for part in _STRIATUM], weights=volumes))


def _insula(atlas):
    """Its outline outside the large striatal regions, where putamen and caudate shine in less."""
    numbers = [number for number, (name, *_) in atlas.names.items() if name.startswith("Insula")]
    striata = [atlas.hottest_voxels_region("striatum", side) for side in SIDES]
    return np.isin(atlas.labels, numbers) & ~striata[0] & ~striata[1]


def _chang_gain(scan, atlas, sbr):
    """Putamen SBR of the same image times Chang's factors of its own outline, over that without."""
    from ..reconstruction.tomo_to_image import head_outline

    pixel = scan.camera.pixel
    factors = chang_factors(head_outline(scan.voxels, pixel), pixel, scan.camera.chang_attenuation)
    corrected = normalize(scan.voxels * factors, scan.affine, scan.pose.scanner_from_mni, atlas)
    return _lower(quantify(corrected, atlas).sbr, "putamen") / sbr


# ---- all scans


def measures(records: list[dict]) -> dict[str, Measured]:
    """The figures of `PUBLISHED` that scans give, by their names; those without scans enough are left out."""
    uncorrected = _group(records, correction="none")
    healthy = _group(records, label="normal")
    age, women = _age_and_sex(healthy)
    found = {
        **_means_of_groups(records),
        **_quotients(records),
        **_means_of_corrected([record for record in healthy if record["correction"] != "none"]),
        "chang_gain_putamen": _mean(_group(uncorrected, label="normal"), "chang_gain"),
        "auc_putamen": _separation(uncorrected, "sbr_putamen"),
        "auc_insula": _separation(uncorrected, "insula"),
        "correlation_insula": _correlation(uncorrected, "insula", "sbr_putamen"),
        "age_loss_measured": age,
        "women_measured": women,
    }
    return {name: value for name, value in found.items() if value is not None}


def _means_of_groups(records):
    keys = (*(f"sbr_{nucleus}" for nucleus in _NUCLEI), "ratio", "asymmetry_putamen", "asymmetry_caudate")
    return {
        f"{key}_{label}_{correction}": _mean(_group(records, correction=correction, label=label), key)
        for correction in FAMILIES_OF_CORRECTION
        for label in ("normal", "reduced")
        for key in keys
    }


def _quotients(records):
    mean = {
        (nucleus, label, correction): _mean(_group(records, label=label, correction=correction), f"sbr_{nucleus}")
        for nucleus in ("putamen", "caudate")
        for label in ("normal", "reduced")
        for correction in ("none", "both")
    }
    return {
        **{
            f"reduced_over_normal_{nucleus}": _quotient(
                mean[nucleus, "reduced", "none"], mean[nucleus, "normal", "none"]
            )
            for nucleus in ("putamen", "caudate")
        },
        "both_over_none_putamen": _quotient(mean["putamen", "normal", "both"], mean["putamen", "normal", "none"]),
    }


def _means_of_corrected(records):
    return {name: _mean(records, name) for name in ("recovery", "sides_ratio", *(f"uptake_{one}" for one in SPHERES))}


def _group(records, **wanted):
    return [record for record in records if all(record[key] == value for key, value in wanted.items())]


def _mean(records, key):
    values = np.array([record[key] for record in records if record.get(key) is not None], float)
    if values.size < 2:
        return None
    spread = float(values.std(ddof=1))
    return Measured(float(values.mean()), spread, spread / np.sqrt(values.size), values.size)


def _quotient(above, below):
    if above is None or below is None:
        return None
    value = above.value / below.value
    error = value * np.hypot(above.error / above.value, below.error / below.value)
    return Measured(value, None, float(error), above.count + below.count)


def _separation(records, key):
    """Area under the ROC curve; lower values argue for reduced."""
    area = roc_auc([record["label"] == "reduced" for record in records], [-record[key] for record in records])
    return area and Measured(area.value, None, (area.high - area.low) / 3.92, area.count, highest=1.0)


def _correlation(records, first, second):
    """Pearson's, with the standard error of Fisher's transform taken back at the value."""
    if len(records) < 4:
        return None
    value = float(np.corrcoef([[record[key] for record in records] for key in (first, second)])[0, 1])
    return Measured(value, None, float((1 - value**2) / np.sqrt(len(records) - 3)), len(records), highest=1.0)


def _age_and_sex(records):
    """Loss per decade and women's surplus in percent of the mean at 65, each correction by its own mean."""
    means = {correction: _mean(_group(records, correction=correction), "sbr_putamen") for correction in _CORRECTIONS}
    if len(records) < 8 or None in means.values():
        return None, None
    values = np.array([record["sbr_putamen"] / means[record["correction"]].value for record in records])
    return _fit_age_and_sex(values, records)


def _fit_age_and_sex(values, records):
    """Least squares: value = level (1 + age part + sex part)."""
    design = np.array([(1.0, (record["age"] - 65) / 10, record["woman"]) for record in records], float)
    weights, *_ = np.linalg.lstsq(design, values, rcond=None)
    variance = ((values - design @ weights) ** 2).sum() / (len(values) - 3)
    errors = np.sqrt(variance * np.diag(np.linalg.pinv(design.T @ design))) / weights[0]
    loss, women = -weights[1] / weights[0], weights[2] / weights[0]
    return (
        Measured(100 * float(loss), None, 100 * float(errors[1]), len(values)),
        Measured(100 * float(women), None, 100 * float(errors[2]), len(values)),
    )


def true_measures(seed: int) -> dict[str, Measured]:
    """What needs no scan: the specific ratios of healthy persons that do not take SSRI."""
    random = np.random.default_rng(seed)
    healthy = draw_degeneration("normal", random)
    persons = [replace(draw_person(random), ssri=False) for _ in range(_PERSONS)]
    ratios = [draw_uptake(person, healthy, random).specific_ratio for person in persons]
    records = [{"age": person.age, "woman": person.sex == "F"} for person in persons]
    putamen = np.array([(ratio["anterior_putamen_l"] + ratio["posterior_putamen_l"]) / 2 for ratio in ratios])
    striatum = np.array([(ratio["caudate_l"] + 2 * level) / 3 for ratio, level in zip(ratios, putamen, strict=True)])
    age, women = _fit_age_and_sex(putamen, records)
    thalamus, _ = _fit_age_and_sex(np.array([ratio["thalamus"] for ratio in ratios]), records)
    spread = float(striatum.std(ddof=1))
    return {
        "age_loss_true": age,
        "women_true": women,
        "age_loss_thalamus": thalamus,
        "true_ratio": Measured(1 + float(striatum.mean()), spread, spread / np.sqrt(_PERSONS), _PERSONS),
    }
