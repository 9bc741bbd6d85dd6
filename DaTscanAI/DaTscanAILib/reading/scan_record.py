"""What a reader hands over: a scan with its geometry and what is known of patient and camera."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Patient:
    """What quantification needs to know of the patient; nothing here identifies anybody.

    Attributes:
        age: years; None if not stated.
        sex: "F" or "M"; None if not stated.
    """

    age: float | None = None
    sex: str | None = None


@dataclass(frozen=True)
class Camera:
    """How the scan was made, as far as its header says; an empty text is an unknown value."""

    manufacturer: str = ""
    model: str = ""
    radiopharmaceutical: str = ""
    radionuclide: str = ""
    collimator: str = ""
    corrections: tuple[str, ...] = ()  # DICOM's terms: ATTN, SCAT, DECY, UNIF, ...
    reconstruction: str = ""
    filter: str = ""


@dataclass(frozen=True)
class Injection:
    """What the header says of the tracer's injection.

    Attributes:
        dose_mbq: MBq; None if not stated.
        to_scan_min: minutes from the injection to the start of the scan; None if not stated.
    """

    dose_mbq: float | None = None
    to_scan_min: float | None = None


@dataclass(frozen=True, repr=False)
class Identifiers:
    """What identifies the patient: kept apart and out of every `repr`, for `--keep-identifiers` alone."""

    name: str = ""
    id: str = ""
    birth_date: str = ""
    accession_number: str = ""

    def __repr__(self):
        return "Identifiers(hidden)"


@dataclass(frozen=True, eq=False)
class Scan:
    """One reconstructed scan.

    Attributes:
        voxels: float32 `(x, y, z)` in the file's own voxel order.
        affine: 4x4, voxel indices to scanner RAS mm.
        path: the file, or the folder of a series of single slices.
        format: "DICOM NM", "NIfTI", "NRRD" or "MetaImage".
        warnings: one sentence each on what had to be assumed.
        covered: bool, as `voxels`: where something was measured; None if that is everywhere.
        series: what tells the scan from its neighbours: first file's name, series number, a hash of the series' UID.
        orientation_assumed: the header states how the patient lay at most, not where the axes point.
    """

    voxels: np.ndarray = field(repr=False)
    affine: np.ndarray
    path: Path
    format: str
    patient: Patient = Patient()
    camera: Camera = Camera()
    injection: Injection = Injection()
    identifiers: Identifiers = field(default=Identifiers(), repr=False)
    warnings: tuple[str, ...] = ()
    covered: np.ndarray | None = field(default=None, repr=False)
    series: str = ""
    orientation_assumed: bool = False
