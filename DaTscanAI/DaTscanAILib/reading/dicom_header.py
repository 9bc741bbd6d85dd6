"""DICOM files and the values of their headers, whatever state they are in.

A damaged or hostile header makes pydicom raise almost any exception, when it is parsed or later, when a value
is first looked at. All such access goes through this file, where it becomes a missing value or one sentence.
"""

import itertools
import logging
import warnings
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from .scan_checks import check_file_size
from .volume_file import damaged

DICOM_SUFFIXES = (".dcm", ".ima")
_PREAMBLE = 128
# Where a value may stand besides the top level, in the order in which it is believed: a reconstruction's
# detector item (C.8.4.11 of the standard) and the functional groups of enhanced and legacy converted objects.
_GROUPS = ("PlaneOrientation", "PlanePosition", "PixelMeasures", "PixelValueTransformation")
_NESTED = (
    ("DetectorInformationSequence",),
    *(("SharedFunctionalGroupsSequence", f"{group}Sequence") for group in _GROUPS),
    *(("PerFrameFunctionalGroupsSequence", f"{group}Sequence") for group in _GROUPS),
)


def is_dicom(head: bytes, path: Path) -> bool:
    """Whether a file with this beginning is DICOM: by preamble or, without one, by suffix and first group."""
    if head[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
        return True
    return path.suffix.lower() in DICOM_SUFFIXES and head[:2] in (b"\x02\x00", b"\x08\x00")


def read_dataset(path: Path, name: str, pixels: bool):
    """The pydicom Dataset of a file, with or without its pixel data. Call it, as all below, inside `quiet()`.

    Raises:
        DaTscanError: it cannot be read, is too large, or is deflated.
    """
    import pydicom

    check_file_size(path, name)
    _check_not_deflated(path, name)
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=not pixels, force=True)
        _ = dataset.file_meta
    except Exception as error:
        raise damaged(name) from error
    return dataset


@contextmanager
def quiet() -> Iterator[None]:
    """pydicom's warnings quote values, patient names among them: none may reach a log."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL + 1)  # unlike `disabled`, it counts for the loggers below too
        try:
            yield
        finally:
            logger.setLevel(level)


def text(dataset, keyword: str) -> str:
    """The printable beginning of a value, several joined by backslashes; "" if missing or unreadable."""
    return "\\".join(texts(dataset, keyword))


def texts(dataset, keyword: str) -> list[str]:
    """All values of an element at the top level as printable texts."""
    try:
        value = dataset.get(keyword)
        several = value if isinstance(value, MutableSequence) else [value]
        values = [str(part).strip() for part in several if part is not None]
    except Exception:
        return []
    return ["".join(character for character in part if character.isprintable())[:64] for part in values[:100]]


def number(dataset, keyword: str) -> float | None:
    """The one finite number of an element, found as by `numbers`."""
    values = numbers(dataset, keyword, 1)
    return None if values is None else float(values[0])


def numbers(dataset, keyword: str, count: int | None = None) -> np.ndarray | None:
    """An element's finite numbers, from the top level or where reconstructions keep it; None if missing.

    Args:
        dataset: of pydicom.
        keyword: of the element.
        count: how many values it must have.
    """
    for place in itertools.chain([dataset], (nested_item(dataset, *path) for path in _NESTED)):
        values = own_numbers(place, keyword, count)
        if values is not None:
            return values
    return None


def own_numbers(dataset, keyword: str, count: int | None = None) -> np.ndarray | None:
    """The finite numbers of an element of exactly this data set; None if they are missing or unreadable."""
    try:
        values = np.atleast_1d(np.asarray(dataset.get(keyword), dtype=float))
    except Exception:
        return None
    usable = values.ndim == 1 and values.size > 0 and np.isfinite(values).all() and count in (None, values.size)
    return values if usable else None


def nested_item(dataset, *keywords: str, index: int = 0):
    """The item reached by following sequences, the first by `index`, then by first items; None if absent."""
    try:
        for keyword in keywords:
            dataset = dataset.get(keyword)[index]
            index = 0
    except Exception:
        return None
    return dataset


def _check_not_deflated(path, name):
    """pydicom inflates a deflated data set whole, to whatever size that may be."""
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    try:
        syntax = read_file_meta_info(path).get("TransferSyntaxUID")
    except Exception:
        return
    if syntax == DeflatedExplicitVRLittleEndian:
        raise compressed(name, syntax.name)


def compressed(name: str, syntax: str) -> DaTscanError:
    """The error for a transfer syntax that numpy alone cannot decode."""
    return DaTscanError(f"{name} is compressed ({syntax}): export it uncompressed or as RLE Lossless.")
