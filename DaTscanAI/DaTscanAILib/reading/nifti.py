"""NIfTI-1 and NIfTI-2 (https://nifti.nimh.nih.gov): the header both ways, affines from sform and qform."""

import itertools
import math
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..mni.geometry import apply_affine, voxel_spacing
from .pairs import data_file_of
from .scan_checks import check_shape
from .volume_file import VolumeFile, damaged, gzip_bytes, no_orientation, several_volumes, unsupported_numbers

# name: (type and byte offset in NIfTI-1, the same in NIfTI-2)
_FIELDS = {
    "sizeof_hdr": (("i4", 0), ("i4", 0)),
    "magic": (("S4", 344), ("S8", 4)),
    "dim": (("8i2", 40), ("8i8", 16)),
    "datatype": (("i2", 70), ("i2", 12)),
    "bitpix": (("i2", 72), ("i2", 14)),
    "pixdim": (("8f4", 76), ("8f8", 104)),
    "vox_offset": (("f4", 108), ("i8", 168)),
    "scl_slope": (("f4", 112), ("f8", 176)),
    "scl_inter": (("f4", 116), ("f8", 184)),
    "intent_code": (("i2", 68), ("i4", 504)),
    "xyzt_units": (("u1", 123), ("i4", 500)),
    "qform_code": (("i2", 252), ("i4", 344)),
    "sform_code": (("i2", 254), ("i4", 348)),
    "quatern": (("3f4", 256), ("3f8", 352)),
    "qoffset": (("3f4", 268), ("3f8", 376)),
    "srow": (("(3,4)f4", 280), ("(3,4)f8", 400)),
}
_NUMBER_TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_OTHER_NUMBERS = {
    1: "one-bit",
    32: "complex",
    128: "color",
    1536: "128-bit",
    1792: "complex",
    2048: "complex",
    2304: "color",
}
_MILLIMETRES = {1: 1000.0, 3: 0.001}  # of a metre, a micrometre; everything else is taken as mm
_MAGIC = {1: (b"n+1", b"ni1"), 2: (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")}
SPACES = {"scanner": 1, "mni": 4}
_EXTENDER_BYTES = 4  # between the header of a single file and its voxels, whatever the offset says
# What a file declares itself to be: statistics of some test, or labels; 1001, an estimate, may be uptake.
_STATISTICS, _LABELS = range(2, 25), (1002, 1003)
# The two affines of a converted file differ by rounding; beyond this they are two different statements.
_CONFLICT_MM = 1.0
_CONFLICT_WARNING = (
    "The header states two orientations that disagree (sform and qform): the sform is used; check left and right."
)
# Matrix and voxel sizes of one header agree but for rounding; a scaling to another space may change them by a little.
_SIZE_CONFLICT = 0.1
_SIZE_WARNING = (
    "The header's matrix and its voxel sizes disagree: the matrix is used; check the size of the head and the sides."
)


def header_type(version: int, byte_order: str = "<") -> np.dtype:
    """The numpy record of a NIfTI-1 or NIfTI-2 header."""
    formats, offsets = zip(*(field[version - 1] for field in _FIELDS.values()), strict=True)
    return np.dtype(
        {
            "names": list(_FIELDS),
            "formats": formats,
            "offsets": offsets,
            "itemsize": {1: 348, 2: 540}[version],
        }
    ).newbyteorder(byte_order)


def is_nifti(head: bytes) -> bool:
    """Whether the (decompressed) beginning of a file is that of a NIfTI or Analyze header."""
    return len(head) >= 4 and {int.from_bytes(head[:4], order) for order in ("little", "big")} & {348, 540} != set()


@np.errstate(all="ignore")  # what is not finite is refused with its sentence, not with numpy's warning
def parse_nifti(path: Path, head: bytes, compressed: bool, name: str) -> VolumeFile:
    """What a NIfTI file declares.

    Args:
        path: the .nii, .nii.gz or .hdr file.
        head: its (decompressed) beginning, at least 540 bytes if it has them.
        compressed: whether the file is a gzip stream.
        name: for the error sentences.

    Raises:
        DaTscanError: Analyze 7.5, no orientation or one that contradicts itself, several volumes, unsupported
            numbers, absurd sizes, a lost data file.
    """
    header = _header(head, name)
    shape = _shape(header, name)
    check_shape(name, shape)
    affine, warnings = _affine(header, shape, name)
    _check_intent(header, name)
    offset, slope, intercept = (float(header[key]) for key in ("vox_offset", "scl_slope", "scl_inter"))
    scaled = slope != 0 and np.isfinite(slope)  # zero and NaN say that there is no scaling
    if not 0 <= offset < 2**31 or (scaled and not np.isfinite(intercept)):
        raise damaged(name)
    pair = header["magic"].startswith(b"ni")
    data_path, compressed = data_file_of(path, name) if pair else (path, compressed)
    return VolumeFile(
        format="NIfTI",
        shape=shape,
        number_type=_number_type(header, name),
        affine=affine,
        data_path=data_path,
        compression="gzip" if compressed else "",
        skip=int(offset) if pair else max(int(offset), header.dtype.itemsize + _EXTENDER_BYTES),
        slope=slope if scaled else 1.0,
        intercept=intercept if scaled else 0.0,
        warnings=warnings,
    )


def nifti_bytes(voxels: np.ndarray, affine: np.ndarray, space: str, compress: bool) -> bytes:
    """A NIfTI-1 file, the same bytes every time.

    Args:
        voxels: `(x, y, z)`, a type that NIfTI-1 stores.
        affine: 4x4, voxel indices to RAS mm. A sheared one becomes an sform alone, for lack of a qform.
        space: "scanner" or "mni": what the affine leads to.
        compress: gzip.
    """
    header = np.zeros((), header_type(1))
    header["sizeof_hdr"], header["magic"], header["vox_offset"] = 348, b"n+1", 352
    header["dim"] = [3, *voxels.shape, 1, 1, 1, 1]
    header["datatype"] = {text: code for code, text in _NUMBER_TYPES.items()}[voxels.dtype.str[1:]]
    header["bitpix"] = 8 * voxels.dtype.itemsize
    header["scl_slope"], header["xyzt_units"] = 1, 2
    header["sform_code"], header["srow"] = SPACES[space], affine[:3]
    _set_qform(header, affine, SPACES[space])
    little_endian = voxels.astype(voxels.dtype.newbyteorder("<"), copy=False)
    data = header.tobytes() + bytes(4) + little_endian.tobytes(order="F")
    return gzip_bytes(data) if compress else data


def _header(head, name):
    byte_order = "<" if int.from_bytes(head[:4], "little") in (348, 540) else ">"
    version = 1 if int.from_bytes(head[:4], "little" if byte_order == "<" else "big") == 348 else 2
    record = header_type(version, byte_order)
    if len(head) < record.itemsize:
        raise damaged(name)
    header = np.frombuffer(head, record, count=1)[0]
    if header["magic"] in _MAGIC[version]:
        return header
    raise no_orientation(name, "Analyze 7.5 format") if version == 1 else damaged(name)


def _check_intent(header, name):
    code = int(header["intent_code"])
    if code in _STATISTICS or code in _LABELS:
        what = "labels" if code in _LABELS else "a statistic"
        raise DaTscanError(
            f"{name} says that its numbers are {what} (intent code {code}), no uptake: give the reconstruction."
        )


def _shape(header, name):
    dimension = [int(n) for n in header["dim"]]
    if not 1 <= dimension[0] <= 7 or min(dimension[1 : dimension[0] + 1]) < 1:
        raise damaged(name)
    shape = [*dimension[1 : dimension[0] + 1], 1, 1][: max(3, dimension[0])]
    further = math.prod(shape[3:])
    if further > 1:
        raise several_volumes(name, further)
    return tuple(shape[:3])


def _number_type(header, name):
    code = int(header["datatype"])
    if code in _OTHER_NUMBERS:
        raise unsupported_numbers(name, _OTHER_NUMBERS[code])
    if code not in _NUMBER_TYPES:
        raise damaged(name)
    return np.dtype(_NUMBER_TYPES[code]).newbyteorder(header.dtype["datatype"].byteorder)


def _affine(header, shape, name):
    """The sform where there is one (as in nibabel and FSL), else the qform; a disagreement is warned of."""
    unit = np.diag([_MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)] * 3 + [1.0])
    sform = np.vstack([header["srow"], [0, 0, 0, 1]]).astype(float) if header["sform_code"] > 0 else None
    qform = _qform(header) if header["qform_code"] > 0 else None
    if sform is None and qform is None:
        raise no_orientation(name, "neither sform nor qform")
    if sform is None:
        if (header["pixdim"][1:4] < 0).any():  # nibabel takes their absolute value, ITK mirrors
            raise no_orientation(name, "negative voxel sizes")
        return unit @ qform, ()
    warnings = _size_warnings(sform, header["pixdim"][1:4].astype(float), name)
    if qform is not None and not _agree(sform, qform, shape):
        warnings = (_CONFLICT_WARNING,)
    return unit @ sform, warnings


def _size_warnings(sform, edges, name):
    """A unit matrix is what converters write that know no orientation; others may have been scaled on purpose."""
    edges = np.abs(edges)
    off = np.abs(voxel_spacing(sform) / edges - 1) > _SIZE_CONFLICT
    if not (off.any() and np.isfinite(edges).all() and edges.min() > 0):
        return ()
    if np.allclose(np.abs(sform[:3, :3]), np.eye(3), atol=1e-3):
        text = " x ".join(f"{edge:.3g}" for edge in edges)
        raise DaTscanError(
            f"{name} contradicts itself: its matrix has voxels of 1 mm, its voxel sizes are {text} mm, so neither "
            "orientation nor size is known: convert the original DICOM again."
        )
    return (_SIZE_WARNING,)


def _agree(sform, qform, shape):
    corners = np.array(list(itertools.product(*((0, n) for n in shape))), float)
    return np.abs(apply_affine(sform, corners) - apply_affine(qform, corners)).max() <= _CONFLICT_MM


def _qform(header):
    """NIfTI's method 2: rotation from the quaternion, voxel edges from pixdim; NaN if they are no numbers."""
    quatern, edges = header["quatern"].astype(float), header["pixdim"][1:4].astype(float)
    affine = np.eye(4)
    affine[:3, 3] = header["qoffset"]
    length = float(quatern @ quatern) if (np.abs(quatern) < 2).all() else np.nan
    if not (length < 1.01 and np.isfinite(edges).all()):
        return np.full((4, 4), np.nan)
    b, c, d = quatern / max(1.0, length**0.5)
    a = max(0.0, 1 - b * b - c * c - d * d) ** 0.5
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    edges[2] *= -1 if header["pixdim"][0] < 0 else 1
    affine[:3, :3] = rotation * edges
    return affine


def _set_qform(header, affine, code):
    spacing = voxel_spacing(affine)
    rotation = affine[:3, :3] / spacing
    handedness = -1.0 if np.linalg.det(rotation) < 0 else 1.0
    header["pixdim"][:4] = [handedness, *spacing]
    if not np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-6):
        return
    header["quatern"] = _quaternion(rotation * [1, 1, handedness])
    header["qoffset"], header["qform_code"] = affine[:3, 3], code


def _quaternion(rotation):
    """(b, c, d) of the unit quaternion (a, b, c, d) with a >= 0 of a rotation matrix.

    The eigenvector of Bar-Itzhack's matrix (2000), so that no angle is a special case.
    """
    xx, xy, xz, yx, yy, yz, zx, zy, zz = rotation.ravel()
    lower = np.array(
        [
            [xx + yy + zz, 0, 0, 0],
            [zy - yz, xx - yy - zz, 0, 0],
            [xz - zx, xy + yx, yy - xx - zz, 0],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    _, vectors = np.linalg.eigh(lower, UPLO="L")
    a, *others = vectors[:, -1]
    return np.array(others) * (-1 if a < 0 else 1)
