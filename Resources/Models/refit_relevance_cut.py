"""Learns the cut on the lower putamen's relevance anew for a model that is ready, and writes it into its metadata.

    python Resources/Models/refit_relevance_cut.py Resources/Models/compact-ensemble WORK --count 100
    python Resources/Models/refit_relevance_cut.py Resources/Models/compact-ensemble WORK --count 100 \
        --version 0.2.2 --note "cut on the lower putamen's relevance learned anew"

Simulates scans of the training's heads and cameras with seeds of none of the model's cohorts (three normal ones to
two reduced and two with one putamen lost), registers them and makes the maps that a user gets; scans that are in WORK
are used again. Prints cut and band; with `--version` they go into `configs/metadata.json`, with an entry of the
changelog. Weights, their hashes and all other limits stay as they are.
"""

import argparse
import csv
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "DaTscanAI"))
sys.path.insert(0, str(HERE))

from build_default_model import SEEN_CAMERAS

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.files import atomic_write_bytes
from DaTscanAILib.base.parallel import in_order
from DaTscanAILib.classification.answer import Classifier
from DaTscanAILib.classification.model_folder import find_model
from DaTscanAILib.classification.orientation import mirrored_weight
from DaTscanAILib.reading.scan import Scan
from DaTscanAILib.simulation.anatomy import TRAINING_ANATOMIES
from DaTscanAILib.simulation.simulator import Settings, simulate_scan
from DaTscanAILib.training.preparation import prepare_scan
from DaTscanAILib.training.relevance_cut import cut_and_band, lower_putamen_means

FIRST_SEED = 700_000
KINDS = ("normal", "reduced", "normal", "one_putamen", "normal", "reduced", "one_putamen")
TRAINING_LIKE = Settings(anatomies=TRAINING_ANATOMIES, families=SEEN_CAMERAS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument("work", type=Path, help="folder of the scans")
    parser.add_argument("--count", type=int, default=210)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--version", help="of the model with the new cut, which is then written")
    parser.add_argument(
        "--note", default="cut on the lower putamen's relevance learned anew", help="for the changelog"
    )
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    seeds = range(FIRST_SEED, FIRST_SEED + options.count)
    kept = in_order(partial(prepared, folder=options.work), seeds, options.workers)
    known = [(seed, facts) for seed, facts in zip(seeds, kept, strict=True) if "error" not in facts]
    labels = np.array([facts["label"] == "reduced" for _, facts in known])
    values = relevances(find_model(options.model), options.work, known)
    write_table(options.work / "relevance.csv", known, values)
    cut, band = cut_and_band(labels, values)
    right = (values > cut) == labels
    lost = np.array([facts["subtype"] == "one_putamen" for _, facts in known])
    print(f"{len(labels)} scans, {labels.sum()} reduced: cut {cut}, band {band}")
    print(
        f"on the label's side {right.mean():.3f}, where one putamen is lost {right[lost].mean():.3f} of {lost.sum()}"
    )
    if options.version:
        write_rule(options.model / "configs" / "metadata.json", cut, band, options.version, options.note)


def prepared(seed: int, folder: Path) -> dict:
    """Label, subtype and what was measured of one scan, whose voxels are kept; `error` where it cannot be used."""
    file = folder / f"{seed}.json"
    if file.exists():
        return json.loads(file.read_text())
    kind = KINDS[(seed - FIRST_SEED) % len(KINDS)]
    chosen = {"label": kind} if kind == "reduced" else {"subtype": kind}
    scan = simulate_scan(seed, replace(TRAINING_LIKE, **chosen))
    facts = {"label": scan.degeneration.label, "subtype": scan.degeneration.subtype, "family": scan.camera.family}
    try:
        voxels, measured = prepare_scan(Scan(scan.voxels, scan.affine, Path(f"sim{seed}"), "simulated"))
    except DaTscanError as error:
        voxels, measured = None, {"error": str(error)}
    if voxels is not None and not measured["accepted"]:
        measured = {"error": f"the registration was not accepted (quality {measured['quality']:.2f})"}
    if "error" not in measured:
        np.save(folder / f"{seed}.npy", voxels)
    atomic_write_bytes(file, json.dumps({**facts, **measured}).encode())
    return {**facts, **measured}


def relevances(model, folder, known) -> np.ndarray:
    """`(scans,)`, of the maps that a user gets."""
    classifier = Classifier(model, "cpu")
    found = []
    for number, (seed, facts) in enumerate(known, 1):
        voxels = np.load(folder / f"{seed}.npy").astype(np.float32)
        asymmetry = facts["asymmetry_percent"]["putamen"]
        logits = classifier.logits([voxels], mirrored_weight(asymmetry))[:, 0]
        image = model.network_input(voxels, classifier.atlas)
        found += lower_putamen_means(classifier.maps, [image], [logits], [asymmetry], model, classifier.atlas)
        if number % 20 == 0 or number == len(known):
            print(f"maps: {number}/{len(known)}", file=sys.stderr, flush=True)
    return np.array(found)


def write_table(path, known, values):
    """One row a scan, so that another way to learn the cut costs no maps."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["seed", "label", "subtype", "camera", "relevance"])
        for (seed, facts), value in zip(known, values, strict=True):
            table.writerow([seed, facts["label"], facts["subtype"], facts["family"], f"{value:.6g}"])


def write_rule(path: Path, cut: float, band: tuple[float, float] | None, version: str, note: str) -> None:
    """Cut, band, version and changelog of a model's metadata; nothing else changes."""
    metadata = json.loads(path.read_text(encoding="utf-8"))
    changelog = {name: text for name, text in metadata.get("changelog", {}).items() if name != version}
    metadata |= {"version": version, "changelog": {version: note, **changelog}}
    rule = metadata["datscanai"]["rule"]
    new = {"relevance_cut": cut, "relevance_band": band}
    metadata["datscanai"]["rule"] = {
        name: value
        for key, old in rule.items()
        if key != "relevance_band"
        for name, value in (new.items() if key == "relevance_cut" else [(key, old)])
    }
    atomic_write_bytes(path, (json.dumps(metadata, indent=2) + "\n").encode())
    find_model(path.parents[1])  # reads it again, with all checks


if __name__ == "__main__":
    main()
