"""What a rotating gamma camera sees of an activity map: attenuation and distance-dependent blur.

All maps are `(rows, columns, slices)` of one square matrix in the transaxial plane, voxels as large as the detector's
pixels; the centre of rotation is the matrix's centre. Each view turns the map so that depth runs towards the detector
(Zeng and Gullberg's rotation-based projector); its transpose is the matched back-projector that OSEM needs.
"""

import numpy as np

from .camera import Camera
from .distance_blur import DistanceBlur
from .rotation import ROTATION_VARIANCE, rotation_matrices

_VIEWS_AT_ONCE = 8


class Projector:
    """Projection and back-projection of one camera around one attenuating head.

    Args:
        camera: geometry and resolution.
        size: rows and columns.
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
        self.blur = DistanceBlur(_variances(camera, size)) if resolve else None
        self.remember = remember
        self._transmissions = {}

    def unblurred(self) -> "Projector":
        """The same camera and head, transmissions shared, without the distance-dependent blur."""
        other = Projector(self.camera, self.size, self.attenuation, resolve=False, remember=self.remember)
        other._transmissions = self._transmissions
        return other

    def project(self, activity: np.ndarray, views=None) -> np.ndarray:
        """Primary counts `(views, size, slices)` of an activity map `(size, size, slices)`."""
        views = range(self.camera.views) if views is None else views
        flat = activity.reshape(self.size**2, -1)
        if self.blur is None:
            seen = np.empty((self.size, self.size, flat.shape[1]), np.float32)
            return np.stack([self._seen(flat, view, seen).sum(axis=0) for view in views])
        return np.concatenate([self._blurred(flat, part) for part in _parts(views)])

    def _blurred(self, flat, views):
        planes = np.empty((self.size, len(views), self.size, flat.shape[1]), np.float32)
        for k, view in enumerate(views):
            self._seen(flat, view, planes[:, k])
        return self.blur.collapse(planes)

    def _seen(self, flat, view, out):
        """Into `out` `(depth, u, slices)`: the activity times the share of its photons that leaves the head."""
        turned = (self.rotations[view] @ flat).reshape(out.shape)
        return np.multiply(turned, self._transmission(view), out=out)

    def back_project(self, projections: np.ndarray, views) -> np.ndarray:
        """The transpose of `project`: `(views, size, slices)` to `(size, size, slices)`."""
        slices = projections.shape[2]
        total = np.zeros((self.size**2, slices), np.float32)
        weighted = np.empty((self.size, self.size, slices), projections.dtype)
        first = 0
        for part in _parts(views):
            several = projections[first : first + len(part)]
            first += len(part)
            planes = (
                np.broadcast_to(several, (self.size, *several.shape))
                if self.blur is None
                else self.blur.spread(several)
            )
            for k, view in enumerate(part):
                np.multiply(planes[:, k], self._transmission(view), out=weighted)
                total += self.rotations[view].T @ weighted.reshape(self.size**2, slices)
        return total.reshape(self.size, self.size, slices)

    def _transmission(self, view):
        """Share of the photons that leaves the head, `(depth, u, slices)`, or 1."""
        if self.attenuation is None:
            return np.float32(1)
        if view in self._transmissions:
            return self._transmissions[view]
        flat = self.attenuation.reshape(self.size**2, -1)
        share = (self.rotations[view] @ flat).reshape(self.size, self.size, -1)
        _leaving(share, self.camera.pixel)
        if self.remember:
            self._transmissions[view] = share
        return share


def _leaving(density, pixel):
    """In place from the attenuation to the share that passes from each voxel's middle to the high end of depth."""
    passed, half = np.zeros((2, *density.shape[1:]), np.float32)
    for plane in density[::-1]:
        passed += plane
        np.multiply(plane, 0.5, out=half)
        np.subtract(passed, half, out=plane)
    density *= -pixel
    np.exp(density, out=density)


def _variances(camera, size):
    """Variance in pixels squared at each depth, from far to near, less what the rotation blurs already."""
    distance = camera.radius - (np.arange(size) - (size - 1) / 2) * camera.pixel
    variance = (camera.sigma(np.maximum(distance, 0)) / camera.pixel) ** 2 - ROTATION_VARIANCE
    return np.maximum(variance, 0.02)


def _parts(views):
    views = list(views)
    return [views[first : first + _VIEWS_AT_ONCE] for first in range(0, len(views), _VIEWS_AT_ONCE)]
