"""Scans made ready for training and studies: registered, normalized, lower putamen left, cached on disk."""

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..base.parallel import in_order
from ..mni.atlas import GRID_SHAPE, load_atlas
from ..quantification.mirroring import ipsilateral_left
from ..quantification.sbr import quantify
from ..quantification.scaling import normalize
from ..reading.inputs import Case
from ..reading.scan import read_scan
from ..registration.affine import register


@dataclass(frozen=True)
class Prepared:
    """One case in MNI space.

    Attributes:
        case: as the manifest gives it.
        file: `.npy`, float16 `(91, 109, 91)`, reference level 1, lower putamen left.
        facts: numbers of the case: `sbr`, `sbr_aal`, `asymmetry_percent`, `mirrored`, `quality`, `accepted`; and
            `source`, name and bytes of its files.
    """

    case: Case
    file: Path
    facts: dict

    def load(self) -> np.ndarray:
        """The voxels as float32."""
        return np.load(self.file).astype(np.float32)


def prepare_cases(cases: list[Case], folder: Path, workers: int = 1) -> tuple[list[Prepared], dict[str, str]]:
    """Register, normalize and mirror every case once; what the folder has of the same files is used again.

    Args:
        cases: from `collect_cases`.
        folder: cache; one `.npy` and one `.json` file a case.
        workers: processes.

    Returns:
        The usable cases in their order, and `{case name: why it cannot be used}`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return _sorted_out(in_order(partial(_prepare_case, folder=folder), cases, workers), cases, folder)


def _sorted_out(results, cases, folder):
    usable, failed = [], {}
    for number, (case, facts) in enumerate(zip(cases, results, strict=True), 1):
        if isinstance(facts, str):
            failed[case.name] = facts
            print(f"[{number}/{len(cases)}] {case.name}: {facts}", file=sys.stderr, flush=True)
        else:
            usable.append(Prepared(case, folder / f"{case.name}.npy", facts))
    return usable, failed


def _prepare_case(case, folder):
    """Facts of a usable case, or the sentence that says why it is not."""
    if case.error:
        return case.error
    facts_file, source = folder / f"{case.name}.json", _source(case)
    if facts_file.exists():
        facts = json.loads(facts_file.read_text())
        if facts.get("source", source) == source:  # another manifest may give its cases the same names
            return facts
    try:
        voxels, facts = prepare_scan(read_scan(case.path, case.series, case.files))
    except DaTscanError as error:
        return str(error)
    if not facts["accepted"]:
        return f"{case.name}: the registration was not accepted (quality {facts['quality']:.2f})."
    temporary = folder / f".{case.name}.tmp.npy"
    np.save(temporary, voxels)
    facts["source"] = source
    facts_file.unlink(missing_ok=True)
    temporary.replace(folder / f"{case.name}.npy")
    atomic_write_bytes(facts_file, json.dumps(facts).encode())
    return facts


def _source(case):
    """Name and bytes of a case's files."""
    files = case.files or ([case.path] if case.path.is_file() else [])
    return [case.path.name, sum(file.stat().st_size for file in files)]


def prepare_scan(scan) -> tuple[np.ndarray, dict]:
    """float16 `(91, 109, 91)` with the lower putamen left, and the facts of `Prepared`."""
    atlas = load_atlas()
    registration = register(scan)
    normalized = normalize(scan.voxels, scan.affine, registration.scanner_from_mni, atlas)
    quantification = quantify(normalized, atlas)
    facts = {
        "sbr": quantification.sbr,
        "sbr_aal": quantification.sbr_aal,
        "asymmetry_percent": quantification.asymmetry_percent,
        "mirrored": quantification.mirrored,
        "quality": registration.quality,
        "accepted": registration.accepted,
    }
    voxels = ipsilateral_left(normalized.voxels, quantification.mirrored).astype(np.float16)
    assert voxels.shape == GRID_SHAPE
    return voxels, facts
