"""Volume nodes to arrays and back: voxels `(x, y, z)` and a voxel-to-RAS matrix here, `(k, j, i)` and VTK there."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import slicer
import vtk

from ..base.errors import DaTscanError
from ..reading.dicom_header import own_numbers, quiet, read_dataset
from .dicom_files import remember_files

SCAN_ATTRIBUTE = "DaTscanAI.Scan"  # JSON: what the reader knows of patient and camera beyond the voxels
TRANSFORM_ATTRIBUTE = "DaTscanAI.AutomaticRegistration"  # marks the transforms that registration has made


def add_volume(name: str, voxels: np.ndarray, affine: np.ndarray, class_name: str = "vtkMRMLScalarVolumeNode"):
    """A new volume node with default display.

    Args:
        voxels: `(x, y, z)` or, for a vector volume, `(x, y, z, components)`.
        affine: 4x4, voxel indices to RAS mm.
    """
    return slicer.util.addVolumeFromArray(_kji(voxels), np.array(affine), name, class_name)


def set_voxels(volume_node, voxels: np.ndarray) -> None:
    """Replace the voxels `(x, y, z)` or `(x, y, z, components)` of a node."""
    slicer.util.updateVolumeFromArray(volume_node, _kji(voxels))


def voxels_of(volume_node) -> np.ndarray:
    """A view of the voxels, `(x, y, z)` or `(x, y, z, components)`."""
    return _kji(slicer.util.arrayFromVolume(volume_node))


def affine_of(volume_node) -> np.ndarray:
    """4x4, voxel indices to RAS mm, transforms above the node not counted."""
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def load_scan(path: Path | str, name: str | None = None):
    """Read a scan with the core's reader, whose geometry is right for nuclear medicine, into a new volume node.

    Raises:
        DaTscanError: the file is not a usable scan.
    """
    from ..reading.scan import read_scan

    node = add_scan(read_scan(path), name or Path(path).stem.removesuffix(".nii"))
    remember_files(node, Path(path))
    return node


def load_files(files: list[str], name: str):
    """Read one multi-frame DICOM file or the single slices of a series into a new volume node.

    Raises:
        DaTscanError: they are no usable scan.
    """
    from ..reading.dicom import read_dicom
    from ..reading.scan_checks import check_values

    paths = [Path(file) for file in files]
    scan = read_dicom(paths, paths[0], name)
    check_values(name, scan.voxels)
    node = add_scan(scan, name)
    remember_files(node, paths[0], paths)
    return node


@quiet()
def why_unusable(files: list[str]) -> str | None:
    """Why DICOM files are no reconstructed SPECT, a sentence from the first one's header; None if they are."""
    from ..reading.dicom_kinds import check_kind

    try:
        check_kind(read_dataset(Path(files[0]), "This series", pixels=False), "This series")
    except DaTscanError as error:
        return str(error)
    return None


@quiet()
def is_spect(file: Path | str) -> bool:
    """Whether a file is DICOM and a reconstructed SPECT of several slices, by its header."""
    from ..reading.dicom_kinds import check_kind

    path = Path(file)
    try:
        with path.open("rb") as stream:
            if stream.read(132)[128:] != b"DICM":
                return False
        dataset = read_dataset(path, path.name, pixels=False)
        check_kind(dataset, path.name)
    except (OSError, DaTscanError):
        return False
    frames = own_numbers(dataset, "NumberOfFrames", 1)
    return frames is not None and frames[0] > 1


def add_scan(scan, name: str):
    """A volume node of a scan, which keeps what the reader knows of patient and camera, nothing that identifies."""
    node = add_volume(slicer.mrmlScene.GenerateUniqueName(name), scan.voxels, scan.affine)
    record = {
        "format": scan.format,
        "patient": asdict(scan.patient),
        "camera": asdict(scan.camera),
        "injection": asdict(scan.injection),
        "orientation_assumed": scan.orientation_assumed,
        "warnings": scan.warnings,
    }
    node.SetAttribute(SCAN_ATTRIBUTE, json.dumps(record))
    return node


def show_loaded(volume_node):
    """Select a volume that has just been loaded and show it, as Slicer's own readers do; gives the volume."""
    from .parameters import select_scan

    select_scan(volume_node)
    logic = slicer.app.applicationLogic()
    logic.GetSelectionNode().SetActiveVolumeID(volume_node.GetID())
    logic.PropagateVolumeSelection()
    return volume_node


def scan_of(volume_node, registration_transform=None):
    """The core's scan of a volume node.

    Args:
        registration_transform: if the volume is shown through it, it is no part of the scan's own geometry.

    Raises:
        DaTscanError: the node holds no volume that could be a scan.
    """
    from ..reading.scan import Camera, Injection, Patient, Scan
    from ..reading.scan_checks import check_geometry, check_shape, check_values

    name = volume_node.GetName()
    if volume_node.GetImageData() is None or slicer.util.arrayFromVolume(volume_node).ndim != 3:
        raise DaTscanError(f"{name} holds no gray-scale volume: select the reconstructed scan.")
    voxels = np.array(voxels_of(volume_node), np.float32, order="C")
    affine = world_from_local(volume_node, registration_transform) @ affine_of(volume_node)
    check_shape(name, voxels.shape)
    check_geometry(name, affine)
    check_values(name, voxels)
    record = json.loads(volume_node.GetAttribute(SCAN_ATTRIBUTE) or "{}")
    camera = {
        key: tuple(value) if isinstance(value, list) else value for key, value in record.get("camera", {}).items()
    }
    return Scan(
        voxels,
        affine,
        Path(name),
        record.get("format", "Slicer volume"),
        Patient(**record.get("patient", {})),
        Camera(**camera),
        Injection(**record.get("injection", {})),
        orientation_assumed=record.get("orientation_assumed", False),
        warnings=tuple(record.get("warnings", ())),
    )


def world_from_local(volume_node, registration_transform):
    """4x4 of the transforms above a volume, without those that only show its registration.

    Raises:
        DaTscanError: they are not linear.
    """
    parent = volume_node.GetParentTransformNode()
    if parent is None or parent is registration_transform or parent.GetAttribute(TRANSFORM_ATTRIBUTE):
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        raise DaTscanError(f"{volume_node.GetName()} is warped by a transform: harden the transform first.")
    return slicer.util.arrayFromTransformMatrix(parent, toWorld=True)


def _kji(voxels):
    """Exchanges `(x, y, z, ...)` and `(k, j, i, ...)`."""
    return voxels.transpose(2, 1, 0, *range(3, voxels.ndim))


def describe_geometry(volume_node) -> str:
    """Size, spacing and orientation of a volume in words."""
    from slicer.i18n import tr as _

    from ..mni.geometry import voxel_spacing
    from ..reading.scan import orientation_letters

    affine = affine_of(volume_node)
    letters = orientation_letters(affine)
    words = {"R": _("right"), "L": _("left"), "A": _("front"), "P": _("back"), "S": _("head"), "I": _("foot")}
    sentence = _("{size} voxels of {spacing} mm; axes run to {directions} ({letters})")
    if json.loads(volume_node.GetAttribute(SCAN_ATTRIBUTE) or "{}").get("orientation_assumed"):
        sentence = _(
            "{size} voxels of {spacing} mm; axes assumed to run to {directions} ({letters}): the header is silent"
        )
    return sentence.format(
        size=" x ".join(str(size) for size in volume_node.GetImageData().GetDimensions()),
        spacing=" x ".join(f"{spacing:.2f}" for spacing in voxel_spacing(affine)),
        directions=", ".join(words[letter] for letter in letters),
        letters=letters,
    )


def flip(volume_node, axis: str) -> None:
    """Reverse a header that runs the wrong way: the volume is reflected about its middle.

    Args:
        axis: "R" (left and right), "A" (front and back) or "S" (head and foot).
    """
    from ..mni.geometry import apply_affine

    affine, row = affine_of(volume_node), "RAS".index(axis)
    middle = apply_affine(affine, (np.array(volume_node.GetImageData().GetDimensions()) - 1) / 2)
    reflection = np.eye(4)
    reflection[row, row], reflection[row, 3] = -1, 2 * middle[row]
    volume_node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(reflection @ affine))
    _note_flip(volume_node, axis)


def _note_flip(volume_node, axis):
    """Keep a sentence on the flip among the scan's warnings; a second flip takes it away again."""
    names = {"R": "left and right", "A": "front and back", "S": "head and foot"}
    sentence = f"The header was corrected by hand: {names[axis]} were exchanged."
    record = json.loads(volume_node.GetAttribute(SCAN_ATTRIBUTE) or "{}")
    warnings = list(record.get("warnings", ()))
    if sentence in warnings:
        warnings.remove(sentence)
    else:
        warnings.append(sentence)
    volume_node.SetAttribute(SCAN_ATTRIBUTE, json.dumps({**record, "warnings": warnings}))
