"""The rules of layer-wise relevance propagation, one class a layer; `lrp.py` has the equations.

A step is a layer. `forward(activation)` gives its outputs and a tuple of what `backward(relevance, ...)` needs to
take relevance from the outputs to the inputs. Both may overwrite what they are given, as nobody else keeps it.
Tensors are `(1, channels, x, y, z)`, in 2D networks without z, and `(1, features)` once flat.
"""

import math

from ..base.errors import DaTscanError
from .convolution import average_back, channels_last, convolve, convolve_back

DENSE_EPSILON = 1e-4
STABILIZER = 1e-6  # of the other denominators, against 0 / 0
ALPHA, BETA = 2.0, 1.0


class _Convolution:
    """What the rules of convolutions share; `weight` and `bias` are those of the rule, not the layer's."""

    def __init__(self, layer, weight, bias, precision):
        plain = layer.groups == 1 and set(layer.dilation) == {1} and layer.padding_mode == "zeros"
        if not plain or isinstance(layer.padding, str) or not _below_half(layer.padding, layer.kernel_size):
            raise DaTscanError(f"Relevance has no rule for the groups, dilation or padding of this layer: {layer}.")
        self.kernel, self.stride, self.padding = layer.kernel_size, layer.stride, layer.padding
        self.weight, self.bias = channels_last(weight.to(precision)), bias.to(precision)
        self.precision = precision

    def convolve(self, activation):
        outputs = convolve(activation.to(self.precision), self.weight, self.bias, self.stride, self.padding)
        return outputs.to(activation.dtype)


def _below_half(padding, kernel) -> bool:
    return all(2 * zeros < size for zeros, size in zip(padding, kernel, strict=True))


class FlatConvolution(_Convolution):
    """Flat rule."""

    def __init__(self, layer, weight, bias, precision):
        from torch import nn

        super().__init__(layer, weight, bias, precision)
        windows = zip(self.kernel, self.stride, self.padding, strict=True)
        self.means = [nn.AvgPool1d(*window, count_include_pad=False) for window in windows]

    def forward(self, activation):
        return self.convolve(activation), (activation.shape,)

    def backward(self, relevance, shape):
        # With equal weights an output is the mean of its window in the image: relevance goes back as from it.
        share = relevance.sum(1, keepdim=True) / shape[1]
        return average_back(share, self.means, shape).expand(shape)


class AlphaBetaConvolution(_Convolution):
    """Alpha-beta rule: twice as many filters, for z_j+ and z_j-, with the stabilizer in their biases."""

    def __init__(self, layer, weight, bias, precision):
        import torch

        signed_weight = torch.cat([weight.clamp(min=0), weight.clamp(max=0)])
        stabilized_bias = torch.cat([bias.clamp(min=0) + STABILIZER, bias.clamp(max=0) - STABILIZER])
        super().__init__(layer, signed_weight, stabilized_bias, precision)
        factors = self.weight.new_tensor([ALPHA, -BETA]).repeat_interleave(len(weight))
        self.weight_back = self.weight * factors.view(-1, *[1] * (weight.ndim - 1))

    def forward(self, activation):
        signed = self.convolve(activation)
        positive, negative = signed.chunk(2, dim=1)
        return positive + negative, (activation, signed)

    def backward(self, relevance, activation, signed):
        import torch

        for part in signed.chunk(2, dim=1):  # z_j+ and z_j- become R_j / z_j+ and R_j / z_j-
            torch.div(relevance, part, out=part)
        signed = signed.to(self.precision)
        back = convolve_back(signed, self.weight_back, self.stride, self.padding, activation.shape)
        return activation.mul_(back)


class Dense:
    """Epsilon rule, with the layer's own weights."""

    def __init__(self, layer):
        self.weight = layer.weight.detach()
        self.bias = self.weight.new_zeros(len(self.weight)) if layer.bias is None else layer.bias.detach()

    def forward(self, activation):
        import torch

        features = self.weight.shape[1]
        if activation.shape != (1, features):
            found = math.prod(activation.shape)
            raise DaTscanError(f"The scan's shape does not fit the network: {found} features, not {features}.")
        # In fixed parts: as a whole, the product would be split, and so rounded, by the number of threads.
        parts = (math.gcd(features, 256), -1)
        weight = self.weight.unflatten(1, parts).permute(1, 2, 0)
        outputs = torch.bmm(activation.view(*parts).unsqueeze(1), weight).sum(0) + self.bias
        return outputs, (activation, _stabilized(outputs, DENSE_EPSILON))

    def backward(self, relevance, activation, denominator):
        share = relevance / denominator
        if activation.device.type != "cpu":  # one product, and nothing that the host must know first
            return activation.mul_(share @ self.weight)
        shares = [(unit, one) for unit, one in enumerate(share[0].tolist()) if one]
        # In blocks that stay in the CPU's cache while the rows of the units stream by.
        block = 1 << 17
        for inputs, weight in zip(activation[0].split(block), self.weight.split(block, dim=1), strict=True):
            back = inputs.new_zeros(inputs.shape)
            for unit, share in shares:
                back.add_(weight[unit], alpha=share)
            inputs.mul_(back)
        return activation


class _Step:
    def __init__(self, layer):
        self.layer = layer


class Rectifier(_Step):
    def forward(self, activation):
        return activation.relu_(), ()

    def backward(self, relevance):
        return relevance


class Flatten(_Step):
    def forward(self, activation):
        # Channels lie last in memory, and torch transposes a matrix in half the time it takes for a volume.
        voxels = activation.movedim(1, -1).reshape(-1, activation.shape[1])
        return voxels.t().reshape(1, -1), (activation,)

    def backward(self, relevance, activation):
        return activation.copy_(relevance.view(activation.shape))


class MaximumPooling(_Step):
    """The winner takes all."""

    def forward(self, activation):
        from torch.nn import functional

        pool, layer = getattr(functional, f"max_pool{activation.ndim - 2}d"), self.layer
        options = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode)
        outputs, winners = pool(activation, *options, return_indices=True)
        return outputs, (activation.shape, winners)

    def backward(self, relevance, shape, winners):
        result = relevance.new_zeros(shape).flatten(2)
        return result.scatter_add_(2, winners.flatten(2), relevance.flatten(2)).view(shape)


class AveragePooling(_Step):
    """Epsilon rule for means over windows or, adaptive and global, over parts of the image."""

    def __init__(self, layer):
        super().__init__(layer)
        if getattr(layer, "divisor_override", None):
            raise DaTscanError(f"Relevance has no rule for the divisor_override of this layer: {layer}.")

    def forward(self, activation):
        outputs = self.layer(activation)
        return outputs, (activation, _stabilized(outputs, STABILIZER))

    def backward(self, relevance, activation, denominator):
        means = self._along_axes(activation.ndim - 2)
        return average_back(relevance / denominator, means, activation.shape).mul_(activation)

    def _along_axes(self, axes: int) -> list:
        """The one-dimensional poolings that together are the layer."""
        from torch import nn

        layer = self.layer

        def each(option):
            return option if isinstance(option, tuple) else (option,) * axes

        if hasattr(layer, "output_size"):
            return [nn.AdaptiveAvgPool1d(size) for size in each(layer.output_size)]
        windows = zip(each(layer.kernel_size), each(layer.stride), each(layer.padding), strict=True)
        return [nn.AvgPool1d(*window, layer.ceil_mode, layer.count_include_pad) for window in windows]


class FlatPooling(AveragePooling):
    """Flat rule: each input of a window takes the same share, as the scan's own values may have both signs."""

    def forward(self, activation):
        return self.layer(activation), (activation.shape,)

    def backward(self, relevance, shape):
        return average_back(relevance, self._along_axes(len(shape) - 2), shape)


def _stabilized(values, epsilon: float):
    """`values + epsilon sign(values)`, where sign(0) = 1."""
    import torch

    return values + torch.full_like(values, epsilon).copysign(values)
