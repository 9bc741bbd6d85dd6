"""Simulated normals that another step has measured, `training.preparation` or `evaluate`: none is registered again.

What they wrote is the scan in MNI space and its SBRs; the fingerprint follows from the first and from the header of
the scan's file.
"""

import csv
import gzip
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from DaTscanAILib.batch.measuring import MeasuredScan
from DaTscanAILib.quantification.fingerprint import fingerprint_of
from DaTscanAILib.quantification.measures import measures_of_sbr
from DaTscanAILib.quantification.mirroring import ipsilateral_left
from DaTscanAILib.reading.inputs import Case
from DaTscanAILib.reading.nifti import parse_nifti
from DaTscanAILib.reading.scan import Camera
from DaTscanAILib.reading.volume_file import VolumeFile, read_voxels

_HEADER = 540  # bytes


def normals_measured_before(manifest: Path, measured: Path, family: str, count: int) -> list[MeasuredScan]:
    """The first normal scans of a camera family without any loss, stored as the camera writes them.

    Args:
        manifest: of the simulated cohort.
        measured: folder of the preparation (`CASE.npy`, `CASE.json`) or of the evaluation (`CASE/result.json`).
        family: of cameras.
        count: at most.
    """
    wanted = {"subtype": "normal", "site": family, "storage": "plain"}
    rows = [
        row
        for row in csv.DictReader(manifest.read_text(encoding="utf-8").splitlines())
        if wanted.items() <= row.items()
    ]
    scans = []
    for row in rows:
        found = _of_preparation(measured, row["case"]) or _of_evaluation(measured, row["case"])
        values = measures_of_sbr(found[0]) if found else {"": None}
        if None not in values.values() and len(scans) < count:
            fingerprint = fingerprint_of(_header_of(manifest.parent / row["scan"]), found[1])
            case = Case(row["case"], None, age=float(row["age"]), sex=row["sex"])
            scans.append(MeasuredScan(case, case.age, case.sex, values, fingerprint, row=len(scans) + 1))
    return scans


def _of_preparation(folder, name):
    """SBRs and the scan in MNI space; None where it was not prepared."""
    if not (folder / f"{name}.npy").is_file():
        return None
    facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    voxels = np.load(folder / f"{name}.npy").astype(np.float32)
    return facts["sbr"], ipsilateral_left(voxels, facts["mirrored"])


def _of_evaluation(folder, name):
    """The same; None where it was not evaluated or the registration was not accepted."""
    if not (folder / name / "result.json").is_file():
        return None
    result = json.loads((folder / name / "result.json").read_text(encoding="utf-8"))
    if not result["registration"]["accepted"] or not result["quantification"]:
        return None
    return result["quantification"]["sbr"], read_voxels(_volume(folder / name / "normalized.nii.gz"), name)


def _volume(path) -> VolumeFile:
    with gzip.open(path) as file:
        return parse_nifti(path, file.read(_HEADER), True, path.name)


def _header_of(path):
    """What the fingerprint needs of a scan beside its voxels in MNI space."""
    volume = _volume(path)
    return SimpleNamespace(affine=volume.affine, voxels=np.broadcast_to(np.float32(0), volume.shape), camera=Camera())
