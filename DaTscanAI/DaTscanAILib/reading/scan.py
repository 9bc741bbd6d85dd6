"""Read a scan with the right geometry, or say in one sentence why it cannot be used; write volumes."""

import itertools
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..mni.geometry import voxel_spacing
from .empty_slices import check_no_empty_slices
from .metaimage import is_metaimage, parse_metaimage
from .nifti import is_nifti, nifti_bytes, parse_nifti
from .not_covered import without_uncovered
from .nrrd import nrrd_bytes, parse_nrrd
from .other_formats import cannot_be_read
from .pairs import header_of
from .scan_checks import cannot_be_opened, check_file_size, check_geometry, check_values, display_name
from .scan_record import Camera, Identifiers, Injection, Patient, Scan
from .volume_file import VolumeFile, damaged, read_voxels
from .zip_archive import is_zip, read_zip

__all__ = [
    "Camera",
    "Identifiers",
    "Injection",
    "Patient",
    "Scan",
    "orientation_letters",
    "read_scan",
    "write_volume",
]

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr", ".hdr.gz")
# The headers of text formats with every comment that a converter may leave, and both NIfTI versions.
_HEAD_BYTES = 2**18


def read_scan(path: Path | str, series: str | None = None, files: Sequence[Path] = ()) -> Scan:
    """A scan from a file (DICOM NM, NIfTI, NRRD, MetaImage, or one zipped) or a folder that holds one DICOM scan.

    What a file is, its content says and not its name.

    Args:
        path: file or folder.
        series: Series Instance UID, for a folder that holds several series of single slices.
        files: the single slices themselves, where it is known which of the folder's they are.

    Raises:
        DaTscanError: whatever makes the scan unusable, one sentence with the name of the file.
    """
    path = Path(path)
    name = display_name(path)
    if files or path.is_dir():
        from .dicom import read_dicom
        from .dicom_series import files_of_scan

        scan = read_dicom(list(files) or files_of_scan(path, series), path, name)
    else:
        scan = _read_file(path, name)
    return checked_scan(name, scan)


def checked_scan(name: str, scan: Scan) -> Scan:
    """A scan whose values have been looked at; what a resampling program left empty around it is cut off.

    Raises:
        DaTscanError: values that are no measured uptake.
    """
    scan = without_uncovered(name, scan)
    check_values(name, scan.voxels)
    if scan.covered is None:
        check_no_empty_slices(name, scan.voxels)
    return scan


def orientation_letters(affine: np.ndarray) -> str:
    """Where the three voxel axes point, as the nearest of R, L, A, P, S, I: "RAS", "LPS", ..."""
    cosines = affine[:3, :3] / voxel_spacing(affine)
    order = max(
        itertools.permutations(range(3)),
        key=lambda order: sum(abs(cosines[row, axis]) for axis, row in enumerate(order)),
    )
    return "".join("LPIRAS"[row + 3 * (cosines[row, axis] > 0)] for axis, row in enumerate(order))


def write_volume(path: Path | str, voxels: np.ndarray, affine: np.ndarray, space: str = "scanner") -> None:
    """Write a volume as .nii, .nii.gz or .nrrd: whole or not at all, the same bytes for the same voxels.

    Args:
        path: where to; an existing file is replaced.
        voxels: `(x, y, z)`; bool, float32, float64 or integers of up to 32 bits.
        affine: 4x4, voxel indices to RAS mm; may be rotated, mirrored or sheared.
        space: "scanner" or "mni": what NIfTI says of the space.

    Raises:
        OSError: the folder is missing, read-only or full.
        ValueError: another suffix, shape or type: a mistake of the caller.
    """
    path = Path(path)
    voxels = voxels.astype(np.uint8) if voxels.dtype == bool else voxels
    if voxels.ndim != 3 or voxels.dtype.str[1:] not in ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"):
        raise ValueError(f"cannot write voxels of shape {voxels.shape} and type {voxels.dtype}")
    if path.name.endswith(".nrrd"):
        data = nrrd_bytes(voxels, affine)
    elif path.name.endswith((".nii", ".nii.gz")):
        data = nifti_bytes(voxels, affine, space, compress=path.name.endswith(".gz"))
    else:
        raise ValueError(f"cannot write {path.name}: not .nii, .nii.gz or .nrrd")
    atomic_write_bytes(path, data)


def _read_file(path, name):
    path = header_of(path) or path
    head = _read_head(path, name)
    from .dicom_header import is_dicom

    if is_dicom(head):
        from .dicom import read_dicom

        return read_dicom([path], path, name)
    if is_zip(head):
        return replace(read_zip(path, name), path=path, series=display_name(path))
    volume = _parse_volume(path, head, name)
    check_geometry(name, volume.affine)
    voxels = read_voxels(volume, name)
    return Scan(voxels, volume.affine, path, volume.format, warnings=volume.warnings, series=display_name(path))


def _read_head(path, name):
    check_file_size(path, name)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise cannot_be_opened(name, error) from error
    if not head:
        raise DaTscanError(f"{name} is an empty file: copy or export it again.")
    return head


def _parse_volume(path: Path, head: bytes, name: str) -> VolumeFile:
    start, compressed = head, head.startswith(b"\x1f\x8b")
    if compressed:
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, _HEAD_BYTES)
        except zlib.error as error:
            raise damaged(name) from error
    if is_nifti(head):
        return parse_nifti(path, head, compressed, name)
    if head.startswith(b"NRRD000") and not compressed:
        return parse_nrrd(path, head, name)
    if is_metaimage(head) and not compressed:
        return parse_metaimage(path, head, name)
    raise cannot_be_read(name, path, start)
