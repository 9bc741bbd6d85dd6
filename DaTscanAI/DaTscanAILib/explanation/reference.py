"""What relevance is compared with: a scan in MNI space that belongs to the model and is named with every map."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..base.resources import resource_path
from ..mni.atlas import GRID_SHAPE, read_volume_of_grid

FILE = "reference.nii.gz"  # in a model's folder
SHIPPED = {
    "normal": ("mean normal scan (simulated)", "fpcit_normal_2mm.nii.gz"),
    "midway": ("midway between normal and reduced (simulated)", "fpcit_midway_2mm.nii.gz"),
}
_LARGEST_FILE = 2**24  # bytes
_LARGEST_NAME = 100  # characters: it stands beside the legends


@dataclass(frozen=True)
class Reference:
    """A template of a model, not yet read.

    Attributes:
        name: a short phrase that a person reads beside the legend.
        path: of the NIfTI file, in hundredths of the reference level, lower putamen left.
        sha256: of the file.
    """

    name: str
    path: Path
    sha256: str

    @property
    def voxels(self) -> np.ndarray:
        """Float32 `(91, 109, 91)`, reference level 1, lower putamen left; read once, read-only.

        Raises:
            DaTscanError: the file is missing, altered, or no template.
        """
        return _read(self.path, self.sha256)

    def describe(self) -> dict:
        """The entry of `result.json`."""
        return {"name": self.name, "sha256": self.sha256}

    def copy_to(self, folder: Path) -> "Reference":
        """The same as a file of a model's folder."""
        atomic_write_bytes(Path(folder) / FILE, self.path.read_bytes())
        return Reference(self.name, Path(folder) / FILE, self.sha256)


@lru_cache(maxsize=2)
def shipped_reference(kind: str) -> Reference:
    """One of `SHIPPED`, which `Resources/Templates/build_references.py` makes of simulated scans."""
    name, file = SHIPPED[kind]
    path = resource_path("Templates", file)
    return file_reference(name, path)


def file_reference(name: str, path: Path) -> Reference:
    """A file of hundredths of the reference level on the grid, lower putamen left, under a name of its own."""
    return Reference(name, path, _sha256(path))


def reference_of(folder: Path, entry: dict | None) -> Reference:
    """The reference that a model's metadata name; without an entry midway, as in models of version 0.1.0.

    Raises:
        ValueError, KeyError, TypeError: the entry is not one.
    """
    if entry is None:
        return shipped_reference("midway")
    name = str(entry["name"])
    if not 0 < len(name) <= _LARGEST_NAME or not name.isprintable():
        raise ValueError
    return Reference(name, Path(folder) / FILE, str(entry["sha256"]))


@lru_cache(maxsize=4)
def _read(path, sha256):
    if not path.is_file() or path.stat().st_size > _LARGEST_FILE or _sha256(path) != sha256:
        raise DaTscanError(
            f"{path.parent.name}: the model's reference scan is missing or altered: install the model again."
        )
    try:
        voxels = read_volume_of_grid(path).astype(np.float32) / 100
    except RuntimeError as error:  # of SimpleITK
        raise _no_template(path) from error
    if voxels.shape != GRID_SHAPE or not np.isfinite(voxels).all():
        raise _no_template(path)
    voxels.flags.writeable = False
    return voxels


def _no_template(path):
    return DaTscanError(
        f"{path.parent.name}: the model's reference scan is no template of this grid: use another model."
    )


def _sha256(path):
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
