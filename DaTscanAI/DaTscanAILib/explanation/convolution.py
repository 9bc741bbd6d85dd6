"""Convolutions and the transposes of linear layers that round alike with one and with two threads."""

import itertools
import math


def average_back(values, means, shape):
    """The transposed linear map of average pooling.

    Pooling works along each axis on its own, so the pooled unit vectors of each axis tell it.

    Args:
        values: of the outputs, `(1, channels, *outputs)`.
        means: one-dimensional pooling along each axis, `torch.nn.AvgPool1d` and the like.
        shape: of the inputs, `(1, channels, *inputs)`, which is that of what comes back.
    """
    import torch

    for pool, size in zip(means, shape[2:], strict=True):
        unit_vectors = torch.eye(size, dtype=values.dtype, device=values.device)
        # The first axis, of outputs, gives way to one of inputs at the end: after the loop all are in order.
        values = torch.tensordot(values, pool(unit_vectors[None])[0], dims=([2], [1]))
    return values


def channels_last(values):
    """The same in the memory layout that CPUs convolve fastest."""
    import torch

    layouts = {4: torch.channels_last, 5: torch.channels_last_3d} if values.device.type == "cpu" else {}
    return values.contiguous(memory_format=layouts.get(values.ndim, torch.contiguous_format))


def convolve(inputs, weight, bias, stride, padding):
    """Convolution of one image `(1, channels, *axes)`, in 2D or 3D; arguments as of `torch.nn.functional.conv3d`.

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
    weight = channels_last(weight.transpose(1, 2).flatten(1, 2))
    outputs = getattr(functional, f"conv{axes - 1}d")(planes, weight, bias, stride[1:], padding[1:])
    return outputs.transpose(0, 1)[None]


def convolve_back(outputs, weight, stride, padding, shape):
    """The transposed linear map of `convolve`, from its outputs to inputs of `shape`, `(1, channels, *axes)`.

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
        return convolve(outputs, mirrored, None, stride, padding)
    # (*outputs, *kernel, channels)
    parts = torch.tensordot(outputs[0], weight.movedim(1, -1), dims=([0], [0]))
    inputs = parts.new_zeros(*(size + 2 * p for size, p in zip(shape[2:], padding, strict=True)), shape[1])
    for place in itertools.product(*map(range, kernel)):
        ends = (first + s * (n - 1) + 1 for first, s, n in zip(place, stride, outputs.shape[2:], strict=True))
        inputs[tuple(map(slice, place, ends, stride))] += parts[(..., *place, slice(None))]
    inside = tuple(slice(p, p + size) for p, size in zip(padding, shape[2:], strict=True))
    return inputs[inside].movedim(-1, 0)[None]
