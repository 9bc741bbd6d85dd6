"""MetaImage (.mha, .mhd; https://itk.org/Wiki/MetaIO/Documentation) as ITK writes it."""

import math
from pathlib import Path

import numpy as np

from .scan_checks import check_shape
from .volume_file import (
    LPS_TO_RAS,
    VolumeFile,
    damaged,
    no_orientation,
    several_volumes,
    sibling,
    unsupported,
    unsupported_numbers,
)

_NUMBER_TYPES = {
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_USHORT": "u2",
    "MET_SHORT": "i2",
    "MET_UINT": "u4",
    "MET_INT": "i4",
    "MET_ULONG_LONG": "u8",
    "MET_LONG_LONG": "i8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


def is_metaimage(head: bytes) -> bool:
    """Whether the beginning of a file is that of a MetaImage header."""
    return any(head.startswith(key) for key in (b"ObjectType", b"NDims", b"Comment")) and b"\n" in head


def parse_metaimage(path: Path, head: bytes, name: str) -> VolumeFile:
    """What a MetaImage file declares.

    Args:
        path: the .mha or .mhd file.
        head: its beginning with the whole header.
        name: for the error sentences.

    Raises:
        DaTscanError: no orientation, several volumes, text or unsupported numbers, absurd sizes, a data file
            in another folder.
    """
    fields, start = _fields(head, name)
    shape = _shape(fields, name)
    check_shape(name, shape)
    if not _flag(fields, "BinaryData", default=True):
        raise unsupported(name, "numbers written as text")
    if fields.get("HeaderSize", "0") != "0":
        raise unsupported(name, "a skip before the data")
    if _numbers(fields.get("ElementToIntensityFunctionOffset", "0"), name) != [0.0]:
        raise unsupported(name, "an offset of its values")  # ITK itself passes over it
    data_file = fields["ElementDataFile"]
    attached = data_file == "LOCAL"
    return VolumeFile(
        format="MetaImage",
        shape=shape,
        number_type=_number_type(fields, name),
        affine=_affine(fields, name),
        data_path=path if attached else sibling(path, data_file, name),
        start=start if attached else 0,
        compression="zlib" if _flag(fields, "CompressedData") else "",
    )


def _fields(head, name):
    """`{key: value}` down to the line ElementDataFile, and where the data begin."""
    fields, position = {}, 0
    while "ElementDataFile" not in fields:
        end = head.find(b"\n", position)
        if end < 0:
            raise damaged(name)
        key, separator, value = head[position:end].decode("latin-1").partition("=")
        if separator:
            fields[key.strip()] = value.strip()
        position = end + 1
    return fields, position


def _shape(fields, name):
    size = _numbers(fields.get("DimSize", ""), name)
    if not size or min(size) < 1 or len(size) != _numbers(fields.get("NDims", ""), name)[0]:
        raise damaged(name)
    size = [int(n) for n in size]
    channels = _numbers(fields.get("ElementNumberOfChannels", "1"), name)[0]
    if channels * math.prod(size[3:]) != 1:
        raise several_volumes(name, int(channels) * math.prod(size[3:]))
    return tuple((*size, 1)[:3])


def _affine(fields, name):
    """ITK's convention: LPS mm, and the matrix lists the axes' directions one after the other."""
    matrix = next((fields[key] for key in ("TransformMatrix", "Rotation", "Orientation") if key in fields), None)
    if matrix is None:
        raise no_orientation(name, "no TransformMatrix")
    offset = next((fields[key] for key in ("Offset", "Position", "Origin") if key in fields), "")
    spacing = _numbers(fields.get("ElementSpacing", fields.get("ElementSize", "")), name)
    n = len(spacing)
    matrix, offset = _numbers(matrix, name, finite=False), _numbers(offset, name, finite=False)
    if len(matrix) != n * n or len(offset) != n or n < 3:
        raise damaged(name)
    if min(spacing[:3]) < 0:  # some programs mirror, others take the absolute value
        raise no_orientation(name, "negative voxel sizes")
    affine = np.eye(4)
    with np.errstate(all="ignore"):
        affine[:3, :3] = np.reshape(matrix, (n, n))[:3, :3].T * spacing[:3]
        affine[:3, 3] = offset[:3]
        return LPS_TO_RAS @ affine


def _numbers(text, name, finite=True):
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError as error:
        raise damaged(name) from error
    if not numbers or (finite and not all(abs(number) < 1e9 for number in numbers)):
        raise damaged(name)
    return numbers


def _number_type(fields, name):
    text = fields.get("ElementType", "")
    if text.endswith("_ARRAY"):
        raise unsupported_numbers(name, "array")
    if text not in _NUMBER_TYPES:
        raise damaged(name)
    big_endian = _flag(fields, "BinaryDataByteOrderMSB") or _flag(fields, "ElementByteOrderMSB")
    return np.dtype(_NUMBER_TYPES[text]).newbyteorder(">" if big_endian else "<")


def _flag(fields, key, default=False):
    return fields.get(key, str(default)).lower() in ("true", "1", "t")
