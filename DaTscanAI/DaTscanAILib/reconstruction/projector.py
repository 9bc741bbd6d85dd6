"""What a rotating gamma camera records: attenuation, distance-dependent blur, scatter, septal penetration, noise.

All maps are `(rows, columns, slices)` of one square matrix in the transaxial plane, voxels as large as the detector's
pixels; the centre of rotation is the matrix's centre. Each view turns the map so that depth runs towards the detector
(Zeng and Gullberg's rotation-based projector); its transpose is the matched back-projector that OSEM needs.
"""

from functools import lru_cache

import numpy as np
from scipy import ndimage, sparse

from .camera import Camera

# Bilinear rotation blurs: at a fraction f between two samples its variance is f(1-f), 1/6 of a pixel squared on
# average. The collimator's variance is reduced by that much, so that the sum is right.
_ROTATION_VARIANCE = 1 / 6


@lru_cache(maxsize=4)
def rotation_matrices(size: int, views: int) -> list[sparse.csr_matrix]:
    """For each view a sparse `(size*size, size*size)` matrix that turns a transaxial plane.

    Row `depth * size + u` of the result is the pixel at `depth` (towards the detector) and detector column `u`.
    """
    centre = (size - 1) / 2
    depth, u = np.meshgrid(np.arange(size) - centre, np.arange(size) - centre, indexing="ij")
    return [
        _bilinear_matrix(
            np.cos(angle) * u - np.sin(angle) * depth + centre,
            np.sin(angle) * u + np.cos(angle) * depth + centre,
            size,
        )
        for angle in 2 * np.pi * np.arange(views) / views
    ]


def _bilinear_matrix(row, column, size):
    row0, column0 = np.floor(row).astype(int), np.floor(column).astype(int)
    target = np.arange(size * size)
    parts = []
    for i in (0, 1):
        for j in (0, 1):
            weight = np.abs(1 - i - (row - row0)) * np.abs(1 - j - (column - column0))
            inside = (row0 + i >= 0) & (row0 + i < size) & (column0 + j >= 0) & (column0 + j < size)
            keep = inside.ravel() & (weight.ravel() > 1e-6)
            source = ((row0 + i) * size + column0 + j).ravel()
            parts.append((weight.ravel()[keep], target[keep], source[keep]))
    weight, rows, columns = (np.concatenate(part) for part in zip(*parts, strict=True))
    return sparse.csr_matrix((weight.astype(np.float32), (rows, columns)), shape=(size * size, size * size))


class Projector:
    """Projection and back-projection of one camera around one attenuating head.

    Args:
        camera: geometry and resolution.
        attenuation_map: `(size, size, slices)`, 1/mm, or None for none.
        resolve: model the distance-dependent blur.
        remember: keep the transmission of every view for the next call (0.2 GB), as OSEM wants.
    """

    def __init__(
        self,
        camera: Camera,
        size: int,
        attenuation_map: np.ndarray | None,
        resolve: bool = True,
        remember: bool = False,
    ):
        self.camera = camera
        self.size = size
        self.rotations = rotation_matrices(size, camera.views)
        self.attenuation = attenuation_map
        self.resolve = resolve
        self.remember = remember
        self._transmissions = {}

    def project(self, activity: np.ndarray, views=None) -> np.ndarray:
        """Primary counts `(views, size, slices)` of an activity map `(size, size, slices)`."""
        views = range(self.camera.views) if views is None else views
        flat = activity.reshape(self.size**2, -1)
        return np.stack([self._collapse(self._seen(self.rotations[view] @ flat, view)) for view in views])

    def back_project(self, projections: np.ndarray, views) -> np.ndarray:
        """The transpose of `project`: `(views, size, slices)` to `(size, size, slices)`."""
        total = np.zeros((self.size**2, projections.shape[2]), np.float32)
        for view, projection in zip(views, projections, strict=True):
            spread = self._spread(projection)
            total += self.rotations[view].T @ self._seen(spread.reshape(self.size**2, -1), view).reshape(
                self.size**2, -1
            )
        return total.reshape(self.size, self.size, -1)

    def _seen(self, turned, view):
        """Activity weighted with the share of its photons that leaves the head, `(depth, u, slices)`."""
        turned = turned.reshape(self.size, self.size, -1)
        if self.attenuation is None:
            return turned
        if view in self._transmissions:
            return turned * self._transmissions[view]
        density = (self.rotations[view] @ self.attenuation.reshape(self.size**2, -1)).reshape(turned.shape)
        # Path from the voxel's middle to the detector, which stands at high depth.
        path = np.cumsum(density[::-1], axis=0)[::-1] - density / 2
        transmission = np.exp(-self.camera.pixel * path, dtype=np.float32)
        if self.remember:
            self._transmissions[view] = transmission
        return turned * transmission

    def _variances(self):
        """Variance in pixels squared at each depth, from far to near."""
        centre = (self.size - 1) / 2
        distance = self.camera.radius - (np.arange(self.size) - centre) * self.camera.pixel
        variance = (self.camera.sigma(np.maximum(distance, 0)) / self.camera.pixel) ** 2 - _ROTATION_VARIANCE
        return np.maximum(variance, 0.02)

    def _collapse(self, seen):
        """Sum over depth with each plane blurred to its own width, by blurring the running sum step by step."""
        if not self.resolve:
            return seen.sum(axis=0)
        variance = self._variances()
        total = seen[0].copy()
        for depth in range(1, self.size):
            total = _blur_step(total, variance[depth - 1] - variance[depth])
            total += seen[depth]
        return _blur(total, variance[-1])

    def _spread(self, projection):
        """The transpose of `_collapse`."""
        if not self.resolve:
            return np.broadcast_to(projection, (self.size, *projection.shape))
        variance = self._variances()
        planes = np.empty((self.size, *projection.shape), np.float32)
        planes[-1] = _blur(projection, variance[-1])
        for depth in range(self.size - 1, 0, -1):
            planes[depth - 1] = _blur_step(planes[depth], variance[depth - 1] - variance[depth])
        return planes


def _blur_step(plane, variance):
    """Convolution with (v/2, 1-v, v/2) along both axes: exactly the variance v, for v < 0.5."""
    plane = plane.copy()
    for view in (plane, plane.T):
        change = np.empty_like(view)
        change[1:-1] = view[2:] + view[:-2] - 2 * view[1:-1]
        change[0] = view[1] - view[0]
        change[-1] = view[-2] - view[-1]
        view += (variance / 2) * change
    return plane


def _blur(plane, variance):
    if variance < 0.5:  # a sampled Gaussian this narrow would lose part of its variance
        return _blur_step(plane, variance)
    return ndimage.gaussian_filter(plane, np.sqrt(variance), mode="constant", truncate=4)
