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

    def collapse(self, planes: np.ndarray, size: int, depth: int = 0, column: int = 0) -> np.ndarray:
        """Sum over depth, each plane with its own blur.

        Args:
            planes: `(depths, u, views, slices)`, the box of all planes outside which there is nothing.
            size: detector columns.
            depth: of the box's first plane.
            column: the box's first.

        Returns:
            `(views, size, slices)`.
        """
        columns, *others = planes.shape[1:]
        total = np.zeros((size, *others), np.float32)
        inside = total[column : column + columns]
        inside += planes[0]
        work = _Work(total.shape)
        low, high = column, column + columns
        for step in range(len(self.steps) - depth):
            # Nothing lies farther than one column a step from the box.
            low, high = max(low - 1, 0), min(high + 1, size)
            work.blur(total[low:high], total[low:high], self.steps[depth + step])
            if step + 1 < len(planes):
                inside += planes[step + 1]
        return np.ascontiguousarray(self._last(total, work).transpose(1, 0, 2))

    def spread(self, projections: np.ndarray) -> np.ndarray:
        """The transpose of `collapse`: `(views, u, slices)` to `(depths, u, views, slices)`."""
        projections = np.ascontiguousarray(projections.transpose(1, 0, 2))
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
            return ndimage.gaussian_filter(planes, (width, 0, width), mode="constant", truncate=4)
        # A sampled Gaussian this narrow would lose part of its variance.
        out = np.empty(planes.shape, np.float32)
        work.blur(planes, out, self.nearest)
        return out


class _Work:
    """Room for the intermediate arrays of planes of up to the shape `(u, views, slices)`, in one piece each."""

    def __init__(self, shape):
        self.step = shape[1] * shape[2]  # from a column to the next one in memory
        self.change, self.twice = np.empty((2, *shape), np.float32)
        self.double = np.empty(shape)

    def blur(self, planes, out, variance):
        """Convolution with (v/2, 1-v, v/2) along both axes: exactly the variance v, for v < 0.5."""
        self._along(0, planes, out, variance / 2)
        self._along(2, out, out, variance / 2)

    def _along(self, axis, planes, out, weight):
        """In double precision from the second differences on, as a sum of many small steps needs."""
        change, double = self.change[: len(planes)], self.double[: len(planes)]
        self._second_differences(axis, planes, change)
        np.copyto(double, change)
        np.multiply(double, weight, out=double)
        np.add(planes, double, out=double)
        np.copyto(out, double)

    def _second_differences(self, axis, planes, change):
        """Into `change`; what would leave over an edge stays, so that counts are kept."""
        # Neighbors along either axis lie a fixed step apart in memory: the whole array at once, then its edges again.
        step = self.step if axis == 0 else 1
        flat, inner, twice = planes.reshape(-1), change.reshape(-1)[step:-step], self.twice.reshape(-1)
        np.add(flat[2 * step :], flat[: -2 * step], out=inner)
        np.multiply(flat, 2, out=twice[: flat.size])
        np.subtract(inner, twice[step : flat.size - step], out=inner)
        for edge, neighbor in ((0, 1), (-1, -2)):
            if axis == 0:
                np.subtract(planes[neighbor], planes[edge], out=change[edge])
            else:
                np.subtract(planes[..., neighbor], planes[..., edge], out=change[..., edge])
