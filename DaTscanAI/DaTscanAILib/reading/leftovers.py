"""Files of a folder that are neither volumes by name nor DICOM: which may be scans all the same.

Such a file becomes a case, whose reading says what is wrong; the others are passed over and counted.
"""

import re
import zlib
from pathlib import Path

from .metaimage import is_metaimage
from .nifti import is_nifti
from .other_formats import lost_header, other_format

# What a link that leads nowhere, or a file that cannot be opened, surely was not, by its name.
_NO_SCANS = re.compile(
    r"\.(txt|md|rst|pdf|docx?|rtf|od[tsp]|xlsx?|csv|tsv|log|json|xml|ya?ml|toml|ini|cfg|inf|html?|css|js|py|sh|bat|exe|"
    r"dll|so|png|jpe?g|gif|bmp|tiff?|svg|avi|mp4|lock|pid|tmp|url|lnk|db)",
    re.IGNORECASE,
)
_HEAD_BYTES = 2**14
_HEADER_BYTES = 540  # of NIfTI-2


def may_be_scan(path: Path) -> bool:
    """Whether a file may be a scan, by its content or, where that cannot be seen, by its name."""
    if not path.exists():
        return path.is_symlink() and not _NO_SCANS.fullmatch(path.suffix)
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return not _NO_SCANS.fullmatch(path.suffix)
    if not head:  # an interrupted copy of an image, which exports number and do not give a suffix
        return not path.suffix.strip(".0123456789") and re.search(r"\d", path.name) is not None
    return _is_volume(head) or other_format(path, head) is not None or lost_header(path, head)


def _is_volume(head):
    """A volume without its suffix, or with that of gzip alone."""
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, _HEADER_BYTES)
        except zlib.error:
            return False
    nifti = is_nifti(head) and (head[344:347] in (b"n+1", b"ni1") or head[4:7] in (b"n+2", b"ni2"))
    return nifti or head.startswith(b"NRRD000") or (is_metaimage(head) and b"ElementDataFile" in head)
