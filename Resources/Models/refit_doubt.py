"""Chooses a ready model's band of doubt and votes anew, on fresh scans and on lesions planted into them.

    python Resources/Models/refit_doubt.py Resources/Models/compact-ensemble WORK --count 420
    python Resources/Models/refit_doubt.py Resources/Models/compact-ensemble WORK --count 420 \
        --version 0.2.4 --note "band of doubt chosen anew"

Training chooses both on scans of the clinic's patterns, where errors are few and borderline scans take most of the
doubt that is allowed. Here scans of the training's heads and cameras, with seeds of none of the model's cohorts, are
read as they are and, the normal ones, with one more lesion in each of `COPIES` copies (`training/lesions.py`); the
rule leaves the fewest errors certain while no more than `--share` of the clear scans as they are is doubted. Scans
that are in WORK are used again. Prints what the old and the new rule leave; with `--version` the new one goes into
`configs/metadata.json`, with an entry of the changelog. Weights and all other limits stay as they are.
"""

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "DaTscanAI"))
sys.path.insert(0, str(HERE))

from refitting import TRAINING_LIKE, usable, write_rule

from DaTscanAILib.classification.answer import Classifier
from DaTscanAILib.classification.evidence import read_evidence
from DaTscanAILib.classification.grades import REGIONS
from DaTscanAILib.classification.model_folder import find_model
from DaTscanAILib.classification.orientation import mirrored_weight
from DaTscanAILib.simulation.simulator import Settings
from DaTscanAILib.training.doubt_calibration import with_doubt
from DaTscanAILib.training.lesions import is_reduced, plant
from DaTscanAILib.training.plans import PLANS
from DaTscanAILib.training.targets import SWAPPED

FIRST_SEED = 701_000
COPIES = 2
NATURAL, BORDERLINE, PLANTED = range(3)


@dataclass(frozen=True)
class Image:
    """One image that the model reads.

    Attributes:
        kind: `NATURAL`, `BORDERLINE` or `PLANTED`.
        reduced: the truth.
        logits: `(members, outputs)`.
    """

    kind: int
    reduced: bool
    logits: np.ndarray


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument("work", type=Path, help="folder of the scans")
    parser.add_argument("--count", type=int, default=420)
    parser.add_argument("--share", type=float, default=0.05, help="of the clear scans, that may be doubted")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--version", help="of the model with the new rule, which is then written")
    parser.add_argument("--note", default="band of doubt and votes chosen anew", help="for the changelog")
    options = parser.parse_args()
    known = usable(jobs(options.count), options.work, options.workers)
    model = find_model(options.model)
    images = read_images(Classifier(model, "cpu"), options.work, known)
    rule = chosen_rule(model.rule, images, options.share)
    for name, one in (("old", model.rule), ("new", rule)):
        print(f"{name}: {described(one)}; {counted(one, images)}")
    if options.version:
        new = {"doubt": rule.doubt, "sensitive_votes": rule.sensitive_votes, "specific_votes": rule.specific_votes}
        write_rule(options.model / "configs" / "metadata.json", new, options.version, options.note)


def jobs(count: int) -> list[tuple[int, Settings]]:
    """Seeds and settings of the scans: the clinic's mixture."""
    return [(FIRST_SEED + k, TRAINING_LIKE) for k in range(count)]


def read_images(classifier: Classifier, folder: Path, known: list[tuple[int, dict]]) -> list[Image]:
    """Every scan as it is, and copies of the normal ones with one more lesion."""
    found = []
    for number, (seed, facts) in enumerate(known, 1):
        voxels = np.load(folder / f"{seed}.npy").astype(np.float32)
        weight = mirrored_weight(facts["asymmetry_percent"]["putamen"])
        kind = BORDERLINE if facts["subtype"] == "borderline" else NATURAL
        found.append(Image(kind, facts["label"] == "reduced", classifier.logits([voxels], weight)[:, 0]))
        if facts["subtype"] == "normal":
            random, losses = np.random.default_rng(seed), losses_of(facts)
            for _ in range(COPIES):
                lesioned, after = plant(voxels, losses, random)
                found.append(Image(PLANTED, is_reduced(after), classifier.logits([lesioned])[:, 0]))
        if number % 20 == 0 or number == len(known):
            print(f"scans: {number}/{len(known)}", file=sys.stderr, flush=True)
    return found


def losses_of(facts: dict) -> np.ndarray:
    """`(regions,)` of `grades.REGIONS`, sides as in the prepared scan."""
    losses = np.array([facts[f"loss_{region}"] for region in REGIONS])
    return losses[list(SWAPPED)] if facts["mirrored"] else losses


def chosen_rule(rule, images: list[Image], share: float):
    """The rule with a band and votes of `with_doubt`; a scan's planted copies count as one scan."""
    kinds = np.array([one.kind for one in images])
    weights, usual = np.where(kinds == PLANTED, 1 / COPIES, 1.0), (kinds == NATURAL).astype(float)
    plan = replace(PLANS["compact-regional"], doubt_share=share)
    logits, labels = np.stack([one.logits for one in images]), np.array([int(one.reduced) for one in images])
    return with_doubt(rule, logits, labels, plan, weights, usual)


def described(rule) -> str:
    """Band and votes in words."""
    return f"band {rule.doubt}, sensitive votes {rule.sensitive_votes}, specific votes {rule.specific_votes}"


def is_doubted(rule, evidence) -> bool:
    """Whether band or votes doubt an answer."""
    return rule.label_of(evidence.probability) == "uncertain" or rule.votes_disagree(evidence.votes)


def counted(rule, images: list[Image]) -> str:
    """What a rule doubts and which errors it leaves certain, by kind of scan."""
    parts = []
    for kind, name in ((NATURAL, "clear scans"), (BORDERLINE, "borderline scans"), (PLANTED, "planted lesions")):
        of_kind = [one for one in images if one.kind == kind]
        evidence = [read_evidence(one.logits, rule) for one in of_kind]
        doubted = np.array([is_doubted(rule, one) for one in evidence], bool)
        answer = np.array([one.probability >= rule.threshold for one in evidence], bool)
        reduced = np.array([one.reduced for one in of_kind], bool)
        left = (answer != reduced) & ~doubted
        parts.append(
            f"{len(of_kind)} {name}: {doubted.sum()} doubted, {(answer != reduced).sum()} wrong, {left.sum()} of "
            f"them certain ({(left & reduced).sum()} reduced called normal)"
        )
    return "; ".join(parts)


if __name__ == "__main__":
    main()
