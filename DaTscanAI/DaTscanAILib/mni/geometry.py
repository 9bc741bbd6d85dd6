"""Affine geometry: voxel indices, RAS millimetres, resampling."""

import numpy as np

FWHM_PER_SIGMA = 2.3548  # of a Gaussian


def scaling_and_translation(spacing, origin) -> np.ndarray:
    """4x4 matrix from voxel indices to RAS mm of an axis-aligned grid."""
    matrix = np.diag([*np.broadcast_to(np.asarray(spacing, float), 3), 1.0])
    matrix[:3, 3] = origin
    return matrix


def translation(shift) -> np.ndarray:
    """4x4 matrix that adds `shift` (3,) mm."""
    return scaling_and_translation(1.0, shift)


def apply_affine(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points `(..., 3)` taken through a 4x4 matrix."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def voxel_spacing(affine: np.ndarray) -> np.ndarray:
    """Edge lengths (3,) in mm of the voxels of a voxel-to-RAS matrix."""
    return np.sqrt((affine[:3, :3] ** 2).sum(axis=0))


def resample(voxels: np.ndarray, voxel_from_target_voxel: np.ndarray, shape, order: int = 1) -> np.ndarray:
    """Voxels sampled on another grid; zero outside.

    Args:
        voxels: `(x, y, z)`, any real type.
        voxel_from_target_voxel: 4x4, takes voxel indices of the target to voxel indices of `voxels`.
        shape: the target's shape.
        order: of the spline; 1 is trilinear.

    Returns:
        float32 of `shape`.
    """
    from scipy import ndimage  # loading it takes longer than all else that opening the module in Slicer needs

    return ndimage.affine_transform(
        voxels.astype(np.float32, copy=False),
        voxel_from_target_voxel[:3, :3],
        voxel_from_target_voxel[:3, 3],
        output_shape=tuple(shape),
        order=order,
        mode="constant",
    )
