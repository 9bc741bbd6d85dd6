"""Projections of a SPECT acquisition in DICOM (NM TOMO), brought into the order that reconstruction takes.

Angles are where the standard puts them (part 3, C.8.4.11 and C.8.4.12): zero is a detector at the patient's back, and
seen from the feet the angle rises counter-clockwise, from the back towards the patient's left; CC is a rising angle,
CW a falling one. A frame is the patient as seen from the detector: rows from head to feet, columns to the right of
somebody who stands behind the detector and faces the patient, so towards the patient's left in the view from the
front. `Projections` turns this into the convention of `filtered_back_projection.py`.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..reading.dicom import frames_of, patient_position, pixel_shape
from ..reading.dicom_facts import camera_of, identifiers_of, patient_of
from ..reading.dicom_header import is_dicom, nested_item, numbers, own_numbers, quiet, read_dataset, text, texts
from ..reading.dicom_kinds import (
    OTHER_KINDS,
    RECONSTRUCTION,
    check_modality,
    check_object,
    check_pixels,
    frame_increment_pointers,
    kind_of,
)
from ..reading.folders import files_below
from ..reading.scan_checks import (
    MAX_EDGE,
    MAX_VOXELS,
    MIN_SLICES,
    VOXEL_MM,
    cannot_be_opened,
    check_file_size,
    check_values,
    display_name,
)
from ..reading.scan_record import Camera, Identifiers, Patient
from .tomo_frames import FULL_CIRCLE, HALF_CIRCLE, FrameNumbers, choose_photopeak, detector_motion

VIEWS = (30, 256)
_ANGULAR_VIEW_VECTOR, _TIME_SLOT_VECTOR, _SLICE_VECTOR = 0x00540090, 0x00540070, 0x00540080
_PARALLEL = ("PARA", "UNKN", "NONE", "")
_MAX_FRAMES = 4096
_EQUAL = 0.01  # relative difference between the edges of a pixel, or between times, that is rounding


@dataclass(frozen=True, eq=False)
class Projections:
    """One acquisition: counts of one energy window, one projection for each angle.

    Attributes:
        counts: float32 `(views, columns, slices)`; slices from the feet up, columns towards the patient's right in
            the view from the front.
        angles: `(views,)` degrees, rising: 0 from the front, 90 from the patient's left, 180 from the back.
        pixel: edge of a square pixel, mm.
        arc: degrees that the views cover.
        bottom: scanner z (RAS mm) of the middle of slice 0; None if the header does not say.
        radius: mean radius of rotation, mm; None if the header does not say.
        energy_window: name and limits of the one that was taken.
        path: the file.
        warnings: one sentence each on what had to be assumed.
    """

    counts: np.ndarray = field(repr=False)
    angles: np.ndarray = field(repr=False)
    pixel: float
    arc: float
    bottom: float | None
    radius: float | None
    energy_window: str
    path: Path
    patient: Patient
    camera: Camera
    identifiers: Identifiers = field(repr=False)
    warnings: tuple[str, ...]


@quiet()
def read_projections(path: Path | str) -> Projections:
    """Projections from an NM TOMO file, or from a folder that holds one such file.

    Frames at the same angle are added: several rotations, opposite detectors that both went all the way round.

    Args:
        path: file or folder.

    Raises:
        DaTscanError: no projections, or an acquisition that parallel-beam reconstruction of a supine head cannot use.
    """
    path = Path(path)
    name = display_name(path)
    file = _only_file(path, name) if path.is_dir() else path
    dataset, warnings = _header(file, name), []
    _check_is_projections(dataset, name)
    _check_geometry(dataset, name)
    shape = _checked_shape(dataset, name)
    frame_numbers = FrameNumbers(dataset, shape[0], name)
    window, label = choose_photopeak(dataset, frame_numbers.windows, name, warnings)
    used = np.flatnonzero(frame_numbers.windows == window)
    motion = detector_motion(dataset, frame_numbers, used, name, warnings)
    pixel = _pixel_edge(dataset, name)
    bottom = _bottom(motion, (shape[1] - 1) * pixel, name, warnings)
    # (frame, row, column), seen from the detector and head up, to columns along the image's rows and slices upwards.
    frames = frames_of(file, shape, name)[used].transpose(0, 2, 1)[:, ::-1, ::-1]
    check_values(name, frames)
    counts, angles = _added(frames, motion)
    return Projections(
        counts,
        angles,
        pixel,
        _checked_arc(angles, name, warnings),
        bottom,
        motion.radius,
        label,
        file,
        patient_of(dataset),
        camera_of(dataset),
        identifiers_of(dataset),
        tuple(warnings),
    )


# ---- what the file is


def _only_file(folder, name):
    found = [path for path in files_below(folder) if _holds_projections(path)]
    if not found:
        raise DaTscanError(f"{name} holds no projections: give the file of the acquisition (DICOM NM, TOMO).")
    if len(found) > 1:
        raise DaTscanError(f"{name} holds {len(found)} files of projections: give one of them.")
    return found[0]


def _holds_projections(path):
    try:
        return _is_projections(_header(path, path.name))
    except DaTscanError:
        return False


def _header(path, name):
    check_file_size(path, name)
    try:
        with path.open("rb") as stream:
            head = stream.read(132)
    except OSError as error:
        raise cannot_be_opened(name, error) from error
    if not is_dicom(head):
        raise DaTscanError(f"{name} is no DICOM file: give the projections as the camera exports them (NM, TOMO).")
    return read_dataset(path, name, pixels=False)


def _is_projections(dataset):
    kind, pointers = kind_of(dataset), frame_increment_pointers(dataset)
    return kind == "TOMO" or (kind not in (*OTHER_KINDS, RECONSTRUCTION) and _ANGULAR_VIEW_VECTOR in pointers)


def _is_gated(dataset):
    return kind_of(dataset).startswith("GATED") or _TIME_SLOT_VECTOR in frame_increment_pointers(dataset)


def _check_is_projections(dataset, name):
    check_object(dataset, name)
    check_modality(dataset, name)
    if kind_of(dataset) == RECONSTRUCTION or _SLICE_VECTOR in frame_increment_pointers(dataset):
        raise DaTscanError(f"{name} is a reconstruction, not projections: give it to the `analyze` command.")
    if _is_gated(dataset):
        raise DaTscanError(f"{name} is a gated acquisition: give the one that is not gated.")
    if not _is_projections(dataset):
        raise DaTscanError(f"{name} is a planar image, not a tomographic acquisition: give the projections (TOMO).")
    check_pixels(dataset, name)
    if "TRANSMISSION" in texts(dataset, "ImageType"):
        raise DaTscanError(f"{name} is a transmission scan: give the emission projections.")


def _check_geometry(dataset, name):
    """Only a parallel collimator around a head that lies as every gantry convention means it."""
    if patient_position(dataset) != "HFS":
        raise DaTscanError(
            f"{name} was not acquired head first and supine, so left and right are in doubt: "
            "use the camera's own reconstruction."
        )
    collimator = text(nested_item(dataset, "DetectorInformationSequence"), "CollimatorType").upper()
    if collimator not in _PARALLEL:
        raise DaTscanError(
            f"{name} was acquired with a collimator that is not parallel: use the camera's own reconstruction."
        )


def _checked_shape(dataset, name):
    """(frames, rows, columns), small enough to be decoded."""
    frames, rows, columns = shape = pixel_shape(dataset)
    if min(rows, columns) < MIN_SLICES or max(rows, columns) > MAX_EDGE or frames > _MAX_FRAMES:
        raise DaTscanError(
            f"{name} declares {frames} projections of {columns} x {rows} pixels, as no camera makes: export it again."
        )
    if frames * rows * columns > MAX_VOXELS:
        raise DaTscanError(
            f"{name} declares more than {MAX_VOXELS // 10**6} million pixels: export the photopeak alone."
        )
    return shape


def _pixel_edge(dataset, name):
    spacing = numbers(dataset, "PixelSpacing", 2)
    if spacing is None:
        raise DaTscanError(f"{name} states no pixel spacing, so its size is unknown: export it again.")
    if not VOXEL_MM[0] <= spacing.min() <= spacing.max() <= VOXEL_MM[1]:
        raise DaTscanError(f"{name} has pixels of {spacing[0]:.3g} x {spacing[1]:.3g} mm: check its pixel spacing.")
    if np.ptp(spacing) > _EQUAL * spacing.max():
        raise DaTscanError(
            f"{name} has pixels that are not square ({spacing[0]:.3g} x {spacing[1]:.3g} mm): export it without "
            "interpolation."
        )
    return float(spacing.mean())


def _bottom(motion, height, name, warnings):
    """Scanner z of the lowest slice from the first detector's place; None if it states none that makes sense."""
    cosines = own_numbers(motion.first_detector, "ImageOrientationPatient", 6)
    position = own_numbers(motion.first_detector, "ImagePositionPatient", 3)
    if cosines is None or abs(cosines[5]) < 0.9:
        return None
    if cosines[5] > 0:
        raise DaTscanError(
            f"{name} shows its frames feet up (Image Orientation), so left and right are in doubt: export it head up."
        )
    angle = np.deg2rad(motion.first_angle)
    if cosines[:2] @ (-np.cos(angle), np.sin(angle)) < 0.5:  # LPS direction of a frame's rows
        warnings.append(
            "Orientation and start angle in the header disagree; the angle is taken: check front, left and right."
        )
    return None if position is None else float(position[2] - height)


# ---- one projection for each angle


def _added(frames, motion):
    """Frames at the same angle added, in the order of the angles; unequal times per angle are made equal.

    Returns:
        Counts of the distinct angles, and those angles in degrees from 0 to 360.
    """
    angles, margin = HALF_CIRCLE - motion.angles, motion.step / 4
    # Counted from one of the angles, so that none lies on the seam.
    past = np.mod(angles - angles[0] + margin, FULL_CIRCLE) - margin
    order = np.argsort(past, kind="stable")
    place = np.empty(len(past), int)
    place[order] = np.cumsum(np.diff(past[order], prepend=past[order[0]]) > margin)
    angles = np.mod(np.round(np.bincount(place, past) / np.bincount(place) + angles[0], 4), FULL_CIRCLE)
    counts = np.zeros((len(angles), *frames.shape[1:]), np.float32)
    np.add.at(counts, place, frames)
    time = np.bincount(place, motion.times)
    if np.ptp(time) > _EQUAL * time.max():
        counts *= (time.mean() / time).astype(np.float32)[:, None, None]
    rising = np.argsort(angles)
    return counts[rising], angles[rising]


def _checked_arc(angles, name, warnings):
    """Degrees covered by the views."""
    if not VIEWS[0] <= len(angles) <= VIEWS[1]:
        raise DaTscanError(f"{name} has {len(angles)} projections: {VIEWS[0]} to {VIEWS[1]} are needed.")
    gaps = np.diff(angles, append=angles[0] + FULL_CIRCLE)
    step = float(np.median(gaps))
    missing = gaps[gaps > 1.5 * step] - step
    arc = FULL_CIRCLE - float(missing.sum())
    if arc < HALF_CIRCLE - step / 2:
        raise DaTscanError(f"{name} covers {arc:.0f} degrees: 180 at least are needed, better 360.")
    if len(missing):
        if len(missing) > 1 or missing.sum() > HALF_CIRCLE + step / 2:
            raise DaTscanError(f"{name} lacks projections in {len(missing)} places: export the whole acquisition.")
        warnings.append(
            f"The projections cover {arc:.0f} degrees: attenuation makes the two sides of the head differ."
        )
    return arc
