"""The networks, each a plain `torch.nn.Sequential` that is found by name.

They end in logits, from which layer-wise relevance propagation must start; whoever wants probabilities takes
the softmax. Output 0 argues for "normal", output 1 for "reduced".

Sources:
    Nazari et al. 2021, Eur J Nucl Med Mol Imaging 49:1176 (full image), and Sci Rep 2021 (striatum only,
        without striatum). The second gives all inputs three dense layers of 16, but only the 32 and 16 of the
        first make the 236 million parameters that both quote for the full image.
    Wenzel et al. 2019, Eur J Nucl Med Mol Imaging, reconstructed from its number of parameters.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..base.errors import DaTscanError
from .grades import REGIONS
from .residual import residual_block


@dataclass(frozen=True)
class Architecture:
    """A network that can be built by name.

    Attributes:
        input_shape: of one scan, channels first: `(1, x, y, z)`, or `(1, x, y)` for a slab.
        description: one line for a person who chooses.
        layers: gives the list of modules for an input shape.
        relevance: `rules` of layer-wise relevance propagation, or for networks with skips `gradient`
            (`explanation/gradient_times_input.py`).
    """

    input_shape: tuple[int, ...]
    description: str
    layers: Callable[[tuple[int, ...]], list]
    relevance: str = "rules"


def build_network(name: str, *, initialize: bool = True, input_shape=None):
    """An untrained network in evaluation mode.

    Args:
        name: a key of `ARCHITECTURES`.
        initialize: He initialization, which takes seconds for the largest networks. If False, parameters have
            shapes but no values (device "meta"): `load_state_dict(state, assign=True)` gives them theirs.
        input_shape: another than the published one, channels first.

    Returns:
        `torch.nn.Sequential` on the CPU, from a batch `(n, *input_shape)` to logits `(n, outputs)`.

    Raises:
        DaTscanError: no network has this name.
    """
    import torch

    if name not in ARCHITECTURES:
        raise DaTscanError(f"There is no network {name!r}: choose one of {', '.join(ARCHITECTURES)}.")
    architecture = ARCHITECTURES[name]
    with torch.device("meta"):
        network = torch.nn.Sequential(*architecture.layers(tuple(input_shape or architecture.input_shape)))
    if initialize:
        _initialize(network.to_empty(device="cpu"))
    return network.eval()


def first_average(name: str):
    """The average pooling with which a network begins, as a layer; None for a network that begins otherwise.

    Training may take it once in advance: it has no weights.
    """
    from torch import nn

    layer = build_network(name, initialize=False)[0]
    return layer if isinstance(layer, nn.AvgPool2d | nn.AvgPool3d) else None


def count_parameters(network, with_statistics: bool = False) -> int:
    """Number of parameters, if wanted with the means and variances of batch normalization as Keras counts."""
    count = sum(parameter.numel() for parameter in network.parameters())
    if with_statistics:
        count += sum(buffer.numel() for buffer in network.buffers() if buffer.is_floating_point())
    return count


def _initialize(network) -> None:
    """In place: weights of He's variance 2 / inputs, half of it for the logits, which nothing rectifies."""
    from torch import nn

    weighted = [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv2d | nn.Conv3d)]
    for layer in weighted:
        nonlinearity = "linear" if layer is weighted[-1] else "relu"
        nn.init.kaiming_normal_(layer.weight, nonlinearity=nonlinearity)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
            layer.reset_parameters()
        elif hasattr(layer, "skip_init"):
            nn.init.zeros_(layer.skip_init)


def _nazari2021(input_shape, hidden_units) -> list:
    """Four convolutions of 16 filters that keep the shape, no pooling, dense layers to two logits.

    Nearly all parameters are in the first dense layer, which sees each voxel of each feature map: that is how
    relevance maps keep the resolution of the scan.
    """
    from torch import nn

    layers = []
    for channels in (input_shape[0], 16, 16, 16):
        layers += [nn.Conv3d(channels, 16, 3, padding=1), nn.ReLU()]
    return [*layers, nn.Flatten(), *_dense_layers(16 * math.prod(input_shape[1:]), hidden_units, outputs=2)]


def _compact(input_shape, hidden_units=16, outputs=6) -> list:
    """Convolutions on 4 and 8 mm with batch normalization, and three heads of two logits (normal, reduced).

    | outputs | head | for |
    |---|---|---|
    | 0, 1 | balanced | the answer, its probability and its relevance map |
    | 2, 3 | high sensitivity | trained to miss hardly any reduced scan |
    | 4, 5 | high specificity | trained to call hardly any normal scan reduced |
    | 6 to 11 | regional, `compact-regional` only | a score of loss for each of `grades.REGIONS` |

    Where the two biased heads disagree, the answer is in doubt, after the votes of Budenkotte et al. 2024
    (Eur J Nucl Med Mol Imaging, doi 10.1007/s00259-023-06566-w). The heads are rows of the last layer and share
    the 16 or 24 features below it, so that the doubt costs no further pass.

    A camera resolves 8 mm and more, so the scan is first averaged to voxels of 4 mm. Means instead of strides keep
    relevance maps free of a pattern, and as in Nazari's networks a dense layer sees every place by itself.
    """
    from torch import nn

    layers, channels, shape = [], input_shape[0], input_shape[1:]
    for pair in ((8, 16), (32, 8)):
        layers.append(nn.AvgPool3d(2, ceil_mode=True, count_include_pad=False))
        shape = [(size + 1) // 2 for size in shape]
        for filters in pair:
            layers += [nn.Conv3d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm3d(filters), nn.ReLU()]
            channels = filters
    return [*layers, nn.Flatten(), *_dense_layers(channels * math.prod(shape), (hidden_units,), outputs)]


def _wenzel2019(input_shape) -> list:
    """Four blocks of two unpadded 2D convolutions, normalized by batch, with pooling after the first three.

    Blocks and filters are the published ones. That a block has two convolutions, without bias and padding,
    follows from 2,872,642 parameters as Keras counts them, 2,871,234 of them trained.
    """
    from torch import nn

    layers, channels, shape = [], input_shape[0], input_shape[1:]
    for filters in (64, 64, 96, 128):
        if layers:
            layers.append(nn.MaxPool2d(2))
            shape = [size // 2 for size in shape]
        for inputs in (channels, filters):
            layers += [nn.Conv2d(inputs, filters, 3, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
            shape = [size - 2 for size in shape]
        channels = filters
    return [*layers, nn.Flatten(), *_dense_layers(channels * math.prod(shape), (1024,), 2, dropout=False)]


def _dense_layers(features: int, hidden_units, outputs: int, dropout: bool = True) -> list:
    """Dense layers with rectifiers, dropout of 0.2 after the first of them, and the logits."""
    from torch import nn

    layers = []
    for units in hidden_units:
        layers += [nn.Linear(features, units), nn.ReLU()]
        features = units
    if dropout:
        layers.insert(2, nn.Dropout(0.2))
    return [*layers, nn.Linear(features, outputs)]


def _dat_spect_ud(input_shape, at_places) -> list:
    """The networks of Buddenkotte and Buchert: residual blocks on 2, 6 and 18 mm, then the maximum over all places.

    Args:
        at_places: one logit at each place, whose maximum decides (`robust`), in place of two logits of the maximal
            features (`acc`, `sens`, `spec`).
    """
    from torch import nn

    layers, channels = [], input_shape[0]
    for filters, kernel, stride, blocks in ((16, 1, 1, 1), (32, 3, 3, 1), (64, 3, 3, 2)):
        layers.append(nn.Conv2d(channels, filters, kernel, stride, bias=False))
        layers += [residual_block(filters) for _ in range(blocks)]
        channels = filters
    if at_places:
        return [*layers, nn.Conv2d(channels, 1, 1), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(1, 2)]
    return [*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, 2)]


ARCHITECTURES: dict[str, Architecture] = {
    "compact": Architecture(
        (1, 71, 90, 72),
        "whole brain, 1.0 million parameters, three heads that tell doubt (default)",
        _compact,
    ),
    "compact-regional": Architecture(
        (1, 71, 90, 72),
        "whole brain, 1.5 million parameters, three heads that tell doubt, six regional scores",
        partial(_compact, hidden_units=24, outputs=6 + len(REGIONS)),
    ),
    "nazari2021-full": Architecture(
        (1, 71, 90, 72),
        "whole brain, 236 million parameters (Nazari 2021)",
        partial(_nazari2021, hidden_units=(32, 16)),
    ),
    "nazari2021-striatum": Architecture(
        (1, 61, 44, 35),
        "striatum only, 24 million parameters (Nazari 2021)",
        partial(_nazari2021, hidden_units=(16, 16, 16)),
    ),
    "nazari2021-without-striatum": Architecture(
        (1, 71, 90, 72),
        "whole brain without the box of the striatum, 236 million parameters (Nazari 2021)",
        partial(_nazari2021, hidden_units=(32, 16)),
    ),
    "wenzel2019": Architecture(
        (1, 91, 109),
        "12 mm slab through the striatum, two-dimensional, 2.9 million parameters (Wenzel 2019)",
        _wenzel2019,
    ),
    "dat-spect-ud": Architecture(
        (1, 72, 72),
        "12 mm slab through the striatum, residual, 0.2 million parameters (Budenkotte 2024), imported only",
        partial(_dat_spect_ud, at_places=False),
        relevance="gradient",
    ),
    "dat-spect-ud-places": Architecture(
        (1, 72, 72),
        "12 mm slab through the striatum, residual, 0.2 million parameters (Buddenkotte 2024), imported only",
        partial(_dat_spect_ud, at_places=True),
        relevance="gradient",
    ),
}
