"""Which DICOM objects are reconstructions of a SPECT, and one sentence for each of the others."""

import re

import numpy as np

from ..base.errors import DaTscanError
from .dicom_header import compressed, nested_item, numbers, own_numbers, text, texts

NM_CLASSES = ("1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.5")
_CAPTURE_CLASS = "1.2.840.10008.5.1.4.1.1.7"
_REPORT_CLASS = "1.2.840.10008.5.1.4.1.1.88."
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
# ST is the retired modality of SPECT; OT is what some workstations give to what they derive.
_MODALITIES = ("NM", "ST", "OT")
_MODALITY_NAMES = {"PT": "a PET image", "CT": "a CT image", "MR": "an MR image"}
RECONSTRUCTION = "RECON TOMO"
_PROJECTIONS = "holds projections, not a reconstruction: use the `reconstruct` command first."
_PLANAR = "is a planar image, not a reconstruction: give the tomographic reconstruction (RECON TOMO)."
_GATED = "is a gated reconstruction: give the one that is not gated."
OTHER_KINDS = {
    "TOMO": _PROJECTIONS,
    "GATED TOMO": _PROJECTIONS,
    "RECON GATED TOMO": _GATED,
    "STATIC": _PLANAR,
    "WHOLE BODY": _PLANAR,
    "DYNAMIC": _PLANAR,
    "GATED": _PLANAR,
}
# Elements of group 0054 that the Frame Increment Pointer names where the Image Type is silent.
_POINTERS = {
    0x0050: _PROJECTIONS,
    0x0090: _PROJECTIONS,
    0x0070: _GATED,
    0x0060: _GATED,
    0x0030: _PLANAR,
    0x0100: _PLANAR,
}
_SLICE_VECTOR = 0x00540080
_STACKS = {
    "EnergyWindowVector": "energy windows",
    "DetectorVector": "detectors",
    "TimeSlotVector": "time slots",
    "PhaseVector": "phases",
}
# SNOMED CT and RT: the nuclide (CID 18), ioflupane labelled with it (CID 25).
_IODINE_123_CODES = ("21572004", "C-114A4", "429296007", "C-B07EC")
# Not "FP-CIT" alone, which there is with F-18 too.
_IODINE_123 = re.compile(
    r"\b(i|iodine|jod)[\^ -]{0,2}123\b|(\^|\b)123\^?[ -]?(i\b|iod)|ioflupan|datscan", re.IGNORECASE
)
_READABLE_SYNTAXES = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.5",  # RLE Lossless
    "",  # no file meta information, so nothing is compressed
)


def check_kind(dataset, name: str) -> None:
    """Refuse every DICOM object but a reconstructed SPECT, from its header alone.

    Args:
        dataset: of pydicom, with or without pixel data.
        name: for the error sentences.

    Raises:
        DaTscanError: what it is instead, and what to give.
    """
    check_object(dataset, name)
    check_modality(dataset, name)
    _check_image_type(dataset, name)
    _check_stacks(dataset, name)
    check_pixels(dataset, name)


def check_object(dataset, name: str) -> None:
    """Refuse what holds no image: reports, indexes of media.

    Raises:
        DaTscanError: what it is instead.
    """
    sop_class = text(dataset, "SOPClassUID")
    if _DIRECTORY_CLASS in (sop_class, text(dataset.file_meta, "MediaStorageSOPClassUID")):
        raise DaTscanError(f"{name} is an index of a medium (DICOMDIR), not a scan: give the folder.")
    if sop_class.startswith(_REPORT_CLASS) or text(dataset, "Modality") == "SR":
        raise DaTscanError(f"{name} is a structured report, not a scan: give the reconstruction.")
    if own_numbers(dataset, "Rows", 1) is None or own_numbers(dataset, "Columns", 1) is None:
        raise DaTscanError(f"{name} is a DICOM object without an image: give the reconstruction.")


def may_be_reconstruction(dataset) -> bool:
    """Whether an object that `check_kind` refuses is a reconstructed SPECT all the same, in a form that is not read.

    Such a one may not be left out beside a better one without a word.
    """
    try:
        for check in (check_object, check_modality, _check_image_type):
            check(dataset, "")
    except DaTscanError:
        return False
    return True


def check_modality(dataset, name: str) -> None:
    """Refuse what is no SPECT by its modality.

    Raises:
        DaTscanError: what it is instead.
    """
    modality = text(dataset, "Modality")
    if modality == "PT" and is_spect_stored_as_pet(dataset):
        return
    if modality in _MODALITY_NAMES:
        raise DaTscanError(
            f"{name} is {_MODALITY_NAMES[modality]}, not SPECT: give the reconstruction (modality NM)."
        )
    if modality not in _MODALITIES or (modality == "OT" and kind_of(dataset) != RECONSTRUCTION):
        shown = modality if re.fullmatch("[A-Z]{1,16}", modality) else "unknown"
        raise DaTscanError(f"{name} is of modality {shown}, not SPECT: give the reconstruction (modality NM).")


def is_spect_stored_as_pet(dataset) -> bool:
    """Whether an object of modality PT names I-123: some workstations store SPECT so."""
    item = nested_item(dataset, "RadiopharmaceuticalInformationSequence")
    codes = [nested_item(item, f"Radio{what}CodeSequence") for what in ("nuclide", "pharmaceutical")]
    if any(text(code, "CodeValue") in _IODINE_123_CODES for code in codes):
        return True
    named = [text(place, "Radiopharmaceutical") for place in (dataset, item)]
    named += [text(code, "CodeMeaning") for code in codes]
    return any(map(_IODINE_123.search, named))


def _check_image_type(dataset, name):
    image_type = texts(dataset, "ImageType")
    if "TRANSMISSION" in image_type:
        raise DaTscanError(f"{name} is a transmission image (attenuation map): give the emission reconstruction.")
    kind = kind_of(dataset)
    if kind in OTHER_KINDS:
        raise DaTscanError(f"{name} {OTHER_KINDS[kind]}")
    if kind == RECONSTRUCTION:
        return
    pointers = frame_increment_pointers(dataset)
    for pointer in pointers:
        if pointer >> 16 == 0x0054 and pointer & 0xFFFF in _POINTERS:
            raise DaTscanError(f"{name} {_POINTERS[pointer & 0xFFFF]}")
    oriented = numbers(dataset, "ImageOrientationPatient", 6) is not None
    if not oriented and is_capture(dataset):
        raise DaTscanError(f"{name} is a screen capture without slice positions: give the reconstruction itself.")
    if not oriented and _SLICE_VECTOR not in pointers:
        raise DaTscanError(f"{name} {_PLANAR}")


def _check_stacks(dataset, name):
    for keyword, what in _STACKS.items():
        values = own_numbers(dataset, keyword)
        if values is not None and len(np.unique(values)) > 1:
            raise DaTscanError(f"{name} holds a stack of slices for each of several {what}: export a single one.")


def check_pixels(dataset, name: str) -> None:
    """Refuse pixels in colors or of a compression that is not read.

    Raises:
        DaTscanError: what they are.
    """
    from pydicom.uid import UID

    syntax = text(dataset.file_meta, "TransferSyntaxUID")
    if syntax not in _READABLE_SYNTAXES:
        raise compressed(name, UID(syntax).name if re.fullmatch("[0-9.]+", syntax) else "unknown transfer syntax")
    samples = own_numbers(dataset, "SamplesPerPixel", 1)
    color = text(dataset, "PhotometricInterpretation") == "PALETTE COLOR" and not is_nuclear(dataset)
    if color or (samples is not None and samples[0] != 1):
        raise DaTscanError(f"{name} is a color image: give the reconstruction itself.")


def is_capture(dataset) -> bool:
    """Whether it is a secondary capture: a screenshot, or slices that a workstation has painted."""
    return text(dataset, "SOPClassUID").startswith(_CAPTURE_CLASS)


def is_nuclear(dataset) -> bool:
    """Whether it is of the nuclear-medicine storage class, whose palette is for display only."""
    return text(dataset, "SOPClassUID") in NM_CLASSES


def kind_of(dataset) -> str:
    """The third value of the Image Type, which says in nuclear medicine what an image is; "" without it."""
    image_type = texts(dataset, "ImageType")
    return image_type[2].upper() if len(image_type) > 2 else ""


def frame_increment_pointers(dataset) -> list[int]:
    """Tags of the elements by which frames are ordered; [] where the header names none that can be read."""
    try:
        value = dataset.get("FrameIncrementPointer")
        return [int(tag) for tag in (value if hasattr(value, "__iter__") else [value])]
    except Exception:  # whatever a damaged element makes pydicom raise
        return []
