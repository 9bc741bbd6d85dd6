"""Average pooling of two voxels an axis as sums of slices: torch's own is several times slower on a CPU."""


def quick_mean(layer):
    """A layer that does the same faster, or the layer itself.

    Args:
        layer: any `torch.nn.Module`; only an `AvgPool3d` of pairs that leaves a last odd voxel by itself is replaced,
            and the mean of an odd one must be of the voxels that are there.
    """
    from torch import nn

    halves = (2, (2, 2, 2))
    if not isinstance(layer, nn.AvgPool3d) or layer.kernel_size not in halves or layer.stride not in halves:
        return layer
    usual = layer.padding == 0 and layer.ceil_mode and not layer.count_include_pad and not layer.divisor_override
    return _pair_means() if usual else layer


def _pair_means():
    import torch
    from torch import nn

    class Means(torch.autograd.Function):
        @staticmethod
        def forward(context, inputs):
            context.like = inputs.shape, _layout(inputs)
            # From the last axis on: the first sum then makes the least new memory.
            for axis in reversed(range(2, inputs.ndim)):
                inputs = _means_along(inputs, axis)
            return inputs

        @staticmethod
        def backward(context, gradient):
            return _means_back(gradient, *context.like)

    class PairMeans(nn.AvgPool3d):
        def forward(self, inputs):
            return Means.apply(inputs)

    return PairMeans(2, ceil_mode=True, count_include_pad=False)


def _layout(values):
    import torch

    together = torch.channels_last_3d
    return together if values.is_contiguous(memory_format=together) else torch.contiguous_format


def _means_along(values, axis):
    import torch

    size = values.shape[axis]
    pairs = values.narrow(axis, 0, size - size % 2).unflatten(axis, (size // 2, 2))
    means = (pairs.select(axis + 1, 0) + pairs.select(axis + 1, 1)).mul_(0.5)
    return torch.cat([means, values.narrow(axis, size - 1, 1)], axis) if size % 2 else means


def _means_back(gradient, shape, layout):
    """The transposed map: each voxel gets its share, in the memory layout that the inputs had."""
    import torch

    shares = gradient * 0.125
    for axis in (2, 3, 4):
        if shape[axis] % 2:  # a last voxel by itself has the share of two
            shares.narrow(axis, shares.shape[axis] - 1, 1).mul_(2)
    back = torch.empty(shape, dtype=gradient.dtype, device=gradient.device, memory_format=layout)
    for x, y, z in torch.cartesian_prod(*[torch.arange(2)] * 3).tolist():
        part = back[:, :, x::2, y::2, z::2]
        part.copy_(shares[:, :, : part.shape[2], : part.shape[3], : part.shape[4]])
    return back
