"""From the normalized scan to a network's input, and maps back onto the grid."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..mni.atlas import FULL_BOX, GRID_SHAPE, STRIATUM_BOX, Atlas, embed, load_atlas
from .dat_spect_ud import CROP, slab, slab_weights

BOXES = {"full": FULL_BOX, "striatum": STRIATUM_BOX, "without_striatum": FULL_BOX}
SLAB_HALF_THICKNESS = 3  # slices of 2 mm: 12 mm (Wenzel 2019)


@dataclass(frozen=True)
class Preprocessing:
    """From the normalized scan (lower putamen left) to the network's input.

    Attributes:
        box: `full`, `striatum`, `without_striatum` (`full`, in which all of `striatum`'s box is set to the reference
            level, or to the reference: Nazari 2021, Sci Rep 11:22932), `slab` (mean of 6 axial slices), or `slab72`
            (the slab and the 72 x 72 pixels of `dat_spect_ud.py`, the patient's sides kept).
        striatum_masked: set the hottest-voxels regions of the striatum alone so.
        window: values are clipped to this, in multiples of the reference level.
        offset, scale: then `(x - offset) / scale`.
        from_reference: instead `(r - x) / scale`, r being the model's reference (`explanation/reference.py`). The
            input is then positive where uptake is lower than there and negative where it is higher.
        slab_center: MNI z in mm of the slab's middle, for `slab`.
        brain_margin: mm around the brain beyond which the input is 0, so that glands and neck cannot speak; None for
            no mask.
    """

    box: str = "full"
    striatum_masked: bool = False
    window: tuple[float, float] = (0.0, 6.5)
    offset: float = 1.0
    scale: float = 1.0
    from_reference: bool = False
    slab_center: float = 4.0
    brain_margin: float | None = None

    def apply(self, voxels: np.ndarray, atlas: Atlas, reference: np.ndarray) -> np.ndarray:
        """The input without batch and channel axes, float32.

        Args:
            voxels: `(91, 109, 91)` normalized, lower putamen left.
            atlas: of the regions.
            reference: `(91, 109, 91)`, the model's.
        """
        if not self.sees_striatum:
            unremarkable = reference if self.from_reference else np.float32(1)
            voxels = np.where(self._hidden(atlas), unremarkable, voxels)
        voxels = np.clip(self._boxed(voxels), *self.window)
        difference = self._boxed(reference) - voxels if self.from_reference else voxels - np.float32(self.offset)
        if self.brain_margin is not None:
            difference *= self._boxed(brain_mask(self.brain_margin))
        return difference / np.float32(self.scale)

    @property
    def sees_striatum(self) -> bool:
        """Whether the input holds the striatum."""
        return not self.striatum_masked and self.box != "without_striatum"

    @property
    def keeps_sides(self) -> bool:
        """Whether networks see the patient's own sides, not the lower putamen on the left."""
        return self.box == "slab72"

    def restore(self, relevance: np.ndarray) -> np.ndarray:
        """A map of the input's shape put back onto the `(91, 109, 91)` grid; a slab's is spread over its slices."""
        if self.box == "slab72":
            plane = np.zeros(GRID_SHAPE[:2], relevance.dtype)
            plane[CROP] = relevance
            return plane[:, :, None] * slab_weights(self.slab_center)
        if self.box != "slab":
            return embed(relevance, BOXES[self.box])
        slab = self._slab()
        thickness = slab.stop - slab.start
        return embed(
            np.repeat(relevance[:, :, None] / thickness, thickness, axis=2), (slice(0, 91), slice(0, 109), slab)
        )

    def _hidden(self, atlas):
        """bool `(91, 109, 91)`, what the networks are not shown."""
        if self.box != "without_striatum":
            return (atlas.regions >= 1) & (atlas.regions <= 4)
        hidden = np.zeros(GRID_SHAPE, bool)
        hidden[STRIATUM_BOX] = True
        return hidden

    def _boxed(self, voxels):
        if self.box == "slab":
            return voxels[:, :, self._slab()].mean(axis=2)
        if self.box == "slab72":
            return slab(voxels, self.slab_center)[CROP]
        return voxels[BOXES[self.box]]

    def _slab(self):
        middle = round((self.slab_center + 72) / 2)
        return slice(middle - SLAB_HALF_THICKNESS, middle + SLAB_HALF_THICKNESS)


@lru_cache(maxsize=2)
def brain_mask(margin: float) -> np.ndarray:
    """1 in the brain and `margin` mm around it, 0 beyond; float32 `(91, 109, 91)`."""
    brain = load_atlas().brain
    if margin > 0:
        brain = load_atlas().distance_from_brain <= margin
    return brain.astype(np.float32)
