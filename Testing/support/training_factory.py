"""Prepared scans without simulation: brains of level 1 whose striata take up more or less, with noise."""

import csv
import json

import numpy as np

from DaTscanAILib.classification.grades import REGIONS
from DaTscanAILib.mni.atlas import GRID_SHAPE, load_atlas

LOSSES = tuple(f"loss_{region}" for region in REGIONS)


def write_prepared_cohort(folder, count, seed=0):
    """A manifest with the cache that `prepare_cases` would make of its scans; the scans themselves are empty files.

    Even numbers are normal (striatal level 5), odd ones reduced (left putamen, the lower one, at 1.5). The manifest
    states their origin and the regional losses.

    Returns:
        (manifest, cache folder)
    """
    folder.mkdir(parents=True)
    cache = folder / "cache"
    cache.mkdir()
    rows = []
    for number in range(count):
        name, label = f"sim{number:03d}", ("normal", "reduced")[number % 2]
        (folder / f"{name}.nii.gz").touch()
        np.save(cache / f"{name}.npy", prepared_volume(label, np.random.default_rng([seed, number])))
        facts = {
            "sbr": {},
            "sbr_aal": {},
            "asymmetry_percent": {},
            "mirrored": False,
            "quality": 1.0,
            "accepted": True,
        }
        (cache / f"{name}.json").write_text(json.dumps(facts))
        lost = {"loss_putamen_anterior_left", "loss_putamen_posterior_left"} if label == "reduced" else set()
        losses = {column: 0.85 if column in lost else 0.0 for column in LOSSES}
        rows.append({"case": name, "scan": f"{name}.nii.gz", "label": label, "origin": "simulated", **losses})
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["case", "scan", "label", "origin", *LOSSES])
        table.writeheader()
        table.writerows(rows)
    return folder / "manifest.csv", cache


def prepared_volume(label, random):
    """float16 `(91, 109, 91)`, reference level about 1."""
    atlas = load_atlas()
    volume = np.where(atlas.brain, 1.0, 0.2)
    for nucleus, side in ((n, s) for n in ("caudate", "putamen") for s in ("left", "right")):
        lowered = label == "reduced" and (nucleus, side) == ("putamen", "left")
        volume[atlas.anatomical_region(nucleus, side)] = (1.5 if lowered else 5.0) * random.uniform(0.9, 1.1)
    return (volume + random.normal(0, 0.15, GRID_SHAPE)).clip(0).astype(np.float16)
