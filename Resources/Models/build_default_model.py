"""The default model from nothing: cohorts, reference, training, evaluation, card.

    python Resources/Models/build_default_model.py WORK --workers 2
    python Resources/Models/build_default_model.py WORK --workers 2 --step train
    python Resources/Models/build_default_model.py WORK --workers 2 --step install

Steps run in their order, each takes up what an interrupted run has left, and each says what it did. `install`, which
copies the model into `Resources/Models` and its references into `Resources/Templates`, runs only when asked for.
Nothing but simulated scans is used. `--scale` makes all cohorts smaller, to try the script.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
TEMPLATES = HERE.parent / "Templates"
sys.path.insert(0, str(HERE.parents[1] / "DaTscanAI"))
sys.path.insert(0, str(HERE))

import claim
import default_model_card as card

from DaTscanAILib.base.files import atomic_write_bytes
from DaTscanAILib.batch.options import Options
from DaTscanAILib.classification.model_folder import DEFAULT_MODEL
from DaTscanAILib.classification.weights import file_sha256
from DaTscanAILib.evaluation.evaluate import describe, evaluate
from DaTscanAILib.explanation.reference import SHIPPED, Reference
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.simulation.anatomy import HELD_OUT, TRAINING_ANATOMIES
from DaTscanAILib.simulation.cohort import simulate_cohort
from DaTscanAILib.simulation.patterns import ATYPICAL_SHARES
from DaTscanAILib.simulation.simulator import Settings
from DaTscanAILib.simulation.storage import STORAGES
from DaTscanAILib.training.plans import PLANS, shortened
from DaTscanAILib.training.preparation import prepare_cases
from DaTscanAILib.training.train import train

SEEN_CAMERAS = ("papers", "butterworth", "osem", "osem_ac")
UNSEEN_CAMERAS = ("chang", "osem_ac_rr")
TRAINING_SCANS, TRAINING_SEED = 4200, 300_000
NORMAL = SHIPPED["normal"][1]
METADATA = Path("configs", "metadata.json")
GROUPS = ("site", "subtype", "severity", "storage", "anatomy")


@dataclass(frozen=True)
class Cohort:
    """Scans to evaluate on.

    Attributes:
        name: of its folder and of its column in the card.
        count, seed: of its scans.
        settings: of the simulator.
        storage: of the files; None draws it.
        seen: what of it training has seen, for the card.
    """

    name: str
    count: int
    seed: int
    settings: Settings
    storage: str | None
    seen: str


def cohorts() -> list[Cohort]:
    """All evaluation cohorts; none of their scans is among the training's."""
    unseen = Settings(anatomies=HELD_OUT, families=UNSEEN_CAMERAS)
    nothing = "neither heads nor cameras"
    found = [
        Cohort("unseen", 200, 320_000, unseen, None, nothing),
        Cohort("unseen_smoothed", 60, 320_000, replace(unseen, smoothing=18.0), "plain", nothing),
        Cohort("seen", 60, 321_000, Settings(TRAINING_ANATOMIES, SEEN_CAMERAS), None, "heads and cameras"),
    ]
    for number, storage in enumerate(name for name in STORAGES if name != "plain"):
        found.append(Cohort(f"stored_{storage}", 10, 322_000 + 100 * number, unseen, storage, nothing))
    for number, subtype in enumerate(ATYPICAL_SHARES):
        found.append(
            Cohort(f"pattern_{subtype}", 10, 324_000 + 100 * number, replace(unseen, subtype=subtype), None, nothing)
        )
    return found


def simulate(work, options):
    """Training scans."""
    settings = Settings(anatomies=TRAINING_ANATOMIES, families=SEEN_CAMERAS)
    _simulate(work / "cohorts" / "training", options.scans, TRAINING_SEED, settings, None, options)


def simulate_others(work, options):
    """Evaluation scans."""
    for one in cohorts():
        _simulate(work / "cohorts" / one.name, one.count, one.seed, one.settings, one.storage, options)


def _simulate(folder, count, seed, settings, storage, options):
    folder.mkdir(parents=True, exist_ok=True)
    count = max(round(count * options.scale), 4)
    if (folder / "manifest.csv").exists():
        return
    simulate_cohort(folder, count, seed, options.workers, settings, storage=storage)
    print(f"{folder.name}: {count} scans, seeds from {seed}, {settings}")


def prepare(work, options):
    """Registration, scaling and mirroring of the training scans."""
    cases = collect_cases([work / "cohorts" / "training" / "manifest.csv"])
    prepared, failed = prepare_cases(cases, work / "model" / "work" / "prepared", options.workers)
    print(f"{len(prepared)} training scans prepared, {len(failed)} refused by registration or quantification")


def references(work, options):
    """The mean normal scan, which the networks see minus each scan."""
    script, manifest = TEMPLATES / "build_references.py", work / "cohorts" / "training" / "manifest.csv"
    given = [manifest, work / "model" / "work" / "prepared", "--output", work / "references"]
    subprocess.run([sys.executable, script, *given, "--workers", str(options.workers)], check=True)


def train_model(work, options):
    """Inputs, members, calibration."""
    path = work / "references" / NORMAL
    reference = Reference(SHIPPED["normal"][0], path, file_sha256(path))
    given = {"epochs": options.epochs, "members": options.members, "spares": options.spares}
    plan = shortened(PLANS["compact-regional"], reference=reference, **given)
    manifest = work / "cohorts" / "training" / "manifest.csv"
    model = train(manifest, work / "model", plan, "cpu", options.workers)
    print(f"{len(model.weights)} members. {model.trained_on}")
    print(f"rule: {model.rule}")


def evaluate_model(work, options):
    """Every cohort through the whole chain; accuracy, doubt by source, grades, patterns."""
    for one in cohorts():
        manifest, output = work / "cohorts" / one.name / "manifest.csv", work / "evaluation" / one.name
        if not (output / "evaluation.json").exists():
            given = Options(output, model=str(work / "model"), workers=options.workers, resume=True, report=False)
            summary, _ = evaluate(manifest, given, GROUPS, ("subtype", "borderline"))
            print(f"== {one.name}\n{describe(summary)}\n{json.dumps(summary['parts']['doubt'])}")
        else:
            print(f"== {one.name}: evaluated already ({output / 'evaluation.json'})")


def examine_maps(work, options):
    """The gates of the maps, by `explain-check`; its exit status only says whether all are reached."""
    arguments = [work / "model", "--output", work / "gates", "--workers", str(options.workers), "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "DaTscanAI")}
    subprocess.run([sys.executable, "-m", "DaTscanAILib", "explain-check", *arguments], env=environment)
    print((work / "gates" / "explain_check.md").read_text(encoding="utf-8"))


def write_card(work, _):
    """The model's page from the evaluations, with what each figure's scans share with the training."""
    found = {}
    for one in cohorts():
        text = (work / "evaluation" / one.name / "evaluation.json").read_text(encoding="utf-8")
        found[one.name] = {"seen": one.seen, **json.loads(text)}
    metadata = json.loads((work / "model" / METADATA).read_text(encoding="utf-8"))
    gates = (work / "gates" / "explain_check.md").read_text(encoding="utf-8")
    text = claim.with_section(card.page(metadata, found, gates), metadata)
    atomic_write_bytes(work / "model" / "docs" / "README.md", text.encode())
    print(f"{work / 'model' / 'docs' / 'README.md'}: {len(text.splitlines())} lines")


def install(work, options):
    """The model without its working files in the place of the shipped one, whose changes it goes on listing."""
    target = HERE / DEFAULT_MODEL
    earlier = json.loads((target / METADATA).read_text(encoding="utf-8")).get("changelog", {})
    for part in ("configs", "models", "docs"):
        shutil.rmtree(target / part, ignore_errors=True)
        shutil.copytree(work / "model" / part, target / part)
    shutil.copy(work / "model" / "reference.nii.gz", target)
    metadata = json.loads((target / METADATA).read_text(encoding="utf-8"))
    version = options.version or metadata["version"]
    earlier = {name: text for name, text in earlier.items() if name != version}
    metadata |= {"version": version, "changelog": {version: options.note, **earlier}}
    atomic_write_bytes(target / METADATA, (json.dumps(metadata, indent=2) + "\n").encode())
    page = target / "docs" / "README.md"
    atomic_write_bytes(page, claim.with_section(page.read_text(encoding="utf-8"), metadata).encode())
    for path in (work / "references").iterdir():
        shutil.copy(path, TEMPLATES)
        _list_hash(path)
    sizes = [path.stat().st_size for path in target.rglob("*") if path.is_file()]
    print(f"{target}: {len(sizes)} files, {sum(sizes) / 2**20:.1f} MiB, largest {max(sizes) / 2**20:.1f} MiB")


def _list_hash(path):
    """A changed template in the list that a test holds."""
    listed = TEMPLATES / "SHA256SUMS"
    lines = [line for line in listed.read_text().splitlines() if line.split("  ")[1] != path.name]
    lines = sorted([*lines, f"{file_sha256(path)}  {path.name}"], key=lambda line: line.split("  ")[1])
    listed.write_text("\n".join(lines) + "\n")


STEPS = {
    "simulate": simulate,
    "prepare": prepare,
    "references": references,
    "train": train_model,
    "simulate-others": simulate_others,
    "evaluate": evaluate_model,
    "gates": examine_maps,
    "card": write_card,
}
ON_REQUEST = {"install": install}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder of cohorts, model and evaluations; 15 GB for all")
    parser.add_argument("--step", choices=[*STEPS, *ON_REQUEST], help="this one only (default: all but install)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of scans, to try the script")
    parser.add_argument("--scans", type=int, default=TRAINING_SCANS, help=f"to train on (default {TRAINING_SCANS})")
    for name in ("--epochs", "--members", "--spares"):
        parser.add_argument(name, type=int, help="in place of the plan's")
    parser.add_argument("--version", help="of the installed model (default: the software's)")
    parser.add_argument("--note", default="trained anew", help="what is new in it, for its changelog")
    options = parser.parse_args()
    for name, step in STEPS.items() if options.step is None else [(options.step, (STEPS | ON_REQUEST)[options.step])]:
        start = time.monotonic()
        step(options.work, options)
        print(f"-- {name}: {(time.monotonic() - start) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
