"""Do networks trained on real patients read simulated scans as labelled? The simulator's test from outside."""

import csv
import io
import json
import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..base.parallel import in_order
from ..classification.dat_spect_ud import ENSEMBLES, VOTES_NEEDED, load_ensemble, network_input, slab
from ..evaluation.metrics import share
from ..mni.atlas import load_atlas
from ..quantification.scaling import normalize
from ..reading.scan import Scan
from ..registration.affine import register
from ..registration.landmarks import landmark_error
from .disease import TYPICAL_SHARES, draw_subtype
from .simulator import Settings, simulate_scan

HEIGHTS = (0.0, 2.0, 4.0, 6.0, 8.0)  # mm MNI z, middles of the slabs
# The ensemble made for the highest accuracy, and what it must reach of normal and of reduced scans.
JUDGE, GOAL = "acc", 0.98


@dataclass(frozen=True, eq=False)
class Specimen:
    """One simulated scan, ready for the networks.

    Attributes:
        inputs: float32 `(heights, 72, 72)`; None where our own chain would refuse the registration.
        facts: `seed`, `label`, `subtype`, `severity`, `family`, `anatomy`, `landmark_error_mm`.
    """

    inputs: np.ndarray | None
    facts: dict


def realism(weights: Path, folder: Path, count: int, seed: int, workers: int = 1, true_affine: bool = False) -> dict:
    """Simulate scans, half of them normal and none borderline, and let the published ensembles read them.

    Args:
        weights: folder of the published weights.
        folder: gets `realism.csv` (the table), `realism_by_family.csv` (by camera and label), `realism_scans.csv`
            (votes of each scan), `realism.json` (all).
        count: of scans.
        seed: of the first scan; scan k has seed + k.
        workers: processes.
        true_affine: take the simulator's affine in place of our registration.

    Raises:
        DaTscanError: weights that are missing, or no registration that was accepted.
    """
    ensembles = {name: load_ensemble(weights, name) for name in ENSEMBLES}
    specimens = _make_specimens(count, seed, workers, true_affine)
    used = [specimen for specimen in specimens if specimen.inputs is not None]
    if not used:
        raise DaTscanError("No registration of a simulated scan was accepted: try --true-affine.")
    votes = {name: _votes(ensemble, used) for name, ensemble in ensembles.items()}
    summary = summarize([specimen.facts for specimen in used], votes)
    summary = {
        "scans": count,
        "seed": seed,
        "registration": "true affine" if true_affine else "own registration",
        "not_accepted": [specimen.facts for specimen in specimens if specimen.inputs is None],
        **summary,
    }
    _write(Path(folder), summary, [specimen.facts for specimen in used], votes)
    return summary


def _make_specimens(count, seed, workers, true_affine):
    done = []
    for specimen in in_order(partial(make_specimen, true_affine=true_affine), range(seed, seed + count), workers):
        done.append(specimen)
        print(f"[{len(done)}/{count}] {specimen.facts['subtype']}", file=sys.stderr, flush=True)
    return done


def make_specimen(seed: int, true_affine: bool = False) -> Specimen:
    """The scan of a seed, normal for even and reduced for odd ones, and its slabs."""
    scan = simulate_scan(seed, settings_of(seed))
    facts = {
        "seed": seed,
        "label": scan.degeneration.label,
        "subtype": scan.degeneration.subtype,
        "severity": round(scan.degeneration.severity, 3),
        "family": scan.camera.family,
        "anatomy": scan.anatomy,
        "landmark_error_mm": 0.0,
    }
    affine = scan.pose.scanner_from_mni
    if not true_affine:
        registration = register(Scan(scan.voxels, scan.affine, Path(f"sim{seed:06d}"), "simulated"))
        facts["landmark_error_mm"] = round(landmark_error(registration.scanner_from_mni, affine), 2)
        if not registration.accepted:
            return Specimen(None, facts)
        affine = registration.scanner_from_mni
    normalized = normalize(scan.voxels, scan.affine, affine, load_atlas())
    return Specimen(np.stack([network_input(slab(normalized.voxels, height)) for height in HEIGHTS]), facts)


def settings_of(seed: int) -> Settings:
    """Normal for even seeds, reduced for odd ones, with the clinic's shares of subtypes and no atypical patterns."""
    label = ("normal", "reduced")[seed % 2]
    return Settings(label=label, subtype=draw_subtype(label, np.random.default_rng(seed), TYPICAL_SHARES))


def _votes(ensemble, specimens):
    """Votes for reduced `(scans, heights)`."""
    return np.stack([ensemble.votes(specimen.inputs) for specimen in specimens])


def summarize(facts: list[dict], votes: dict[str, np.ndarray]) -> dict:
    """The table, each ensemble's best height, what it reads wrongly there, how often `sens` and `spec` differ.

    Args:
        facts: of each scan, see `Specimen`.
        votes: `{ensemble: (scans, heights) int}`.
    """
    truth = np.array([fact["label"] == "reduced" for fact in facts])[:, None]
    answers = {name: count >= VOTES_NEEDED[name] for name, count in votes.items()}
    table = [
        {"ensemble": name, "height_mm": height, **_counted((answer == truth)[:, k])}
        for name, answer in answers.items()
        for k, height in enumerate(HEIGHTS)
    ]
    best = {
        name: max((row for row in table if row["ensemble"] == name), key=lambda row: row["right"]) for name in votes
    }
    wrong = {
        name: _wrong(facts, (answer != truth)[:, HEIGHTS.index(best[name]["height_mm"])])
        for name, answer in answers.items()
    }
    by_label = {
        name: _by_label((answer == truth)[:, HEIGHTS.index(best[name]["height_mm"])], truth[:, 0])
        for name, answer in answers.items()
    }
    differ = (answers["sens"] != answers["spec"])[:, HEIGHTS.index(best[JUDGE]["height_mm"])]
    return {
        "table": table,
        "best": best,
        "by_label": by_label,
        "goal_reached": all(part["share"] >= GOAL for part in by_label[JUDGE].values()),
        "wrong": wrong,
        "wrong_by_subtype": {name: _grouped(facts, rows, "subtype") for name, rows in wrong.items()},
        "wrong_by_family": {name: _grouped(facts, rows, "family") for name, rows in wrong.items()},
        "wrong_by_anatomy": {name: _grouped(facts, rows, "anatomy") for name, rows in wrong.items()},
        "wrong_by_family_and_label": {name: _crossed(facts, rows) for name, rows in wrong.items()},
        f"uncertain_at_best_{JUDGE}_height": _counted(differ),
    }


def _by_label(right, reduced):
    """Counts of normal and of reduced scans; a label without scans is left out."""
    parts = {"normal": right[~reduced], "reduced": right[reduced]}
    return {label: _counted(part) for label, part in parts.items() if part.size}


def _counted(right):
    part = share(int(right.sum()), right.size)
    return {"right": int(right.sum()), "count": part.count, "share": part.value, "low": part.low, "high": part.high}


def _wrong(facts, wrong):
    return [fact for fact, is_wrong in zip(facts, wrong, strict=True) if is_wrong]


def _grouped(facts, wrong, key):
    """`{value: [wrong, all]}`."""
    counts = Counter(fact[key] for fact in wrong)
    return {value: [counts[value], total] for value, total in sorted(Counter(fact[key] for fact in facts).items())}


def _crossed(facts, wrong):
    """`{family: {label: [wrong, all]}}`."""
    families = sorted({fact["family"] for fact in facts})
    return {
        family: _grouped(*([fact for fact in part if fact["family"] == family] for part in (facts, wrong)), "label")
        for family in families
    }


def describe(summary: dict) -> str:
    """The summary as text."""
    lines = [f"{'ensemble':<9}" + "".join(f"  z = {height:+.0f} mm".ljust(26) for height in HEIGHTS)]
    for name in summary["best"]:
        cells = [
            f"  {row['share']:.1%} ({row['low']:.1%} to {row['high']:.1%})".ljust(26)
            for row in summary["table"]
            if row["ensemble"] == name
        ]
        lines.append((f"{name:<9}" + "".join(cells)).rstrip())
    count = summary["table"][0]["count"]
    lines.append(f"read as labelled, exact 95 % intervals, {count} simulated scans, {summary['registration']}")
    for name, best in summary["best"].items():
        by = [
            ", ".join(
                f"{value} {n} of {total}" for value, (n, total) in summary[f"wrong_by_{key}"][name].items() if n
            )
            for key in ("subtype", "family", "anatomy")
        ]
        lines.append(f"{name} wrong at {best['height_mm']:+.0f} mm: " + "; ".join(part or "none" for part in by))
        lines.append(
            f"{name} right at {best['height_mm']:+.0f} mm: "
            + ", ".join(
                f"{part['right']} of {part['count']} {label}" for label, part in summary["by_label"][name].items()
            )
        )
    uncertain = summary[f"uncertain_at_best_{JUDGE}_height"]
    lines.append(f"sens and spec differ on {uncertain['right']} of {uncertain['count']}")
    lines.append(f"registrations not accepted: {len(summary['not_accepted'])} of {summary['scans']}")
    reached = "reached" if summary["goal_reached"] else "missed"
    lines.append(f"goal of {GOAL:.0%} of normal and of reduced scans by {JUDGE} at its best height: {reached}")
    return "\n".join(lines)


def _write(folder, summary, facts, votes):
    atomic_write_bytes(folder / "realism.json", (json.dumps(summary, indent=1) + "\n").encode())
    _write_csv(folder / "realism.csv", summary["table"])
    _write_csv(folder / "realism_by_family.csv", _by_family(summary))
    rows = [
        {
            **fact,
            **{
                f"{name}_z{height:+.0f}": int(votes[name][k, h]) for name in votes for h, height in enumerate(HEIGHTS)
            },
        }
        for k, fact in enumerate(facts)
    ]
    _write_csv(folder / "realism_scans.csv", rows)


def _by_family(summary):
    """Rows of each ensemble, camera family and label at the ensemble's best height."""
    return [
        {
            "ensemble": name,
            "height_mm": summary["best"][name]["height_mm"],
            "family": family,
            "label": label,
            "right": count - wrong,
            "count": count,
        }
        for name, families in summary["wrong_by_family_and_label"].items()
        for family, labels in families.items()
        for label, (wrong, count) in labels.items()
    ]


def _write_csv(path, rows):
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    atomic_write_bytes(path, text.getvalue().encode())
