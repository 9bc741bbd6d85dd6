"""The DICOM files that a volume node was read from, so that results can be filed with its study; no Slicer in here.

Their places may name the patient. So they are kept in this session's memory alone, and the node, which goes into
saved scenes, holds a random word by which they are found.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import DaTscanError

_ATTRIBUTE = "DaTscanAI.Source"
_DICOM = "DICOM"  # with which the format of such scans begins
_known: dict[str, "SourceFiles"] = {}


@dataclass(frozen=True)
class SourceFiles:
    """Arguments of `read_dicom_source`.

    Attributes:
        path: file or folder of the scan.
        files: the single slices, where it is known which.
    """

    path: Path
    files: tuple[Path, ...] = ()


def remember_files(volume_node, path: Path, files: Sequence[Path] = ()) -> None:
    """Keep where a volume node was read from until Slicer is closed."""
    word = uuid.uuid4().hex
    volume_node.SetAttribute(_ATTRIBUTE, word)
    _known[word] = SourceFiles(Path(path), tuple(files))


def files_of(volume_node, scan_format: str) -> SourceFiles:
    """Where a volume node was read from.

    Args:
        volume_node: of a scan.
        scan_format: as the reader calls it.

    Raises:
        DaTscanError: from no DICOM, or in another session.
    """
    if not scan_format.startswith(_DICOM):
        raise DaTscanError("Only DICOM scans have DICOM results: load the scan from its DICOM files.")
    known = _known.get(volume_node.GetAttribute(_ATTRIBUTE) or "")
    if known is None or not known.path.exists():
        raise DaTscanError(
            "It is not known any more where the scan's DICOM files lie: load the scan from them again."
        )
    return known
