"""What every scan must keep, whatever its format: the size it declares, its geometry, its values."""

import stat
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..mni.geometry import voxel_spacing

# A head on the finest grid of any camera fits easily. Checked before memory is claimed or anything inflated,
# so that a small file cannot declare itself into all of the memory: 64 Mi voxels are 256 MiB of float32.
MAX_EDGE = 512
MAX_VOXELS = 2**26
MAX_FILE_BYTES = 2**30
MIN_SLICES = 20
VOXEL_MM = (0.5, 8.0)
# Counts, kBq/ml, SBR-like units: all far inside. Outside, float32 squares overflow or vanish.
VALUE_RANGE = (1e-12, 1e12)
# Filtered back-projection rings below zero around the head; its sum stays far above zero all the same.
MAX_NEGATIVE_SHARE = 0.8


def check_file_size(path: Path, name: str) -> None:
    """Refuse a file that is missing, no regular file, or so large that reading it would fill the memory.

    Raises:
        DaTscanError: it cannot be found, is a pipe or device, or is larger than 1 GiB.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and path.is_symlink():
            raise DaTscanError(
                f"{name} is a link to a file that is gone: restore that, or remove the link."
            ) from error
        raise cannot_be_opened(name, error) from error
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
        raise DaTscanError(f"{name} is neither a file nor a folder: give a scan.")
    if status.st_size > MAX_FILE_BYTES:
        raise DaTscanError(f"{name} is larger than {MAX_FILE_BYTES >> 20} MiB, more than any SPECT: give the scan.")


def cannot_be_opened(name: str, error: Exception) -> DaTscanError:
    """The error for a file or folder that the operating system does not give."""
    reason = getattr(error, "strerror", None) or "not a path"
    return DaTscanError(f"{name} cannot be opened ({reason}): check the path and its permissions.")


def display_name(path: Path) -> str:
    """The last part of a path as one printable line, for sentences: folders above it may name a patient."""
    name = path.name or path.resolve().name or str(path)
    return "".join(character if character.isprintable() else "?" for character in name)[:120]


def check_shape(name: str, shape) -> None:
    """Refuse what is no volume or too large, from the declared number of voxels along each axis.

    Raises:
        DaTscanError: fewer than 20 or more than 512 voxels along an axis, or more than 64 Mi voxels.
    """
    text = " x ".join(str(int(n)) for n in shape)
    if len(shape) != 3 or min(shape) < 2:
        raise DaTscanError(f"{name} is a 2D image ({text}): give the reconstructed volume.")
    if min(shape) < MIN_SLICES:
        raise DaTscanError(
            f"{name} has too few slices ({text}): give the whole reconstruction, {MIN_SLICES} slices or more."
        )
    if max(shape) > MAX_EDGE or int(shape[0]) * int(shape[1]) * int(shape[2]) > MAX_VOXELS:
        raise DaTscanError(
            f"{name} declares {text} voxels, more than any SPECT has ({MAX_EDGE} along an axis, "
            f"{MAX_VOXELS // 10**6} million in all): export it on the camera's own grid."
        )


def check_geometry(name: str, affine: np.ndarray) -> None:
    """Refuse a voxel-to-RAS matrix that no camera has.

    Raises:
        DaTscanError: NaN or infinity, voxel edges outside 0.5-8 mm, axes that do not span space.
    """
    # 100 m: beyond it float32 positions lose the millimetres.
    if not (np.isfinite(affine).all() and np.abs(affine).max() < 1e5):
        raise DaTscanError(
            f"{name} has no usable orientation (its matrix is not finite): export or convert it again."
        )
    spacing = voxel_spacing(affine)
    if spacing.min() < VOXEL_MM[0] or spacing.max() > VOXEL_MM[1]:
        text = " x ".join(f"{edge:.3g}" for edge in spacing)
        raise DaTscanError(
            f"{name} has voxels of {text} mm, outside {VOXEL_MM[0]}-{VOXEL_MM[1]:.0f} mm: "
            "check the voxel size in its header, or resample it."
        )
    if abs(np.linalg.det(affine[:3, :3] / spacing)) < 0.5:
        raise DaTscanError(f"{name} has axes far from perpendicular: resample it on a rectangular grid.")


@np.errstate(all="ignore")
def check_values(name: str, voxels: np.ndarray) -> None:
    """Refuse voxels that are no measured uptake. Some negative values are normal and stay as they are.

    Raises:
        DaTscanError: NaN or infinity, all zeros, constant, mostly negative, absurdly large or small.
    """
    lowest, highest = float(voxels.min()), float(voxels.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise DaTscanError(f"{name} holds values that are not finite (NaN or infinity): export it again.")
    if lowest == highest == 0:
        raise DaTscanError(f"{name} is empty, all its voxels are zero: export it again.")
    if lowest == highest:
        raise DaTscanError(f"{name} is constant, all its voxels have the same value: export it again.")
    positive = np.sum(voxels, where=voxels > 0, dtype=np.float64)
    negative = -np.sum(voxels, where=voxels < 0, dtype=np.float64)
    if negative > MAX_NEGATIVE_SHARE * positive:
        raise DaTscanError(
            f"{name} has mostly negative values, so it is no uptake image (CT, difference, z-score?): "
            "give the reconstruction itself."
        )
    if not VALUE_RANGE[0] < max(highest, -lowest) < VALUE_RANGE[1]:
        raise DaTscanError(
            f"{name} holds values of up to {max(highest, -lowest):.0e}, out of any camera's range: export it again."
        )


def scaled_float32(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Stored numbers as float32, times slope plus intercept; what does not fit becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        voxels = stored.astype(np.float32, order="C")
        if (slope, intercept) != (1.0, 0.0):
            voxels *= np.float32(slope)
            voxels += np.float32(intercept)
    return voxels
