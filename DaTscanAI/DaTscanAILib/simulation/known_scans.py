"""Simulated scans on which maps are judged: the clinic's patterns, and pairs with and without a planted lesion.

This room holds them, not `evaluation`, because a room imports only from those before it; the tests themselves need no
simulator and lie in `evaluation/map_examination.py`.
"""

import json
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..base.parallel import in_order
from ..evaluation.map_examination import KnownScan
from ..evaluation.map_localization import PlantedLesion, centers_of_difference
from ..mni.atlas import load_atlas
from ..quantification.mirroring import ipsilateral_left
from ..quantification.sbr import quantify
from ..quantification.scaling import normalize
from ..reading.scan import Scan
from ..registration.affine import register
from .anatomy import HELD_OUT
from .patterns import Lesion
from .simulator import Settings, simulate_scan

FIRST_SEED = 960_000  # used for nothing else
# Neither heads nor cameras of the default model's training.
UNSEEN = Settings(anatomies=HELD_OUT, families=("chang", "osem_ac_rr"))
LOSS = 0.7  # of a planted lesion
_PARTS = {"caudate": "caudate", "putamen_anterior": "anterior_putamen", "putamen_posterior": "posterior_putamen"}
_SIDES = {"left": ("L",), "right": ("R",), "both": ("L", "R")}
_OTHER = {"left": "right", "right": "left", "both": "both"}
LESIONS = tuple((kind, side) for kind in _PARTS for side in _SIDES)


@dataclass(frozen=True)
class Extent:
    """How many scans of each kind.

    Attributes:
        normal, reduced, one_putamen: scans of the clinic's patterns; the last with one putamen lost.
        heads: healthy heads, in each of which lesions are planted one at a time.
        lesions: of `LESIONS`, how many a head gets; they take turns.
    """

    normal: int
    reduced: int
    one_putamen: int
    heads: int
    lesions: int


QUICK_EXTENT, FULL_EXTENT = Extent(8, 8, 8, 6, 3), Extent(24, 30, 24, 8, 9)


def known_scans(folder: Path, extent: Extent, workers: int = 1) -> list[KnownScan]:
    """Simulated, registered and scaled scans; those that registration refuses are left out.

    Args:
        folder: cache, so that another model is judged on the same scans.
        workers: processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = in_order(partial(_prepare, folder=folder), jobs(extent), workers)
    return [_read(folder / name) for group in names for name in group]


def jobs(extent: Extent) -> list[tuple]:
    """`(seed, subtype, lesions)`: one simulated person each."""
    found, seed = [], FIRST_SEED
    for subtype, count in (("normal", extent.normal), (None, extent.reduced), ("one_putamen", extent.one_putamen)):
        found += [(seed + k, subtype, ()) for k in range(count)]
        seed += 1000
    for head in range(extent.heads):
        chosen = [LESIONS[(head * extent.lesions + k) % len(LESIONS)] for k in range(extent.lesions)]
        found.append((seed + head, "normal", tuple(chosen)))
    return found


def _prepare(job, folder) -> list[str]:
    """Names of the scans of one person that could be used."""
    seed, subtype, lesions = job
    settings = replace(UNSEEN, subtype=subtype, label=None if subtype else "reduced")
    if not lesions:
        return _kept(folder, f"{seed}_{subtype or 'reduced'}", partial(_clinical, seed, settings))
    names = []
    for kind, side in lesions:
        names += _kept(folder, f"{seed}_{kind}_{side}", partial(_lesioned, seed, settings, kind, side))
    return names


def _kept(folder, name, make):
    file = folder / f"{name}.json"
    if not file.exists():
        try:
            voxels, facts = make()
        except DaTscanError as error:
            voxels, facts = np.zeros(0), {"error": str(error)}
        np.save(folder / f"{name}.npy", voxels.astype(np.float16))
        atomic_write_bytes(file, json.dumps(facts).encode())
    return [] if "error" in json.loads(file.read_text()) else [name]


def _clinical(seed, settings):
    scan = simulate_scan(seed, settings)
    voxels, _, _ = _in_mni(scan, scan)
    degeneration = scan.degeneration
    return voxels, {"label": degeneration.label, "subtype": degeneration.subtype}


def _lesioned(seed, settings, kind, side):
    losses = {(_PARTS[kind], letter): LOSS for letter in _SIDES[side]}
    without, lesioned = _healthy(seed, settings), simulate_scan(seed, settings, Lesion(losses))
    voxels, mirrored, of_healthy = _in_mni(lesioned, without)
    seen = _OTHER[side] if mirrored else side
    centers = centers_of_difference(of_healthy, voxels, ("left", "right") if seen == "both" else (seen,))
    lesion = {"kind": kind, "side": seen, "centers": centers.tolist()}
    return voxels, {"label": "reduced", "subtype": f"{kind}_{side}", "lesion": lesion}


@lru_cache(maxsize=1)  # as in `pairs.simulate_pair`, but once for all lesions of a head
def _healthy(seed, settings):
    return simulate_scan(seed, settings)


def _in_mni(scan, other):
    """A scan normalized by its own registration, lower putamen left; whether mirrored; another scan in its place."""
    atlas = load_atlas()
    registration = register(Scan(scan.voxels, scan.affine, Path(f"sim{scan.seed}"), "simulated"))
    if not registration.accepted:
        raise DaTscanError(f"sim{scan.seed}: the registration was not accepted (quality {registration.quality:.2f}).")
    normalized = normalize(scan.voxels, scan.affine, registration.scanner_from_mni, atlas)
    mirrored = quantify(normalized, atlas).mirrored
    there = normalize(other.voxels, other.affine, registration.scanner_from_mni, atlas)
    return ipsilateral_left(normalized.voxels, mirrored), mirrored, ipsilateral_left(there.voxels, mirrored)


def _read(path):
    facts = json.loads(path.with_suffix(".json").read_text())
    lesion = facts.get("lesion")
    if lesion:
        lesion = PlantedLesion(lesion["kind"], lesion["side"], np.array(lesion["centers"]))
    voxels = np.load(path.with_suffix(".npy")).astype(np.float32)
    return KnownScan(path.name, facts["label"], facts["subtype"], voxels, lesion)
