"""Files that are no scan this software reads, yet may hold one: named, so that none is passed over in silence."""

import re
import zlib
from pathlib import Path

from ..base.errors import DaTscanError
from .pairs import DATA_SUFFIXES, header_of

# What a (decompressed) file begins with, at which byte, and what it is.
_BEGINNINGS = (
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"PK\x05\x06", "a zip archive"),
    (0, b"PK\x07\x08", "a part of a zip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "an archive (7z)"),
    (0, b"Rar!\x1a\x07", "an archive (RAR)"),
    (257, b"ustar", "an archive (tar)"),
    (0, b"BZh", "a compressed file (bzip2)"),
    (0, b"\xfd7zXZ\0", "a compressed file (xz)"),
    (0, b"\x28\xb5\x2f\xfd", "a compressed file (zstd)"),
    (0, b"\x1f\x9d", "a compressed file (compress)"),
    (0, b"MSCF", "an archive (cabinet)"),
    (0, b"MATRIX7", "an ECAT image"),
    (0, b"CDF\x01", "a NetCDF or MINC image"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 or MINC image"),
    (0, b"# vtk DataFile", "a VTK image"),
    (0, b"\x93NUMPY", "a numpy array"),
)
_INTERFILE = re.compile(rb"\s*!?\s*interfile\s*:?=", re.IGNORECASE)
_SUFFIXES = {
    ".mgh": "a FreeSurfer image",
    ".mgz": "a FreeSurfer image",
    ".mnc": "a MINC image",
    ".gipl": "a GIPL image",
    ".par": "a Philips PAR/REC image",
    ".head": "an AFNI image",
    ".iso": "an image of a CD",
    ".nrg": "an image of a CD",
}
# Zip archives and HDF5 files by content that nobody keeps scans in.
_HARMLESS = re.compile(
    r"\.(doc[xm]|dotx|xls[xm]|pptx|od[tsp]|epub|jar|war|apk|whl|egg|pages|numbers|key|vsdx|3mf|mrb|npz|pth?|h5|keras|"
    r"onnx|pyc|xpi|crx|nupkg|msix|safetensors)",
    re.IGNORECASE,
)
# Numbers without the header that says what they are, named as the usual formats name them.
_HEADLESS = (".raw", ".zraw", ".i00", ".s00", ".hv.v")
_TEXT_HEADERS = re.compile(r"\.(n?hdr|mhd|h\d\d|hv|hs)$", re.IGNORECASE)
_SMALLEST_SCAN = 20**3
_DECOMPRESSED = 2**16
# Of compressed files: the suffix of a scan, or none, as exports name their images.
_SCAN_NAMES = re.compile(r"(\.(nii|dcm|ima|img|hdr|nrrd|mha|mhd|tar|\d+)|^[^.]*)\.(bz2|xz|zst|z)$", re.IGNORECASE)


def other_format(path: Path, head: bytes) -> str | None:
    """What a file is that may hold a scan but is none that is read: "a zip archive", "an ECAT image"; else None.

    Args:
        path: of the file; names alone make nothing a scan, but tell harmless archives from others.
        head: its beginning.
    """
    suffix = path.suffix.lower()
    if _HARMLESS.fullmatch(suffix) or not head:
        return None
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, _DECOMPRESSED)
        except zlib.error:
            return None
        if head[257:262] == b"ustar":
            return "an archive (tar)"
        if head[128:132] == b"DICM":
            return "a compressed DICOM file (gzip)"
        return _SUFFIXES.get(suffix)
    kind = next((kind for start, mark, kind in _BEGINNINGS if head[start : start + len(mark)] == mark), None)
    if kind and kind.startswith("a compressed file") and not _SCAN_NAMES.search(path.name):
        return None
    if kind is None and _INTERFILE.match(head[:1000]):
        return "an Interfile header"
    return kind or _SUFFIXES.get(suffix)


def lost_header(path: Path, head: bytes) -> bool:
    """Whether a file holds bare numbers whose header (.hdr, .mhd, ...) is not beside it."""
    name = path.name.lower()
    bare = name.endswith(DATA_SUFFIXES) or (name.endswith(_HEADLESS) and len(head) >= _SMALLEST_SCAN)
    return bare and not _is_text(head) and not belongs_to_header(path)


def belongs_to_header(path: Path) -> bool:
    """Whether a file's name is that of the numbers of a scan whose header lies beside it."""
    name = path.name.lower()
    if name.endswith(DATA_SUFFIXES):
        return header_of(path) is not None
    return name.endswith(_HEADLESS) and any(_names(header, path.name) for header in _text_headers(path))


def cannot_be_read(name: str, path: Path, head: bytes) -> DaTscanError:
    """The error for a file that is no scan of a format that is read, naming what it is where that is known."""
    kind = other_format(path, head)
    if kind:
        return DaTscanError(
            f"{name} is {kind}, which is not read: unpack or convert it, and give DICOM NM, NIfTI, NRRD or MHA."
        )
    if lost_header(path, head):
        return DaTscanError(f"{name} has lost its header: copy the header into the same folder, and give that.")
    return DaTscanError(f"{name} is no scan that can be read: give DICOM NM, NIfTI (.nii, .nii.gz), NRRD or MHA.")


def _is_text(head):
    return b"\0" not in head[:1000]


def _text_headers(path):
    """Headers of the folder that may name a data file: .mhd, .nhdr, Interfile."""
    try:
        return [
            other for other in path.parent.iterdir() if re.search(r"\.(n?hdr|mhd|h\d\d|hv|hs)$", other.name.lower())
        ]
    except OSError:
        return []


def _names(header, data_name):
    try:
        with header.open("rb") as file:
            return data_name.lower().encode(errors="replace") in file.read(_DECOMPRESSED).lower()
    except OSError:
        return False
