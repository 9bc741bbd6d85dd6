"""The published ensembles of Buddenkotte and Buchert, run from weights that the user has downloaded.

github.com/ThomasBudd/dat_spect_ud (MIT): networks trained on real patients, here a judge of simulated scans. Nothing
of them ships with this project. `acc`, `sens` and `spec` are of Budenkotte 2024 (Eur J Nucl Med Mol Imaging, doi
10.1007/s00259-023-06566-w), `robust` is of Buddenkotte and Buchert 2024 (J Nucl Med 65:1463).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..mni.atlas import GRID_AFFINE, GRID_SHAPE, GRID_SPACING

ENSEMBLES = ("acc", "robust", "sens", "spec")
MEMBERS = 5
# Votes for "reduced" that decide an ensemble.
VOTES_NEEDED = {"acc": 3, "robust": 3, "sens": 2, "spec": 4}
SLAB_THICKNESS = 12.0  # mm

WINDOW = (0.0, 6.5)
MEAN, DEVIATION = 0.6048597782240399, 0.6051688035793145  # of the slabs they were trained on
CROP = (slice(9, 81), slice(29, 101))  # 72 x 72 pixels around the striata
_BLOCKS_OF_STAGE = (1, 1, 2)
_STRIDE_OF_STAGE = (1, 3, 3)
_SLOPE = 0.01  # of the leaky rectifier


def slab(voxels: np.ndarray, height: float) -> np.ndarray:
    """Mean over a 12-mm axial slab; slices that it cuts count in part.

    Args:
        voxels: `(91, 109, 91)` in MNI space, reference level 1, not mirrored.
        height: MNI z of the slab's middle, mm.

    Returns:
        float32 `(91, 109)`.
    """
    return (voxels @ slab_weights(height)).astype(np.float32, copy=False)


def slab_weights(height: float) -> np.ndarray:
    """Share of each axial slice of the grid in the slab, float32 `(91,)`, which sum to 1."""
    z = GRID_AFFINE[2, 3] + GRID_SPACING * np.arange(GRID_SHAPE[2])
    bottom, top = height - SLAB_THICKNESS / 2, height + SLAB_THICKNESS / 2
    inside = np.minimum(z + GRID_SPACING / 2, top) - np.maximum(z - GRID_SPACING / 2, bottom)
    return (np.maximum(inside, 0) / SLAB_THICKNESS).astype(np.float32)


def network_input(image: np.ndarray) -> np.ndarray:
    """A slab `(91, 109)` as the networks take it: clipped, standardized, cropped to `(72, 72)`."""
    return ((np.clip(image, *WINDOW) - MEAN) / DEVIATION).astype(np.float32)[CROP]


@dataclass(frozen=True)
class Ensemble:
    """Five networks and the votes they need.

    Attributes:
        name: of `ENSEMBLES`.
        members: one state dictionary of tensors each.
    """

    name: str
    members: tuple[dict, ...]

    def votes(self, inputs: np.ndarray) -> np.ndarray:
        """How many members (0 to 5) call each of `(cases, 72, 72)` inputs reduced."""
        import torch

        with torch.inference_mode():
            images = torch.from_numpy(inputs)[:, None]
            return sum((_score(member, images) > 0).numpy().astype(int) for member in self.members)

    def reduced(self, inputs: np.ndarray) -> np.ndarray:
        """The ensemble's answer for each input, bool."""
        return self.votes(inputs) >= VOTES_NEEDED[self.name]


def load_ensemble(folder: Path | str, name: str) -> Ensemble:
    """One of `ENSEMBLES` from the folder with the files `network_weights_*`.

    Raises:
        DaTscanError: a file is missing or holds other weights.
    """
    import torch

    members = []
    for index in range(MEMBERS):
        path = Path(folder) / f"network_weights_{name}_{index}"
        if not path.is_file():
            raise DaTscanError(
                f"{path.name} is missing: give the folder `network_weights` of github.com/ThomasBudd/dat_spect_ud."
            )
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
            members.append(_flattened(weights))
            _score(members[-1], torch.zeros(1, 1, 72, 72))
        except Exception as error:
            raise DaTscanError(f"{path.name} holds other weights than it should: download it again.") from error
    return Ensemble(name, tuple(members))


def _flattened(weights):
    """Three-dimensional kernels one voxel deep are two-dimensional ones."""
    return {name: value.squeeze(2) if value.ndim == 5 else value for name, value in weights.items()}


def _score(weights, images):
    """How far each image is on the side of "reduced", `(cases,)`; zero is the cut."""
    from torch.nn import functional

    for stage, (blocks, stride) in enumerate(zip(_BLOCKS_OF_STAGE, _STRIDE_OF_STAGE, strict=True)):
        images = functional.conv2d(images, weights[f"body.{stage}.first_conv.weight"], stride=stride)
        for block in range(blocks):
            change = images
            for layer in (0, 3):
                change = _layer(weights, f"body.{stage}.blocks.{block}", layer, change)
            images = images + weights[f"body.{stage}.skip_inits.{block}"] * change
    kernel, bias = weights["logits.weight"], weights["logits.bias"]
    if kernel.ndim == 4:  # one output, found at every place, then its maximum
        return functional.conv2d(images, kernel, bias).amax(dim=(1, 2, 3))
    logits = functional.linear(images.amax(dim=(2, 3)), kernel, bias)
    return logits[:, 1] - logits[:, 0]


def _layer(weights, place, layer, images):
    """Convolution, batch normalization as trained, rectifier."""
    from torch.nn import functional

    images = functional.conv2d(images, weights[f"{place}.{layer}.weight"], padding=1)
    norm = f"{place}.{layer + 1}"
    statistics = (weights[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias"))
    return functional.leaky_relu(functional.batch_norm(images, *statistics), _SLOPE)
