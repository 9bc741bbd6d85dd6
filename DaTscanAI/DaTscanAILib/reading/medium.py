"""The index of a medium (DICOMDIR): which of the images that it lists were not copied with it."""

from collections.abc import Iterable
from pathlib import Path

from ..base.errors import DaTscanError
from .dicom_header import quiet, read_dataset, text, texts
from .dicom_kinds import NM_CLASSES

INDEX_NAME = "DICOMDIR"
_IMAGE = "IMAGE"


def is_index(path: Path) -> bool:
    """Whether a file is the index of a medium, by its name."""
    return path.name.upper().rstrip(".") == INDEX_NAME


@quiet()
def missing_images(index: Path, files: Iterable[Path]) -> list[str]:
    """Nuclear-medicine images that an index lists and that are not among the files; none where it cannot be read.

    Copying programs change capitals and leave out or keep a version (`;1`), which both count for nothing here.

    Args:
        index: the DICOMDIR.
        files: all that lie below its folder, others do no harm.
    """
    try:
        records = read_dataset(index, index.name, pixels=False).get("DirectoryRecordSequence") or []
        listed = [texts(record, "ReferencedFileID") for record in records if _is_nuclear_image(record)]
    except DaTscanError:
        return []
    except Exception:  # a damaged index lists nothing
        return []
    present = {_plain(file.relative_to(index.parent).parts) for file in files if file.is_relative_to(index.parent)}
    return ["/".join(parts) for parts in listed if parts and _plain(parts) not in present]


def _is_nuclear_image(record):
    return text(record, "DirectoryRecordType") == _IMAGE and (
        text(record, "ReferencedSOPClassUIDInFile") in NM_CLASSES
    )


def _plain(parts):
    return tuple(part.split(";")[0].rstrip(".").casefold() for part in parts)


def not_copied(name: str, count: int) -> DaTscanError:
    """The error for an index with images that are not there."""
    return DaTscanError(
        f"{name} lists {count} nuclear-medicine image(s) that are not there: copy the whole medium again."
    )
