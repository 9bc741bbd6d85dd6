"""Small volumes with a marker, and their affines, for the readers of research formats."""

import gzip
import struct
from pathlib import Path

import numpy as np
import SimpleITK
from dicom_factory import MARKER_RAS, marker_frames
from scipy.spatial.transform import Rotation

SHAPE = (30, 34, 26)
SPACING = (4.0, 3.5, 4.5)


def affine_of(axes="RAS", angles=(0, 0, 0), shear=0.0, spacing=SPACING, shape=SHAPE) -> np.ndarray:
    """Voxel-to-RAS matrix that puts the volume around the marker.

    Args:
        axes: where the voxel axes point.
        angles: rotation after that, degrees.
        shear: of the second axis along the first.
        spacing: mm.
        shape: voxels.
    """
    signs = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    directions = np.zeros((3, 3))
    for axis, letter in enumerate(axes):
        row, sign = signs[letter]
        directions[row, axis] = sign
    directions = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ directions
    directions[:, 1] += shear * directions[:, 0]
    affine = np.eye(4)
    affine[:3, :3] = directions / np.linalg.norm(directions, axis=0) * spacing
    center = affine[:3, :3] @ (np.array(shape) - 1) / 2
    affine[:3, 3] = MARKER_RAS + np.array([3, -5, 4]) - center  # the marker not in the middle either
    return affine


def marker_volume(affine, shape=SHAPE, dtype=np.float32) -> np.ndarray:
    """The marker as `(x, y, z)`."""
    indices = np.moveaxis(np.indices(shape), 0, -1)
    ras = indices @ affine[:3, :3].T + affine[:3, 3]
    volume = marker_frames(ras * [-1, -1, 1])
    return np.rint(volume).astype(dtype) if np.dtype(dtype).kind in "iu" else volume.astype(dtype)


def itk_image(voxels, affine):
    """A SimpleITK image of `(x, y, z)` voxels."""
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels.transpose(2, 1, 0)))
    lps = np.diag([-1.0, -1, 1]) @ affine[:3]
    spacing = np.linalg.norm(lps[:, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:, 3].tolist())
    return image


def itk_affine(image) -> np.ndarray:
    """Voxel-to-RAS matrix of a SimpleITK image."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1.0, -1, 1, 1]) @ affine


def patched(path: Path, layout: str, offset: int, *values) -> Path:
    """Overwrite a field of a file, inside the gzip stream if it is one."""
    opened = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rb") as file:
        data = bytearray(file.read())
    struct.pack_into(layout, data, offset, *values)
    with opened(path, "wb") as file:
        file.write(data)
    return path
