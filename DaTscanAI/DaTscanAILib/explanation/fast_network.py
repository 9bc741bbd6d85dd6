"""A network made ready to answer and to be differentiated: the same function, computed faster on a CPU."""

from .convolution import channels_last
from .pair_means import quick_mean


def fast_network(network):
    """The network with everything that only training needs taken out.

    Batch normalizations are folded into copies of convolutions, dropout is left out; all other weights are shared.
    On a CPU three-dimensional convolutions keep their channels together in memory, and go back by convolutions with
    mirrored kernels; means over pairs of voxels are sums of slices. Together that halves the time of the default
    model. Sums are taken in another order, so that the last digit differs.

    Args:
        network: `torch.nn.Sequential`; it is not changed, and its weights are taken as they are now.

    Returns:
        `torch.nn.Sequential` in evaluation mode.
    """
    import copy

    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    layers = []
    for layer in network:
        behind_convolution = bool(layers) and isinstance(layers[-1], nn.Conv2d | nn.Conv3d)
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d) and behind_convolution:
            layers[-1] = fuse_conv_bn_eval(layers[-1].eval(), copy.deepcopy(layer).eval())
        elif isinstance(layer, nn.ReLU):
            layers.append(nn.ReLU())  # an in-place one might overwrite what the gradient needs
        elif not isinstance(layer, nn.Dropout):
            layers.append(layer)
    return nn.Sequential(*map(_fast_layer, layers)).eval()


def _fast_layer(layer):
    from torch import nn

    if isinstance(layer, nn.Conv2d | nn.Conv3d):
        whole = isinstance(layer.padding, tuple) and layer.padding_mode == "zeros" and layer.groups == 1
        return _fast_convolution(layer) if whole and {*layer.stride, *layer.dilation} == {1} else layer
    return quick_mean(layer)


def _fast_convolution(layer):
    import torch
    from torch import nn
    from torch.nn import functional

    solid = isinstance(layer, nn.Conv3d)
    kind, convolve = (nn.Conv3d, functional.conv3d) if solid else (nn.Conv2d, functional.conv2d)
    weight = layer.weight.detach()
    mirrored = weight.transpose(0, 1).flip(tuple(range(2, weight.ndim))).contiguous()
    if solid:
        weight, mirrored = channels_last(weight), channels_last(mirrored)
    beyond = tuple(size - 1 - zeros for size, zeros in zip(layer.kernel_size, layer.padding, strict=True))

    class Convolve(torch.autograd.Function):
        @staticmethod
        def forward(_, inputs):
            return convolve(inputs, weight, layer.bias, 1, layer.padding)

        @staticmethod
        def backward(_, gradient):
            return convolve(gradient, mirrored, None, 1, beyond)

    class Convolution(kind):
        def forward(self, inputs):
            return Convolve.apply(inputs)

    size = (layer.in_channels, layer.out_channels, layer.kernel_size)
    fast = Convolution(*size, padding=layer.padding, bias=layer.bias is not None, device="meta")
    fast.weight, fast.bias = nn.Parameter(weight), layer.bias
    return fast
