"""Volumes in research formats (NIfTI, NRRD, MetaImage): what a header declares, and the voxels it stands for.

The headers are read and written here and not by SimpleITK, because of what SimpleITK 2.5 was seen to do: a
damaged MetaImage header aborts the whole process, the NIfTI reader refuses a sheared sform, the NIfTI writer
straightens a sheared affine with a mere message and reports success on a full disk. The tests hold SimpleITK
and nibabel beside it.
"""

import gzip
import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from .scan_checks import MAX_FILE_BYTES, scaled_float32

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Header extensions of research files are kilobytes; anything beyond is a damaged offset, not worth inflating.
_MAX_HEADER_BYTES = 2**24


@dataclass(frozen=True, eq=False)
class VolumeFile:
    """What the header of a volume file declares. No voxel has been read yet.

    Attributes:
        format: "NIfTI", "NRRD" or "MetaImage".
        shape: voxels along x, y, z, the first the fastest in the file.
        number_type: of a stored voxel, with its byte order.
        affine: 4x4, voxel indices to RAS mm.
        data_path: the file that holds the voxels.
        start: bytes of that file before the voxels, or before the compressed stream that holds them.
        compression: "", "gzip" or "zlib".
        skip: bytes before the voxels inside the decompressed stream.
        slope, intercept: value = slope * stored + intercept.
        warnings: one sentence each.
    """

    format: str
    shape: tuple[int, int, int]
    number_type: np.dtype
    affine: np.ndarray
    data_path: Path
    start: int = 0
    compression: str = ""
    skip: int = 0
    slope: float = 1.0
    intercept: float = 0.0
    warnings: tuple[str, ...] = ()


def read_voxels(volume: VolumeFile, name: str) -> np.ndarray:
    """The voxels, float32 `(x, y, z)`, slope and intercept applied. The declared shape bounds the memory.

    Raises:
        DaTscanError: fewer bytes than declared, or a damaged compressed stream.
    """
    count = math.prod(volume.shape) * volume.number_type.itemsize
    if not (0 <= volume.start <= MAX_FILE_BYTES and 0 <= volume.skip <= _MAX_HEADER_BYTES):
        raise damaged(name)
    try:
        with volume.data_path.open("rb") as file:
            file.seek(volume.start)
            data = _decompressed(file, volume, count)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(name) from error
    if len(data) < count:
        raise damaged(name)
    stored = np.frombuffer(data, volume.number_type).reshape(volume.shape, order="F")
    return scaled_float32(stored, volume.slope, volume.intercept)


def damaged(name: str) -> DaTscanError:
    """The error for a file that is shorter than its header says or whose header makes no sense."""
    return DaTscanError(f"{name} is truncated or damaged: copy or export it again.")


def several_volumes(name: str, count: int) -> DaTscanError:
    """The error for a file that holds more than one volume or more than one value in each voxel."""
    return DaTscanError(f"{name} holds {count} volumes or values per voxel: save the one reconstruction alone.")


def unsupported_numbers(name: str, text: str) -> DaTscanError:
    """The error for complex, color, bit and other numbers that are no uptake."""
    return DaTscanError(f"{name} stores {text} numbers, which are no uptake: save it as integers or float32.")


def unsupported(name: str, what: str) -> DaTscanError:
    """The error for a rare variant of a format."""
    return DaTscanError(f"{name} uses {what}, which is not read: save it as NIfTI (.nii.gz).")


def no_orientation(name: str, why: str) -> DaTscanError:
    """The error for a file that does not tell left from right."""
    return DaTscanError(
        f"{name} has no orientation ({why}), so left and right are unknown: convert the original DICOM again."
    )


def sibling(path: Path, data_file: str, name: str) -> Path:
    """The data file that a detached header names, which must lie in the header's own folder.

    Raises:
        DaTscanError: it lies elsewhere, is a list or pattern of files, or does not exist.
    """
    if not data_file or data_file.startswith("LIST") or "%" in data_file:
        raise unsupported(name, "a list of data files")
    if Path(data_file).name != data_file or "\\" in data_file:
        raise DaTscanError(f"{name} names a data file outside its own folder: put both into one folder.")
    if os.path.isfile(path.with_name(data_file)):  # noqa: PTH113 - never raises, whatever the name holds
        return path.with_name(data_file)
    for other in path.parent.iterdir():  # Windows does not tell capitals apart
        if other.name.lower() == data_file.lower() and other.is_file():
            return other
    raise DaTscanError(f"{name} has lost its data file: copy it into the same folder.")


def gzip_bytes(data: bytes) -> bytes:
    """A gzip stream without time stamp and operating system, so that equal data give equal bytes."""
    stream = bytearray(gzip.compress(data, compresslevel=6, mtime=0))
    stream[9] = 255  # "unknown system": Python versions and platforms differ here
    return bytes(stream)


def _decompressed(file, volume, count):
    if volume.compression == "gzip":
        stream = gzip.GzipFile(fileobj=file)
        stream.read(volume.skip)
        data = stream.read(count)
        stream.read(1)  # at the end of the stream gzip compares its checksum
        return data
    if volume.compression == "zlib":
        wbits = 47  # zlib or gzip, as its first bytes say
        return zlib.decompressobj(wbits).decompress(file.read(MAX_FILE_BYTES), count)
    file.seek(volume.skip, 1)
    return file.read(count)
