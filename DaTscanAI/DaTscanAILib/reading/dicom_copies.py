"""DICOM files that hold the same image: an export repeated into a second folder, a file copied under another name."""

import filecmp
from collections import defaultdict
from pathlib import Path

from ..base.errors import DaTscanError
from .dicom_header import read_dataset

# Acquisition, relationship, image and nuclear medicine.
_GROUPS = (0x0018, 0x0020, 0x0028, 0x0054)


def without_copies(headers: list) -> tuple[list, list[Path]]:
    """The headers without those whose image an earlier one holds, and the files left out.

    Files are compared where they name the same image, or lie at the same place of the same series; only equal pixels
    and geometry make a copy, whatever the identifiers say.

    Args:
        headers: `dicom_series.Header` of all files, in their order.
    """
    candidates = defaultdict(list)
    for header in headers:
        if header.image:
            candidates["image", header.image].append(header)
        if not header.alone and header.place != (None, None):
            candidates["place", header.series, header.patient, header.place].append(header)
    copies = set()
    for group in candidates.values():
        left = [header for header in group if header.path not in copies]
        for number, header in enumerate(left[1:], 1):
            if any(_same_image(header.path, other.path) for other in left[:number] if other.path not in copies):
                copies.add(header.path)
    return [header for header in headers if header.path not in copies], sorted(copies)


def _same_image(one, other):
    try:
        return filecmp.cmp(one, other, shallow=False) or _content(one) == _content(other)
    except (OSError, DaTscanError):
        return False


def _content(path):
    """Pixels and all elements that say how they were taken and where they lie; unreadable ones are never the same.

    Whoever mends a header keeps the image's identifier: such a file is no copy.
    """
    dataset = read_dataset(path, path.name, pixels=True)
    try:
        tags = [tag for tag in dataset.keys() if tag.group in _GROUPS]  # noqa: SIM118 - iterating gives elements
        elements = {tag: dataset.get_item(tag).value for tag in tags}
        return elements, dataset.Modality, dataset.get("ImageType"), dataset.pixel_array.tobytes()
    except Exception:
        return object()
