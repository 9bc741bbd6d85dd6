"""Reconstructed SPECT in DICOM: where its voxels lie (part 3 of the standard, C.8.4.15).

The position of slice k is the Image Position plus k times Spacing Between Slices along (row direction x
column direction): a negative spacing stacks against that normal. Where each slice states its own position,
those decide.
"""

import math
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from .dicom_facts import camera_of, identifiers_of, patient_of, series_of
from .dicom_header import nested_item, numbers, own_numbers, quiet, read_dataset, text
from .dicom_injection import injection_of
from .dicom_kinds import check_kind
from .dicom_spacing import pixel_spacing, slice_spacing
from .dicom_values import MAP_WARNING, map_moves_zero, slope_and_intercept
from .scan_checks import check_geometry, check_shape, scaled_float32
from .scan_record import Scan
from .volume_file import LPS_TO_RAS, damaged

# Directions in LPS along a row and along a column of an image whose rows run to the right and whose columns
# run down as one looks into the scanner, by how the patient lies in it.
_POSITIONS = {
    "HFS": ("head first, supine", (1, 0, 0, 0, 1, 0)),
    "HFP": ("head first, prone", (-1, 0, 0, 0, -1, 0)),
    "FFS": ("feet first, supine", (-1, 0, 0, 0, 1, 0)),
    "FFP": ("feet first, prone", (1, 0, 0, 0, -1, 0)),
    "HFDR": ("head first, on the right side", (0, 1, 0, -1, 0, 0)),
    "HFDL": ("head first, on the left side", (0, -1, 0, 1, 0, 0)),
    "FFDR": ("feet first, on the right side", (0, -1, 0, -1, 0, 0)),
    "FFDL": ("feet first, on the left side", (0, 1, 0, 1, 0, 0)),
}
_FEET_FIRST = ("F-10480", "102541002")  # SNOMED RT and CT, Patient Gantry Relationship
_PRONE = ("F-10310", "1240000")  # Patient Orientation Modifier
# How far a slice may lie from its place in an even stack, in slice spacings: rounding yes, a lost slice no.
_UNEVEN = 0.2


@quiet()
def read_dicom(paths: list[Path], path: Path, name: str) -> Scan:
    """A scan from one multi-frame file or from the single slices of a series, in any order.

    Args:
        paths: the files.
        path: the file or folder that the user gave.
        name: of it, for the error sentences.

    Raises:
        DaTscanError: no reconstructed SPECT, no usable geometry or pixels.
    """
    datasets, warnings = [read_dataset(file, name, pixels=False) for file in paths], []
    for dataset in datasets:
        check_kind(dataset, name)
    _check_size(datasets, name)
    first = datasets[0]
    orientation = _orientation(first, name, warnings)
    order, origin, step = _stack(datasets, orientation, name, warnings)
    affine = _affine(pixel_spacing(first, name, warnings), orientation, origin, step)
    check_geometry(name, affine)
    frames = np.concatenate(
        [frames_of(file, pixel_shape(dataset), name) for file, dataset in zip(paths, datasets, strict=True)]
    )[order]
    if any(map_moves_zero(dataset, name) for dataset in datasets):
        warnings.append(MAP_WARNING)
    warnings += _missing_slices(datasets)
    if origin is None:
        affine[:3, 3] = -affine[:3, :3] @ (np.array(frames.shape[::-1]) - 1) / 2
    return Scan(
        voxels=np.ascontiguousarray(frames.transpose(2, 1, 0)),
        affine=affine,
        path=path,
        format="DICOM NM",
        patient=patient_of(first),
        camera=camera_of(first),
        injection=injection_of(first),
        identifiers=identifiers_of(first),
        warnings=tuple(warnings),
        series=series_of(first, paths[0], len(paths)),
        orientation_assumed=_stated_orientation(first) is None,
    )


def _missing_slices(datasets):
    """A sentence where the header states more slices than there are files."""
    stated = own_numbers(datasets[0], "NumberOfSlices", 1)
    if len(datasets) > 1 and stated is not None and stated[0] > len(datasets):
        yield (
            f"The header states {stated[0]:.0f} slices, and {len(datasets)} are there: check that none is missing at "
            "the top or the bottom."
        )


def _frame_count(dataset):
    frames = own_numbers(dataset, "NumberOfFrames", 1)
    return 1 if frames is None else int(min(frames[0], 1e6))


def _check_size(datasets, name):
    """The declared size, before any pixel is decoded."""
    shapes = [pixel_shape(dataset) for dataset in datasets]
    frames, rows, columns = sum(shape[0] for shape in shapes), *shapes[0][1:]
    if frames == 1:
        raise DaTscanError(f"{name} is a single slice: give the folder with all slices or the multi-frame file.")
    check_shape(name, (columns, rows, frames))
    planes = {
        (*shape[1:], *pixel_spacing(dataset, name), *_rounded_cosines(dataset))
        for shape, dataset in zip(shapes, datasets, strict=True)
    }
    if len(planes) > 1 or any(map(_planes_of_frames_differ, datasets)):
        raise DaTscanError(f"{name} has slices of different size or orientation: remove the other images.")


def _rounded_cosines(dataset):
    return _rounded(numbers(dataset, "ImageOrientationPatient", 6))


def _rounded(values):
    return () if values is None else tuple(np.round(values, 2) + 0.0)


def _planes_of_frames_differ(dataset):
    """Whether the frames of an enhanced object, each with its own functional groups, lie in different planes."""
    if nested_item(dataset, "PerFrameFunctionalGroupsSequence") is None:
        return False
    frames = range(_frame_count(dataset))
    for group, keyword in (("PlaneOrientation", "ImageOrientationPatient"), ("PixelMeasures", "PixelSpacing")):
        stated = {_rounded(own_numbers(_group_of_frame(dataset, group, frame), keyword)) for frame in frames}
        if len(stated - {()}) > 1:
            return True
    return False


def _group_of_frame(dataset, group, frame):
    return nested_item(dataset, "PerFrameFunctionalGroupsSequence", f"{group}Sequence", index=frame)


def _orientation(dataset, name, warnings):
    """Unit vectors (2, 3) in LPS along a row and along a column."""
    cosines = _stated_orientation(dataset)
    if cosines is None:
        position, cosines = _POSITIONS[patient_position(dataset)]
        warnings.append(
            f"The header states no orientation: taken as axial slices, {position}; check front, top, left and right."
        )
    rows = np.array(cosines, float).reshape(2, 3)
    lengths = np.linalg.norm(rows, axis=1)
    if np.abs(lengths - 1).max() > 0.01 or abs(rows[0] @ rows[1]) > 0.01:
        raise DaTscanError(f"{name} has an orientation that is not perpendicular: export it again.")
    return rows / lengths[:, None]


def _stated_orientation(dataset):
    cosines = numbers(dataset, "ImageOrientationPatient", 6)
    return cosines if cosines is not None and cosines.any() else None


def patient_position(dataset) -> str:
    """HFS, HFP, FFS or FFP, from Patient Position or nuclear medicine's own codes; HFS without either."""
    position = text(dataset, "PatientPosition").upper()
    if position in _POSITIONS:
        return position
    gantry = nested_item(dataset, "PatientGantryRelationshipCodeSequence")
    posture = nested_item(dataset, "PatientOrientationCodeSequence", "PatientOrientationModifierCodeSequence")
    feet = gantry is not None and text(gantry, "CodeValue") in _FEET_FIRST
    prone = posture is not None and text(posture, "CodeValue") in _PRONE
    return ("FF" if feet else "HF") + ("P" if prone else "S")


def _stack(datasets, orientation, name, warnings):
    """How the slices lie: order, LPS position of the first (None: unknown), LPS step to the next."""
    positions = _slice_positions(datasets)
    normal = np.cross(*orientation)
    if positions is not None:
        return _even_stack(positions, normal, name)
    order = _slice_order(datasets, name)
    step = slice_spacing(datasets[0], name, warnings) * normal
    origin = numbers(datasets[0], "ImagePositionPatient", 3)
    if origin is None:
        warnings.append("The header states no position: the middle of the scan is taken as the origin.")
    return order, origin, step


def _slice_positions(datasets):
    """LPS positions (n, 3) where every slice states its own and they differ; else None."""
    if len(datasets) > 1:
        positions = [numbers(dataset, "ImagePositionPatient", 3) for dataset in datasets]
    else:
        items = (_group_of_frame(datasets[0], "PlanePosition", frame) for frame in range(_frame_count(datasets[0])))
        positions = [own_numbers(item, "ImagePositionPatient", 3) for item in items]
    if any(position is None for position in positions) or len(np.unique(positions, axis=0)) == 1:
        return None
    return np.array(positions)


def _even_stack(positions, normal, name):
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    count = len(order)
    first, last = positions[order[0]], positions[order[-1]]
    step = (last - first) / (count - 1)
    length = np.linalg.norm(step)
    offsets = np.linalg.norm(positions[order] - (first + np.arange(count)[:, None] * step), axis=1)
    if np.diff(heights[order]).min() < 0.01 * length:
        raise DaTscanError(f"{name} holds several slices at the same position: give one reconstruction alone.")
    if offsets.max() > _UNEVEN * length or step @ normal < 0.9 * length:
        raise DaTscanError(
            f"{name} has slices at uneven positions, so one is missing: copy or export the series again."
        )
    return order, first, step


def _slice_order(datasets, name):
    """Frames by Slice Vector, single slices by Instance Number."""
    if len(datasets) > 1:
        keys = [own_numbers(dataset, "InstanceNumber", 1) for dataset in datasets]
        missing = any(key is None for key in keys)
        vector = None if missing else np.concatenate(keys)
        what = "Instance Number"
    else:
        vector, what = own_numbers(datasets[0], "SliceVector"), "Slice Vector"
    frames = sum(_frame_count(dataset) for dataset in datasets)
    if vector is None and len(datasets) == 1:
        return np.arange(frames)
    if vector is None or len(vector) != frames or np.ptp(vector) != frames - 1 or len(np.unique(vector)) != frames:
        raise DaTscanError(f"{name} numbers its slices with gaps or twice ({what}): export one reconstruction again.")
    return np.argsort(vector)


def _affine(spacing, orientation, origin, step):
    """Voxel indices (column, row, slice) to RAS mm. Pixel Spacing gives the distance between rows first."""
    between_rows, between_columns = spacing
    affine = np.eye(4)
    affine[:3, 0] = orientation[0] * between_columns
    affine[:3, 1] = orientation[1] * between_rows
    affine[:3, 2] = step
    affine[:3, 3] = 0 if origin is None else origin
    return LPS_TO_RAS @ affine


def pixel_shape(dataset) -> tuple[int, int, int] | None:
    """Declared frames, rows, columns; None where rows or columns are missing."""
    rows, columns = (own_numbers(dataset, key, 1) for key in ("Rows", "Columns"))
    if rows is None or columns is None:
        return None
    return _frame_count(dataset), int(rows[0]), int(columns[0])


def frames_of(file: Path, shape: tuple[int, int, int], name: str) -> np.ndarray:
    """Rescaled pixels of a file, float32 (frame, row, column).

    Args:
        file: of one or more frames.
        shape: the one that has been found small enough: elements behind the pixels may say otherwise.
        name: for the error sentence.

    Raises:
        DaTscanError: the pixels cannot be decoded, or are not of this shape.
    """
    dataset = read_dataset(file, name, pixels=True)
    if pixel_shape(dataset) != shape:
        raise damaged(name)
    try:
        if not text(dataset.file_meta, "TransferSyntaxUID"):
            implicit, little = dataset.original_encoding
            dataset.file_meta.TransferSyntaxUID = _native_syntax(implicit, little)
        pixels = dataset.pixel_array
    except Exception as error:  # decoders raise whatever they happen to raise
        raise damaged(name) from error
    if pixels.size != math.prod(shape):
        raise damaged(name)
    pixels = pixels.reshape(shape)
    return np.stack(
        [scaled_float32(frame, *slope_and_intercept(dataset, index, name)) for index, frame in enumerate(pixels)]
    )


def _native_syntax(implicit, little):
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
