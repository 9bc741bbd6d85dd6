"""NRRD (https://teem.sourceforge.net/nrrd/format.html), attached and detached."""

import re
from pathlib import Path

import numpy as np

from .scan_checks import check_shape
from .volume_file import (
    LPS_TO_RAS,
    VolumeFile,
    damaged,
    gzip_bytes,
    no_orientation,
    several_volumes,
    sibling,
    unsupported,
    unsupported_numbers,
)

_NUMBER_TYPES = {
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i1": ("signed char", "int8", "int8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_TO_RAS = {
    "right-anterior-superior": np.eye(4),
    "left-anterior-superior": np.diag([-1.0, 1.0, 1.0, 1.0]),
    "left-posterior-superior": LPS_TO_RAS,
}
_SPACE_NAMES = {
    "ras": "right-anterior-superior",
    "las": "left-anterior-superior",
    "lps": "left-posterior-superior",
}


def parse_nrrd(path: Path, head: bytes, name: str) -> VolumeFile:
    """What a NRRD file declares.

    Args:
        path: the .nrrd or .nhdr file.
        head: its beginning with the whole header.
        name: for the error sentences.

    Raises:
        DaTscanError: no orientation, several volumes, an unsupported encoding or number type, absurd sizes, a
            data file in another folder.
    """
    fields, start = _fields(head, name)
    to_ras = _to_ras(fields, name)
    sizes = _numbers(fields.get("sizes", ""), name)
    directions = _directions(fields, len(sizes), name)
    shape = _shape(sizes, directions, name)
    check_shape(name, shape)
    if any(fields.get(field, "0") != "0" for field in ("line skip", "lineskip", "byte skip", "byteskip")):
        raise unsupported(name, "a skip before the data")
    with np.errstate(invalid="ignore"):
        affine = to_ras @ _affine(fields, directions, name)
    data_path = sibling(path, fields["data file"], name) if "data file" in fields else path
    return VolumeFile(
        format="NRRD",
        shape=shape,
        number_type=_number_type(fields, name),
        affine=affine,
        data_path=data_path,
        start=0 if "data file" in fields else start,
        compression=_compression(fields, name),
    )


def nrrd_bytes(voxels: np.ndarray, affine: np.ndarray) -> bytes:
    """A gzip-compressed NRRD file, the same bytes every time; `affine` takes voxel indices to RAS mm."""
    names = {code: spellings[0] for code, spellings in _NUMBER_TYPES.items()}
    vectors = [f"({','.join(repr(float(number)) for number in column)})" for column in affine[:3].T]
    header = [
        "NRRD0004",
        f"type: {names[voxels.dtype.str[1:]]}",
        "dimension: 3",
        "space: right-anterior-superior",
        f"sizes: {' '.join(str(size) for size in voxels.shape)}",
        f"space directions: {' '.join(vectors[:3])}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {vectors[3]}",
    ]
    little_endian = voxels.astype(voxels.dtype.newbyteorder("<"), copy=False)
    return "\n".join([*header, "", ""]).encode() + gzip_bytes(little_endian.tobytes(order="F"))


def _fields(head, name):
    """`{field: value}` in lower-case field names, and where the data begin."""
    end = re.search(rb"\r?\n\r?\n", head)
    text = head[: end.start() if end else len(head)]
    fields = {}
    for line in text.decode("latin-1").splitlines()[1:]:
        field, separator, value = line.partition(":")
        if separator and not line.startswith("#") and not value.startswith("="):
            fields[field.strip().lower()] = value.strip()
    fields.setdefault("data file", fields.get("datafile", ""))
    if not fields["data file"]:
        del fields["data file"]
        if not end:
            raise damaged(name)
    return fields, end.end() if end else 0


def _numbers(text, name):
    words = text.split()
    if not all(re.fullmatch("[0-9]{1,9}", word) for word in words):
        raise damaged(name)
    return [int(word) for word in words]


def _directions(fields, dimension, name):
    """Per axis its direction vector, or None for an axis that is no direction of space."""
    words = re.findall(r"none|\([^()]*\)", fields.get("space directions", ""))
    if not words:
        raise no_orientation(name, "no space directions")
    if len(words) != dimension:
        raise damaged(name)
    return [None if word == "none" else _vector(word, name) for word in words]


def _vector(text, name):
    try:
        vector = [float(number) for number in text.strip("()").split(",")]
    except ValueError:
        vector = []
    if len(vector) != 3:
        raise damaged(name)
    return vector


def _shape(sizes, directions, name):
    several = [size for size, direction in zip(sizes, directions, strict=True) if direction is None and size > 1]
    if several:
        raise several_volumes(name, several[0])
    if not sizes or min(sizes) < 1:
        raise damaged(name)
    shape = tuple(size for size, direction in zip(sizes, directions, strict=True) if direction is not None)
    if len(shape) > 3:
        raise damaged(name)
    return shape if len(shape) != 2 else (*shape, 1)


def _to_ras(fields, name):
    space = fields.get("space", "").lower()
    space = _SPACE_NAMES.get(space, space)
    if space not in _TO_RAS:
        raise no_orientation(name, "no anatomical space")
    return _TO_RAS[space]


def _affine(fields, directions, name):
    affine = np.eye(4)
    affine[:3, :3] = np.transpose([direction for direction in directions if direction is not None])
    affine[:3, 3] = _vector(fields.get("space origin", "(0,0,0)"), name)
    return affine


def _number_type(fields, name):
    text = fields.get("type", "").lower()
    code = next((code for code, spellings in _NUMBER_TYPES.items() if text in spellings), None)
    if code is None:
        raise unsupported_numbers(name, "block") if text == "block" else damaged(name)
    endian = fields.get("endian", "little").lower()
    if endian not in ("little", "big"):
        raise damaged(name)
    return np.dtype(code).newbyteorder("<" if endian == "little" else ">")


def _compression(fields, name):
    encoding = fields.get("encoding", "").lower()
    if encoding in ("raw", "gzip", "gz"):
        return "" if encoding == "raw" else "gzip"
    raise unsupported(name, "another encoding than raw or gzip")
