"""A scan smoothed and sampled with its spatial gradient, where parts of it may be missing."""

import numpy as np
from scipy import ndimage

from ..mni.geometry import FWHM_PER_SIGMA, apply_affine, voxel_spacing

# Share of a smoothed voxel that must come from measured ones for it to count.
_LEAST_COVERED = 0.5
_BACKGROUND = 0.4  # of the 98th percentile
_HEAD_HEIGHT = 170.0  # mm from the vertex to below the cerebellum
_SLICE, _LEAST_VOLUME = 10.0, 30.0  # mm; ml of uptake in such a slice where a head begins


class SmoothScan:
    """A scan smoothed for one level of the fit.

    Args:
        voxels: `(x, y, z)` float32, finite.
        affine: voxel to scanner RAS mm.
        covered: `(x, y, z)` float32, 0 to 1, how much of each voxel was measured; None where all are.
    """

    def __init__(self, voxels: np.ndarray, affine: np.ndarray, covered: np.ndarray | None = None):
        self.voxels = voxels
        self.affine = affine
        self.covered = covered
        self.voxel_from_scanner = np.linalg.inv(affine)

    def moved(self, change: np.ndarray) -> "SmoothScan":
        """The same voxels elsewhere: the affine multiplied by a 4x4 from the left."""
        return SmoothScan(self.voxels, change @ self.affine, self.covered)

    def smoothed(self, fwhm: float, every: int = 1) -> "SmoothScan":
        """Blurred further by `fwhm` mm and thinned to every n-th voxel; what is missing takes no part."""
        thin = (slice(None, None, every),) * 3
        affine = self.affine @ np.diag([every, every, every, 1.0])
        if not fwhm:
            covered = None if self.covered is None else np.ascontiguousarray(self.covered[thin])
            return SmoothScan(np.ascontiguousarray(self.voxels[thin]), affine, covered)
        sigma = fwhm / FWHM_PER_SIGMA / voxel_spacing(self.affine)
        if self.covered is None:
            return SmoothScan(np.ascontiguousarray(_blurred(self.voxels, sigma)[thin]), affine)
        covered = np.ascontiguousarray(_blurred(self.covered, sigma)[thin])
        voxels = np.ascontiguousarray(_blurred(self.voxels * self.covered, sigma)[thin])
        return SmoothScan(voxels / np.maximum(covered, 1e-3), affine, covered)

    def sample(self, scanner_from_mni: np.ndarray, points: np.ndarray, margin: float = 0.0):
        """Trilinear values, their gradient by voxel index, and which points the scan covers.

        Args:
            margin: mm from the ends of the image in which nothing counts as covered. What was smoothed there is a
                mean of one side alone, and looks like uptake that goes on beyond the end.

        Returns:
            values `(n,)`, gradient `(3, n)`, inside `(n,)` bool.
        """
        index = apply_affine((self.voxel_from_scanner @ scanner_from_mni).astype(np.float32), points).T
        shape = np.array(self.voxels.shape)[:, None]
        least = (margin / voxel_spacing(self.affine))[:, None]
        inside = np.logical_and(index >= least, index <= shape - 1 - least).all(axis=0)
        low = np.clip(np.floor(np.clip(index, -1, shape)).astype(np.intp), 0, shape - 2)
        x, y, z = np.clip(index - low, 0, 1)
        flat, (sx, sy, _) = self.voxels.ravel(), np.array(self.voxels.strides) // self.voxels.itemsize
        start = low[0] * sx + low[1] * sy + low[2]
        if self.covered is not None:
            nearest = start + (x > 0.5) * sx + (y > 0.5) * sy + (z > 0.5)
            inside &= self.covered.ravel().take(nearest) >= _LEAST_COVERED
        corner = flat.take(start + np.array([0, 1, sy, sy + 1, sx, sx + 1, sx + sy, sx + sy + 1])[:, None])
        edge = corner[::2] + z * (corner[1::2] - corner[::2])  # along z: four edges, x slow, y fast
        face = edge[::2] + y * (edge[1::2] - edge[::2])
        gradient_y = edge[1::2] - edge[::2]
        slope_z = corner[1::2] - corner[::2]
        slope_z = slope_z[::2] + y * (slope_z[1::2] - slope_z[::2])
        gradient = np.stack(
            [
                face[1] - face[0],
                gradient_y[0] + x * (gradient_y[1] - gradient_y[0]),
                slope_z[0] + x * (slope_z[1] - slope_z[0]),
            ]
        )
        return face[0] + x * (face[1] - face[0]), gradient, inside


def center_of_head(scan: SmoothScan) -> np.ndarray:
    """Scanner mm of the middle of the head: of uptake in the uppermost part of the body, as high as a head is.

    Uptake is clipped at its 98th percentile and taken without the background. Long fields of view show neck and
    shoulders, whose mass would draw the middle down.
    """
    ceiling = np.percentile(scan.voxels, 98)
    clipped = np.where(scan.voxels > _BACKGROUND * ceiling, np.minimum(scan.voxels, ceiling), 0)
    index = np.nonzero(clipped)
    if not ceiling > 0 or not index[0].size:  # nothing stands out: the middle of the image is as good a start as any
        return apply_affine(scan.affine, (np.array(scan.voxels.shape) - 1) / 2)
    points, mass = apply_affine(scan.affine, np.stack(index, axis=-1)), clipped[index]
    slices = np.floor(points[:, 2] / _SLICE).astype(int)
    volumes = np.bincount(slices - slices.min()) * np.prod(voxel_spacing(scan.affine)) / 1000
    large = np.flatnonzero(volumes > _LEAST_VOLUME)
    top = (slices.min() + (large.max() if large.size else volumes.argmax()) + 1) * _SLICE
    head = (points[:, 2] > top - _HEAD_HEIGHT) & (points[:, 2] <= top)
    return (points[head] * mass[head, None]).sum(axis=0) / mass[head].sum()


def _blurred(voxels, sigma):
    return ndimage.gaussian_filter(voxels, sigma, mode="nearest", truncate=2.5)
