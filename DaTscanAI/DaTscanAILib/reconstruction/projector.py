"""What a rotating gamma camera sees of an activity map: attenuation and distance-dependent blur.

All maps are `(rows, columns, slices)` of one square matrix in the transaxial plane, voxels as large as the detector's
pixels; the centre of rotation is the matrix's centre. Each view turns the map so that depth runs towards the detector
(Zeng and Gullberg's rotation-based projector); its transpose is the matched back-projector that OSEM needs.
"""

import numpy as np

from .camera import Camera
from .distance_blur import DistanceBlur
from .rotation import ROTATION_VARIANCE, box, rotations

_VIEWS_AT_ONCE = 8
_LARGEST_PART = 0.8  # of a plane's pixels; more is treated as all of it


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
        self.rotations = rotations(size, camera.views)
        self.attenuation = attenuation_map
        self.blur = DistanceBlur(_variances(camera, size)) if resolve else None
        self.remember = remember
        self._transmissions = {}

    def unblurred(self) -> "Projector":
        """The same camera and head, transmissions shared, without the distance-dependent blur."""
        other = Projector(self.camera, self.size, self.attenuation, resolve=False, remember=self.remember)
        other._transmissions = self._transmissions
        return other

    @property
    def slices_alike(self) -> bool:
        """Whether each slice is projected by itself and like every other one."""
        return self.attenuation is None and self.blur is None

    def project(self, activity: np.ndarray, views=None) -> np.ndarray:
        """Primary counts `(views, size, slices)` of an activity map `(size, size, slices)`."""
        views = range(self.camera.views) if views is None else views
        flat = activity.reshape(self.size**2, -1)
        if self.blur is None:
            return np.stack([self._seen(flat, view).sum(axis=0) for view in views])
        occupied = None if self.remember else self._occupied(activity)
        return np.concatenate([self._blurred(flat, part, occupied) for part in _parts(views)])

    def _occupied(self, activity):
        """Where planes hold something, `(size, size)`; None where that is so much that it does not pay to tell."""
        occupied = activity.any(axis=2)
        if self.attenuation is not None:
            occupied |= self.attenuation.any(axis=2)
        return occupied if occupied.mean() < _LARGEST_PART else None

    def _blurred(self, flat, views, occupied):
        if occupied is not None:
            return self._blurred_part(flat, views, occupied)
        planes = np.empty((self.size, self.size, len(views), flat.shape[1]), np.float32)
        for k, view in enumerate(views):
            planes[:, :, k] = self._seen(flat, view)
        return self.blur.collapse(planes, self.size)

    def _blurred_part(self, flat, views, occupied):
        """The same of planes that are empty where not occupied: only the box that these views share is worked on."""
        depths, columns, matrices = self.rotations.of_part(views, occupied)
        shape = (depths.stop - depths.start, columns.stop - columns.start, flat.shape[1])
        planes = np.empty((*shape[:2], len(views), shape[2]), np.float32)
        for k, matrix in enumerate(matrices):
            turned, share = (matrix @ flat).reshape(shape), np.float32(1)
            if self.attenuation is not None:
                # Nothing attenuates nearer than the box, and behind it there is nothing to be seen.
                share = (matrix @ self.attenuation.reshape(flat.shape)).reshape(shape)
                _leaving(share, self.camera.pixel)
            np.multiply(turned, share, out=planes[:, :, k])
        return self.blur.collapse(planes, self.size, depths.start, columns.start)

    def _seen(self, flat, view):
        """`(depth, u, slices)`: the activity times the share of its photons that leaves the head."""
        turned = (self.rotations.forward(view) @ flat).reshape(self.size, self.size, -1)
        if self.attenuation is not None:
            turned *= self._transmission(view)
        return turned

    def back_project(self, projections: np.ndarray, views) -> np.ndarray:
        """The transpose of `project`: `(views, size, slices)` to `(size, size, slices)`."""
        total = np.zeros((self.size**2, projections.shape[2]), np.float32)
        if self.blur is None:
            for projection, view in zip(projections, views, strict=True):
                total += self._spread(projection, view)
            return total.reshape(self.size, self.size, -1)
        first = 0
        for part in _parts(views):
            planes = self.blur.spread(projections[first : first + len(part)])
            first += len(part)
            for k, view in enumerate(part):
                total += self._back(planes[:, :, k], view, projections.dtype)
        return total.reshape(self.size, self.size, -1)

    def _spread(self, projection, view):
        """A projection `(size, slices)` at every depth alike, turned back: `(size*size, slices)`."""
        if self.attenuation is None:
            return self.rotations.spreading(view) @ projection
        return self._back(projection, view, projection.dtype)

    def _back(self, planes, view, dtype):
        weighted = np.empty((self.size, self.size, planes.shape[-1]), dtype)
        np.multiply(planes, self._transmission(view), out=weighted)
        return self.rotations.backward(view) @ weighted.reshape(self.size**2, -1)

    def _transmission(self, view):
        """Share of the photons that leaves the head, `(depth, u, slices)`, or 1."""
        if self.attenuation is None:
            return np.float32(1)
        if view in self._transmissions:
            return self._transmissions[view]
        flat = self.attenuation.reshape(self.size**2, -1)
        density = (self.rotations.forward(view) @ flat).reshape(self.size, self.size, -1)
        depths, columns = box(density.any(axis=2))
        share = np.ones_like(density)
        share[: depths.start, columns] = _leaving(density[depths, columns], self.camera.pixel)
        share[depths, columns] = density[depths, columns]
        if self.remember:
            self._transmissions[view] = share
        return share


def _leaving(density, pixel):
    """In place from the attenuation to the share that passes from each voxel's middle to the high end of depth.

    Returns:
        The share `(u, slices)` that passes from the low end of depth.
    """
    passed, half = np.zeros((2, *density.shape[1:]), np.float32)
    for plane in density[::-1]:
        passed += plane
        np.multiply(plane, 0.5, out=half)
        np.subtract(passed, half, out=plane)
        plane *= -pixel
        np.exp(plane, out=plane)
    passed *= -pixel
    return np.exp(passed, out=passed)


def _variances(camera, size):
    """Variance in pixels squared at each depth, from far to near, less what the rotation blurs already."""
    distance = camera.radius - (np.arange(size) - (size - 1) / 2) * camera.pixel
    variance = (camera.sigma(np.maximum(distance, 0)) / camera.pixel) ** 2 - ROTATION_VARIANCE
    return np.maximum(variance, 0.02)


def _parts(views):
    views = list(views)
    return [views[first : first + _VIEWS_AT_ONCE] for first in range(0, len(views), _VIEWS_AT_ONCE)]
