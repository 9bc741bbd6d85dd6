"""DICOM files and the values of their headers, whatever state they are in.

A damaged or hostile header makes pydicom raise almost any exception, when it is parsed or later, when a value
is first looked at. All such access goes through this file, where it becomes a missing value or one sentence.
"""

import itertools
import logging
import re
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
_BINARY_NUMBERS = ("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT", "OW", "OF", "OD", "OL", "OV")
_NUMBER = re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})? *")
_LONGEST_TEXT = 1000
# Of a first element without preamble: length, group, identifying values come first.
_REPRESENTATIONS = (b"UL", b"CS", b"UI", b"DA", b"TM", b"SH", b"LO", b"OB", b"IS")
_LONGEST_FIRST, _LAST_FIRST_ELEMENT, _LAST_SECOND_GROUP = 100, 0x0080, 0x0010


def is_dicom(head: bytes) -> bool:
    """Whether a file with this beginning is DICOM: by its preamble or, without one, by its first element."""
    return head[_PREAMBLE : _PREAMBLE + 4] == b"DICM" or _begins_with_element(head)


def _begins_with_element(head):
    """A first element of group 0002 or 0008, and a second one that may follow it."""
    order = "little" if head[:2] in (b"\x02\0", b"\x08\0") else "big" if head[:2] == b"\0\x08" else None
    if order is None or len(head) < 16:
        return False
    explicit = head[4:6] in _REPRESENTATIONS
    length = int.from_bytes(head[6:8] if explicit else head[4:8], order)
    if explicit and head[4:6] == b"OB":
        length = 4 + int.from_bytes(head[8:12], order)
    if length > _LONGEST_FIRST or (order == "big" and not explicit):
        return False
    tag, following = (
        (int.from_bytes(head[at : at + 2], order), int.from_bytes(head[at + 2 : at + 4], order))
        for at in (0, 8 + length)
    )
    return tag < following and following[0] <= _LAST_SECOND_GROUP and tag[1] < _LAST_FIRST_ELEMENT


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
    """The finite numbers of an element of exactly this data set; None if they are missing or unreadable.

    Numbers with decimal commas, and text or bytes in the place of numbers, are understood too.
    """
    try:
        values = np.atleast_1d(np.asarray(dataset.get(keyword), dtype=float))
    except Exception:
        values = _numbers_in(_own_text(dataset, keyword))
    usable = values.ndim == 1 and values.size > 0 and np.isfinite(values).all() and count in (None, values.size)
    return values if usable else None


def holds(dataset, keyword: str) -> bool:
    """Whether exactly this data set has an element with a value, readable or not."""
    try:
        value = dataset.get_item(keyword).value
        value = value.decode("latin-1") if isinstance(value, bytes) else value
        return bool(value.strip(" \0") if isinstance(value, str) else value is not None)
    except AttributeError:  # no such element, or no data set
        return False
    except Exception:
        return True


def raw_text(dataset, keyword: str) -> str:
    """An element's value as the file writes it, found as by `numbers`; "" if it is no short text.

    It may hold anything, so nothing may print it unchecked.
    """
    places = itertools.chain([dataset], (nested_item(dataset, *path) for path in _NESTED))
    return next(filter(None, (_own_text(place, keyword) for place in places)), "")


def _own_text(dataset, keyword):
    """Text of an element that holds text, says so wrongly, or does not say what it holds."""
    from pydicom.datadict import dictionary_VR

    try:
        element = dataset.get_item(keyword)
        value = element.value
        if (element.VR or dictionary_VR(keyword))[:2] in _BINARY_NUMBERS or isinstance(value, (int, float)):
            return ""
        value = value.decode("ascii") if isinstance(value, bytes) else value
        value = value if isinstance(value, str) else "\\".join(map(str, value))
    except Exception:
        return ""
    value = value.strip(" \0")
    return value if value.isprintable() and len(value) <= _LONGEST_TEXT else ""


def _numbers_in(text):
    """Numbers with decimal commas, unless points show that the commas stand between the numbers."""
    separated = text.replace(",", "\\" if "." in text and "\\" not in text else ".")
    parts = separated.split("\\")
    return np.array([float(part) for part in parts]) if all(map(_NUMBER.fullmatch, parts)) else np.empty(0)


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
