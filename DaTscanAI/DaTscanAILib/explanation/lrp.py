"""Layer-wise relevance propagation (LRP): which voxels argue for "reduced" and which for "normal".

The rules are those of Nazari et al. 2021 (Eur J Nucl Med Mol Imaging 49:1176), from the logits down to the
scan. A layer has inputs a_i, weights w_ij, biases b_j and so contributions z_ij = a_i w_ij. With
x+ = max(x, 0) and x- = min(x, 0), the relevances R_j of its outputs go to its inputs as

    dense, epsilon rule:           R_i = sum_j z_ij / (z_j + epsilon sign(z_j)) R_j,  z_j = sum_i z_ij + b_j
    convolution, alpha-beta rule:  R_i = sum_j (alpha z_ij+ / z_j+ - beta z_ij- / z_j-) R_j,
                                   z_j+ = sum_i z_ij+ + b_j+,  z_j- = sum_i z_ij- + b_j-
    first two convolutions, flat:  R_i = sum_j R_j / n_j, n_j inputs being in the window of j and the image
    average pooling:               as dense, with the weights of the mean; before the second convolution flat
    maximum pooling:               R_i = sum_j R_j over the windows j that i has won
    rectifier, dropout, flatten:   R_i unchanged

with epsilon = 1e-4, alpha = 2 and beta = 1. Relevance starts as the signed difference of the logits, reduced
minus normal; softmax is never applied. Without biases the relevances of every layer sum to that difference,
but for what epsilon takes. Biases absorb relevance.

The paper prints three things otherwise; these are the standard rules (Bach et al., PLoS ONE 2015 10:e0130140;
Montavon et al., Digit Signal Process 2018 73:1). Its eq. (4) adds (alpha - 1) z_ij- / z_j-, which would hand
down 3 R_j instead of R_j. Its eq. (3) adds epsilon to every z_ij instead of to their sum. And relevance from
the winning output, as its text says, would be positive in both classes, which its figures do not show.

Why it is fast: behind a rectifier a_i >= 0, so one convolution with w+ and w- gives z_j+ and z_j-. They are
the denominators and, added, what the network computes: one way forward is enough. One convolution leads back.
The flat rule is a box filter of the sum over channels. The first dense layer, which has nearly all weights of
the published networks, is never copied, and only the rows of its active units are read on the way back.
"""

from ..base.errors import DaTscanError
from .lrp_rules import (
    AlphaBetaConvolution,
    AveragePooling,
    Dense,
    FlatConvolution,
    FlatPooling,
    Flatten,
    MaximumPooling,
    Rectifier,
)

_FLAT_CONVOLUTIONS = 2


class RelevancePropagator:
    """Logits and relevance maps of one network: prepared once, used for any number of scans.

    The network is not changed. Its convolutions' weights are copied as they are now, the others shared. Batch
    normalization uses its running statistics and dropout is off, whatever mode the network is in.

    With the float32 networks of `classification/networks.py`, results are the same bit by bit for one and two CPU
    threads. With more threads, float64 or other shapes of convolutions, the last digit may differ on some processors.
    """

    def __init__(self, network, contrast=None, convolution_precision: str = "float32"):
        """Finds the rule of each layer and prepares its weights.

        Args:
            network: `torch.nn.Sequential` of the layers named at the top of this file, the last one dense. A
                batch normalization may follow a convolution and becomes part of it.
            contrast: one weight for each output: relevance starts as `contrast * logits`. By default -1, 1
                and 0 for further outputs: the difference reduced - normal of the first head.
            convolution_precision: "float32" for the network's own type, or "bfloat16" for convolutions
                several times faster on some processors, which changes the map by some percent.

        Raises:
            DaTscanError: there is no rule for a layer, or `contrast` does not fit the outputs.
        """
        import torch

        if convolution_precision not in ("float32", "bfloat16"):
            raise DaTscanError(f"Convolutions run in float32 or bfloat16, not in {convolution_precision!r}.")
        if not isinstance(network[-1], torch.nn.Linear):
            raise DaTscanError(f"Relevance starts at the logits of a dense layer, not at {network[-1]}.")
        self._first_weight = next(network.parameters()).detach()
        low = convolution_precision == "bfloat16"
        with torch.no_grad():
            self._steps = _prepare_steps(network, torch.bfloat16 if low else self._first_weight.dtype)
        outputs = network[-1].out_features
        contrast = (-1.0, 1.0, *[0.0] * (outputs - 2)) if contrast is None else contrast
        self._contrast = torch.as_tensor(contrast, dtype=torch.float64).to(self._first_weight)
        if self._contrast.shape != (outputs,):
            raise DaTscanError(f"The contrast needs one weight for each of the network's {outputs} outputs.")

    def propagate(self, image):
        """Logits and relevance map of one scan.

        Args:
            image: tensor `(1, 1, x, y, z)`, for 2D networks `(1, 1, x, y)`, of any type and on any device.

        Returns:
            Logits `(outputs,)` and relevance `(x, y, z)` or `(x, y)`, of the network's type, on its device.
            Positive relevance argues for the outputs that `contrast` weights positively.

        Raises:
            DaTscanError: `image` is not one scan of the shape that the network takes.
        """
        import torch

        if image.ndim != self._first_weight.ndim or image.shape[:2] != (1, self._first_weight.shape[1]):
            raise DaTscanError(f"Relevance takes one scan at a time, not the shape {tuple(image.shape)}.")
        # Left alone, cuDNN rounds the inputs of float32 convolutions to the three digits of TensorFloat-32.
        full_precision = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.no_grad(), full_precision:
            activation, kept = image.to(self._first_weight, copy=True), []
            for step in self._steps:
                activation, for_the_way_back = step.forward(activation)
                kept.append(for_the_way_back)
            relevance = activation * self._contrast
            for step in reversed(self._steps):
                relevance = step.backward(relevance, *kept.pop())
        return activation[0], relevance[0].sum(0)


def _prepare_steps(network, precision) -> list:
    """A step for each layer, except dropout and the normalization that is folded into its convolution."""
    from torch import nn

    rules = {
        nn.ReLU: Rectifier,
        nn.Flatten: Flatten,
        nn.Linear: Dense,
        nn.MaxPool2d | nn.MaxPool3d: MaximumPooling,
        nn.AvgPool2d | nn.AvgPool3d | nn.AdaptiveAvgPool2d | nn.AdaptiveAvgPool3d: AveragePooling,
    }
    steps, convolutions, rectified = [], 0, False
    for layer, normalization in _with_normalization(network):
        rule = next((rule for kind, rule in rules.items() if isinstance(layer, kind)), None)
        if rule is AveragePooling and convolutions < _FLAT_CONVOLUTIONS:
            rule = FlatPooling
        if isinstance(layer, nn.Conv2d | nn.Conv3d):
            convolutions += 1
            rule = FlatConvolution if convolutions <= _FLAT_CONVOLUTIONS else AlphaBetaConvolution
            if rule is AlphaBetaConvolution and not rectified:
                raise DaTscanError(f"The alpha-beta rule needs a rectifier before this layer: {layer}.")
            steps.append(rule(layer, *_folded(layer, normalization), precision))
        elif rule is None:
            raise DaTscanError(f"Layer-wise relevance propagation has no rule for this layer: {layer}.")
        else:
            steps.append(rule(layer))
        rectified = isinstance(layer, nn.ReLU) or (rectified and not hasattr(layer, "weight"))
    return steps


def _with_normalization(network) -> list[tuple]:
    """The layers without dropout, and for each convolution the batch normalization right behind it."""
    from torch import nn

    pairs = []
    for layer in network:
        is_folded = isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d) and pairs and pairs[-1][1] is None
        if is_folded and isinstance(pairs[-1][0], nn.Conv2d | nn.Conv3d):
            pairs[-1] = (pairs[-1][0], layer)
        elif not isinstance(layer, nn.Dropout):
            pairs.append((layer, None))
    return pairs


def _folded(layer, normalization) -> tuple:
    """Weight and bias of a convolution and its normalization: w g / s and (b - mean) g / s + beta."""
    weight = layer.weight.detach()
    bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach()
    if normalization is None:
        return weight, bias
    scale = normalization.weight / (normalization.running_var + normalization.eps).sqrt()
    bias = (bias - normalization.running_mean) * scale + normalization.bias
    return weight * scale.view(-1, *[1] * (weight.ndim - 1)), bias
