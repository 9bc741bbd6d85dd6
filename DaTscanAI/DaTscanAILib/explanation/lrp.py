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

import itertools
import math

from ..base.errors import DaTscanError

DENSE_EPSILON = 1e-4
STABILIZER = 1e-6  # of the other denominators, against 0 / 0
ALPHA, BETA = 2.0, 1.0
FLAT_CONVOLUTIONS = 2


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


def relevance_map(network, image):
    """Relevance `(x, y, z)` of one scan `(1, 1, x, y, z)`; for many keep a `RelevancePropagator`."""
    return RelevancePropagator(network).propagate(image)[1]


# A step is a layer. `forward(activation)` gives its outputs and a tuple of what `backward(relevance, ...)`
# needs to take relevance from the outputs to the inputs. Both may overwrite what they are given, as nobody
# else keeps it. Tensors are (1, channels, x, y, z), in 2D networks without z, and (1, features) once flat.


def _prepare_steps(network, precision) -> list:
    """A step for each layer, except dropout and the normalization that is folded into its convolution."""
    from torch import nn

    rules = {
        nn.ReLU: _Rectifier,
        nn.Flatten: _Flatten,
        nn.Linear: _Dense,
        nn.MaxPool2d | nn.MaxPool3d: _MaximumPooling,
        nn.AvgPool2d | nn.AvgPool3d | nn.AdaptiveAvgPool2d | nn.AdaptiveAvgPool3d: _AveragePooling,
    }
    steps, convolutions, rectified = [], 0, False
    for layer, normalization in _with_normalization(network):
        rule = next((rule for kind, rule in rules.items() if isinstance(layer, kind)), None)
        if rule is _AveragePooling and convolutions < FLAT_CONVOLUTIONS:
            rule = _FlatPooling
        if isinstance(layer, nn.Conv2d | nn.Conv3d):
            convolutions += 1
            rule = _FlatConvolution if convolutions <= FLAT_CONVOLUTIONS else _AlphaBetaConvolution
            if rule is _AlphaBetaConvolution and not rectified:
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


class _Convolution:
    """What the rules of convolutions share; `weight` and `bias` are those of the rule, not the layer's."""

    def __init__(self, layer, weight, bias, precision):
        plain = layer.groups == 1 and set(layer.dilation) == {1} and layer.padding_mode == "zeros"
        if not plain or isinstance(layer.padding, str) or not _below_half(layer.padding, layer.kernel_size):
            raise DaTscanError(f"Relevance has no rule for the groups, dilation or padding of this layer: {layer}.")
        self.kernel, self.stride, self.padding = layer.kernel_size, layer.stride, layer.padding
        self.weight, self.bias = _channels_last(weight.to(precision)), bias.to(precision)
        self.precision = precision

    def convolve(self, activation):
        outputs = _convolve(activation.to(self.precision), self.weight, self.bias, self.stride, self.padding)
        return outputs.to(activation.dtype)


def _below_half(padding, kernel) -> bool:
    return all(2 * zeros < size for zeros, size in zip(padding, kernel, strict=True))


class _FlatConvolution(_Convolution):
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
        return _average_back(share, self.means, shape).expand(shape)


class _AlphaBetaConvolution(_Convolution):
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
        back = _convolve_back(signed, self.weight_back, self.stride, self.padding, activation.shape)
        return activation.mul_(back)


class _Dense:
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


class _Rectifier(_Step):
    def forward(self, activation):
        return activation.relu_(), ()

    def backward(self, relevance):
        return relevance


class _Flatten(_Step):
    def forward(self, activation):
        # Channels lie last in memory, and torch transposes a matrix in half the time it takes for a volume.
        voxels = activation.movedim(1, -1).reshape(-1, activation.shape[1])
        return voxels.t().reshape(1, -1), (activation,)

    def backward(self, relevance, activation):
        return activation.copy_(relevance.view(activation.shape))


class _MaximumPooling(_Step):
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


class _AveragePooling(_Step):
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
        return _average_back(relevance / denominator, means, activation.shape).mul_(activation)

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


class _FlatPooling(_AveragePooling):
    """Flat rule: each input of a window takes the same share, as the scan's own values may have both signs."""

    def forward(self, activation):
        return self.layer(activation), (activation.shape,)

    def backward(self, relevance, shape):
        return _average_back(relevance, self._along_axes(len(shape) - 2), shape)


def _stabilized(values, epsilon: float):
    """`values + epsilon sign(values)`, where sign(0) = 1."""
    import torch

    return values + torch.full_like(values, epsilon).copysign(values)


def _average_back(values, means, shape):
    """The transposed linear map of average pooling, to inputs of `shape`.

    Pooling works along each axis on its own, so the pooled unit vectors of each axis tell it.
    """
    import torch

    for pool, size in zip(means, shape[2:], strict=True):
        unit_vectors = torch.eye(size, dtype=values.dtype, device=values.device)
        # The first axis, of outputs, gives way to one of inputs at the end: after the loop all are in order.
        values = torch.tensordot(values, pool(unit_vectors[None])[0], dims=([2], [1]))
    return values


def _channels_last(values):
    """The same in the memory layout that CPUs convolve fastest."""
    import torch

    layouts = {4: torch.channels_last, 5: torch.channels_last_3d} if values.device.type == "cpu" else {}
    return values.contiguous(memory_format=layouts.get(values.ndim, torch.contiguous_format))


def _convolve(inputs, weight, bias, stride, padding):
    """Convolution of one image, in 2D or 3D.

    Torch leaves a small one, of at most 20480 values not counting z, to a kernel that is several times slower
    than oneDNN's and rounds by the number of threads. A batch goes to oneDNN whatever its size: so the planes
    along x are made one, each with its neighbors in x as further channels.
    """
    from torch.nn import functional

    axes = len(stride)
    if inputs.device.type != "cpu" or math.prod(inputs.shape[:4]) > 20480:
        return getattr(functional, f"conv{axes}d")(inputs, weight, bias, stride, padding)
    padded = functional.pad(inputs, (0, 0) * (axes - 1) + (padding[0],) * 2)[0].movedim(0, -1)
    planes = padded.unfold(0, weight.shape[2], stride[0]).transpose(-1, -2).flatten(-2).movedim(-1, 1)
    weight = _channels_last(weight.transpose(1, 2).flatten(1, 2))
    outputs = getattr(functional, f"conv{axes - 1}d")(planes, weight, bias, stride[1:], padding[1:])
    return outputs.transpose(0, 1)[None]


def _convolve_back(outputs, weight, stride, padding, shape):
    """The transposed linear map of `_convolve`, to inputs of `shape`.

    Torch's own rounds by the number of threads. This one is a convolution with mirrored kernels or, where
    there is a stride, a matrix product for all places in the kernel, added up where they fall.
    """
    import torch
    from torch.nn import functional

    kernel = weight.shape[2:]
    if set(stride) == {1}:
        mirrored = weight.transpose(0, 1).flip(tuple(range(2, weight.ndim)))
        beyond = [k - 1 - 2 * p for k, p in zip(kernel, padding, strict=True)]
        if any(beyond):  # oneDNN, too, rounds by the number of threads if it has to add that many zeros
            outputs = functional.pad(outputs, [zeros for zeros in reversed(beyond) for _ in range(2)])
        return _convolve(outputs, mirrored, None, stride, padding)
    # (*outputs, *kernel, channels)
    parts = torch.tensordot(outputs[0], weight.movedim(1, -1), dims=([0], [0]))
    inputs = parts.new_zeros(*(size + 2 * p for size, p in zip(shape[2:], padding, strict=True)), shape[1])
    for place in itertools.product(*map(range, kernel)):
        ends = (first + s * (n - 1) + 1 for first, s, n in zip(place, stride, outputs.shape[2:], strict=True))
        inputs[tuple(map(slice, place, ends, stride))] += parts[(..., *place, slice(None))]
    inside = tuple(slice(p, p + size) for p, size in zip(padding, shape[2:], strict=True))
    return inputs[inside].movedim(-1, 0)[None]
