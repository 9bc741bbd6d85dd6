"""Blur that falls with the distance to the detector: planes at each depth to projections, and the transpose.

Planes are blurred step by step while they come nearer to the collimator, as a running sum, several views at once: one
numpy call for many views costs little more than for one, and what it works on stays in the processor's cache.
"""

import numpy as np
from scipy import ndimage


class DistanceBlur:
    """The blur of one camera.

    Args:
        variance: `(depths,)` in pixels squared, falling, from the far to the near end; steps of less than 0.5.
    """

    def __init__(self, variance: np.ndarray):
        self.steps = variance[:-1] - variance[1:]
        self.nearest = variance[-1]

    def collapse(self, planes: np.ndarray) -> np.ndarray:
        """Sum over depth of planes `(depths, views, u, slices)`, each with its own blur: `(views, u, slices)`."""
        first = next((depth for depth, plane in enumerate(planes) if plane.any()), len(planes) - 1)
        total = planes[first].copy()
        work = _Work(total.shape)
        for depth in range(first + 1, len(planes)):
            work.blur(total, total, self.steps[depth - 1])
            total += planes[depth]
        return self._last(total, work)

    def spread(self, projections: np.ndarray) -> np.ndarray:
        """The transpose of `collapse`."""
        planes = np.empty((len(self.steps) + 1, *projections.shape), np.float32)
        work = _Work(projections.shape)
        planes[-1] = self._last(projections, work)
        for depth in range(len(self.steps), 0, -1):
            work.blur(planes[depth], planes[depth - 1], self.steps[depth - 1])
        return planes

    def _last(self, planes, work):
        """The detector's own blur."""
        if self.nearest >= 0.5:
            width = np.sqrt(self.nearest)
            return ndimage.gaussian_filter(planes, (0, width, width), mode="constant", truncate=4)
        # A sampled Gaussian this narrow would lose part of its variance.
        out = np.empty(planes.shape, np.float32)
        work.blur(planes, out, self.nearest)
        return out


class _Work:
    """Room for the intermediate arrays of planes of one shape `(views, u, slices)`."""

    def __init__(self, shape):
        self.shape = shape
        self.change, self.twice = np.empty((2, *shape), np.float32)
        self.double = np.empty(shape)

    def blur(self, planes, out, variance):
        """Convolution with (v/2, 1-v, v/2) along both axes: exactly the variance v, for v < 0.5."""
        self._along(1, planes, out, variance / 2)
        self._along(2, out, out, variance / 2)

    def _along(self, axis, planes, out, weight):
        """In double precision from the second differences on, as a sum of many small steps needs."""
        self._second_differences(axis, planes)
        np.copyto(self.double, self.change)
        np.multiply(self.double, weight, out=self.double)
        np.add(planes, self.double, out=self.double)
        np.copyto(out, self.double)

    def _second_differences(self, axis, planes):
        """Into `change`; what would leave over an edge stays, so that counts are kept."""
        # Neighbors along either axis lie a fixed step apart in memory: the whole array at once, then its edges again.
        step = self.shape[2] if axis == 1 else 1
        flat, inner = planes.reshape(-1), self.change.reshape(-1)[step:-step]
        np.add(flat[2 * step :], flat[: -2 * step], out=inner)
        np.multiply(planes, 2, out=self.twice)
        np.subtract(inner, self.twice.reshape(-1)[step:-step], out=inner)
        for edge, neighbor in ((0, 1), (-1, -2)):
            edge, neighbor = ((..., k, slice(None)) if axis == 1 else (..., k) for k in (edge, neighbor))
            np.subtract(planes[neighbor], planes[edge], out=self.change[edge])
