"""From the normalized scan to a network's input, and maps back onto the grid."""

from dataclasses import dataclass

import numpy as np

from ..mni.atlas import FULL_BOX, STRIATUM_BOX, Atlas, embed, load_midway

_BOXES = {"full": FULL_BOX, "striatum": STRIATUM_BOX}
SLAB_HALF_THICKNESS = 3  # slices of 2 mm: 12 mm (Wenzel 2019)


@dataclass(frozen=True)
class Preprocessing:
    """From the normalized scan (lower putamen left) to the network's input.

    Attributes:
        box: `full`, `striatum` or `slab` (mean of 6 axial slices).
        striatum_masked: set the hottest-voxels regions of the striatum to the reference level, or to midway.
        window: values are clipped to this, in multiples of the reference level.
        offset, scale: then `(x - offset) / scale`.
        from_midway: instead `(m - x) / scale`, m lying midway between a mean normal and a mean reduced scan
            (`mni.atlas.load_midway`). The input is then positive where uptake is lost and negative where it is
            normal, and so is the relevance: with plain uptake, what is absent can hardly get any.
        slab_center: MNI z in mm of the slab's middle, for `slab`.
    """

    box: str = "full"
    striatum_masked: bool = False
    window: tuple[float, float] = (0.0, 6.5)
    offset: float = 1.0
    scale: float = 1.0
    from_midway: bool = False
    slab_center: float = 4.0

    def apply(self, voxels: np.ndarray, atlas: Atlas) -> np.ndarray:
        """The input without batch and channel axes, float32.

        Args:
            voxels: `(91, 109, 91)` normalized, lower putamen left.
        """
        if self.striatum_masked:
            unremarkable = load_midway() if self.from_midway else np.float32(1)
            voxels = np.where((atlas.regions >= 1) & (atlas.regions <= 4), unremarkable, voxels)
        voxels = np.clip(self._boxed(voxels), *self.window)
        difference = self._boxed(load_midway()) - voxels if self.from_midway else voxels - np.float32(self.offset)
        return difference / np.float32(self.scale)

    def uptake(self, image: np.ndarray) -> np.ndarray:
        """The clipped scan that `apply` has made an input of, in its box."""
        difference = image * np.float32(self.scale)
        return self._boxed(load_midway()) - difference if self.from_midway else difference + np.float32(self.offset)

    def restore(self, relevance: np.ndarray) -> np.ndarray:
        """A map of the input's shape put back onto the `(91, 109, 91)` grid; a slab's is spread over its slices."""
        if self.box != "slab":
            return embed(relevance, _BOXES[self.box])
        slab = self._slab()
        thickness = slab.stop - slab.start
        return embed(
            np.repeat(relevance[:, :, None] / thickness, thickness, axis=2), (slice(0, 91), slice(0, 109), slab)
        )

    def _boxed(self, voxels):
        if self.box == "slab":
            return voxels[:, :, self._slab()].mean(axis=2)
        return voxels[_BOXES[self.box]]

    def _slab(self):
        middle = round((self.slab_center + 72) / 2)
        return slice(middle - SLAB_HALF_THICKNESS, middle + SLAB_HALF_THICKNESS)
