"""Answers for scans that differ from a known one in small places: only what such a place reaches is computed anew.

A convolution or a pooling sees a window. So what a network computes far from a change is what it has computed for the
scan itself, and of each layer only the block around the change need be computed, one window wider than before. From
the first layer that sees all places at once (flattening, a global maximum) on, the block is put into what is known of
the scan, and the rest is computed as ever. The sums are the same; a convolution may round them in another order.
"""

from dataclasses import dataclass

import numpy as np

_LARGEST_SHARE = 0.25  # of a scan's voxels: blocks grow from layer to layer, and beyond this they save nothing


@dataclass(frozen=True)
class KnownPass:
    """What a network has computed for one scan or more.

    Attributes:
        inputs: of its layers, by their places, tensors `(scans, channels, ...)`; those of layers that change every
            value by itself are left out.
        logits: `(scans, outputs)`.
    """

    inputs: dict
    logits: object

    @property
    def features(self):
        """Inputs of the last layer, `(scans, features)`."""
        return self.inputs[max(self.inputs)]


def known_pass(network, batch) -> KnownPass:
    """The network's way forward, remembered.

    Args:
        network: `torch.nn.Sequential` in evaluation mode that ends in a dense layer.
        batch: tensor `(scans, 1, ...)`.
    """
    import torch

    inputs = {}
    with torch.inference_mode():
        for place, layer in enumerate(network):
            if not _is_pointwise(layer):
                inputs[place] = batch
            batch = layer(batch)
    return KnownPass(inputs, batch)


def logits_of_changed(network, known: KnownPass, number: int, changed: np.ndarray):
    """Logits `(scans, outputs)` of scans that differ in places from a known one.

    Args:
        network: on the CPU.
        known: of that network.
        number: of the known scan in its batch.
        changed: float32 `(scans, ...)`, network inputs without channels.
    """
    import torch

    scan = known.inputs[0][number, 0].numpy()
    boxes = [_box_of(one != scan) for one in changed]
    same = [k for k, box in enumerate(boxes) if box is None]
    small = [k for k, box in enumerate(boxes) if box is not None and _volume(box) <= _LARGEST_SHARE * scan.size]
    large = [k for k in range(len(boxes)) if k not in same and k not in small]
    with torch.inference_mode():
        logits = known.logits[number].expand(len(changed), -1).clone()
        for chosen, of_network in [*((pair, _by_blocks) for pair in _alike(small, boxes)), (large, _as_a_whole)]:
            if chosen:
                # At least two: one scan alone takes a slow convolution of torch where it is small.
                padded = chosen if len(chosen) > 1 else chosen * 2
                scans = torch.from_numpy(np.ascontiguousarray(changed[padded]))[:, None]
                found = of_network(network, known, number, scans, [boxes[k] for k in padded])
                logits[chosen] = found[: len(chosen)]
    return logits


@dataclass(frozen=True)
class _Blocks:
    """Blocks of one size, one a scan, that lie inside the image: `starts` `(scans, axes)`, `size` `(axes,)`."""

    starts: np.ndarray
    size: np.ndarray

    def of(self, number):
        return tuple(slice(a, a + n) for a, n in zip(self.starts[number], self.size, strict=True))


def _alike(chosen, boxes):
    """The chosen in pairs of nearly the same size, as the blocks of one pass all have the size of the largest."""
    ordered = sorted(chosen, key=lambda k: _volume(boxes[k]))
    return [ordered[k : k + 2] for k in range(0, len(ordered), 2)]


def _as_a_whole(network, _known, _number, scans, _boxes):
    return network(scans)


def _by_blocks(network, known, number, scans, boxes):
    import torch

    shape = np.array(scans.shape[2:])
    size = np.minimum(np.max([box[1] - box[0] for box in boxes], axis=0), shape)
    blocks = _Blocks(np.minimum([box[0] for box in boxes], shape - size), size)
    values = torch.stack([scans[k][(slice(None), *blocks.of(k))] for k in range(len(scans))])
    for place, layer in enumerate(network):
        if _is_pointwise(layer):
            values = layer(values)
            continue
        before = known.inputs[place][number]
        window = _window_of(layer)
        wider = None if window is None else window.outputs(blocks, np.array(before.shape[1:]))
        if wider is None:
            break
        values, blocks = window.apply(layer, _around(before, values, blocks, window, wider)), wider
    whole = before.expand(len(values), *before.shape).clone()
    for k, one in enumerate(values):
        whole[k][(slice(None), *blocks.of(k))] = one
    return network[place:](whole)


def _around(before, values, blocks, window, wider):
    """The inputs that the wider blocks need: zeros beyond the image, the known scan's, and the changed values."""
    import torch
    from torch.nn import functional

    padded = functional.pad(before, [int(n) for n in np.repeat(window.padding[::-1], 2)])
    starts = wider.starts * window.stride  # in the padded image
    size = (wider.size - 1) * window.stride + window.kernel
    needed = _Blocks(starts, size)
    inputs = torch.stack([padded[(slice(None), *needed.of(k))] for k in range(len(values))])
    for k in range(len(values)):
        first = blocks.starts[k] + window.padding - starts[k]
        into = [slice(max(a, 0), min(a + n, m)) for a, n, m in zip(first, blocks.size, size, strict=True)]
        taken = [slice(one.start - a, one.stop - a) for one, a in zip(into, first, strict=True)]
        inputs[k][(slice(None), *into)] = values[k][(slice(None), *taken)]
    return inputs


@dataclass(frozen=True)
class _Window:
    """What a layer sees at once: `(axes,)` each."""

    kernel: np.ndarray
    stride: np.ndarray
    padding: np.ndarray

    def outputs(self, blocks, shape):
        """The outputs that the blocks reach, as blocks of one size; None where windows reach beyond the image."""
        lowest = np.maximum(-(-(blocks.starts + self.padding - self.kernel + 1) // self.stride), 0)
        size = (blocks.size + self.kernel - 2) // self.stride + 1
        image = (shape + 2 * self.padding - self.kernel) // self.stride + 1  # without a last, incomplete window
        highest = (blocks.starts + blocks.size - 1 + self.padding) // self.stride
        ends_inside = shape + 2 * self.padding - self.kernel == (image - 1) * self.stride
        if (image < 1).any() or ((highest >= image) & ~ends_inside).any():
            return None
        size = np.minimum(size, image)
        return _Blocks(np.minimum(lowest, image - size), size)

    def apply(self, layer, inputs):
        """The layer on blocks that bring their own surroundings."""
        from torch import nn
        from torch.nn import functional

        if not isinstance(layer, nn.Conv2d | nn.Conv3d):
            return layer(inputs)
        convolve = functional.conv2d if isinstance(layer, nn.Conv2d) else functional.conv3d
        return convolve(inputs, layer.weight, layer.bias, layer.stride, groups=layer.groups)


def _window_of(layer) -> _Window | None:
    """None for layers that see all places at once, and for unusual ones."""
    from torch import nn

    axes = 3 if isinstance(layer, nn.Conv3d | nn.AvgPool3d | nn.MaxPool3d) else 2

    def each(option):
        return np.array(option if isinstance(option, tuple) else (option,) * axes)

    if isinstance(layer, nn.Conv2d | nn.Conv3d):
        usual = isinstance(layer.padding, tuple) and layer.padding_mode == "zeros" and set(layer.dilation) == {1}
    elif isinstance(layer, nn.AvgPool2d | nn.AvgPool3d | nn.MaxPool2d | nn.MaxPool3d):
        usual = not each(layer.padding).any() and set(each(getattr(layer, "dilation", 1))) == {1}
    else:
        return None
    return _Window(each(layer.kernel_size), each(layer.stride), each(layer.padding)) if usual else None


def _is_pointwise(layer) -> bool:
    from torch import nn

    return isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d | nn.ReLU | nn.LeakyReLU | nn.Dropout)


def _box_of(differs):
    """`(first, end)` of what differs, arrays `(axes,)`; None where nothing does."""
    first, end = [], []
    for axis in range(differs.ndim):
        places = np.flatnonzero(differs.any(axis=tuple(other for other in range(differs.ndim) if other != axis)))
        if not len(places):
            return None
        first.append(places[0])
        end.append(places[-1] + 1)
    return np.array(first), np.array(end)


def _volume(box):
    return float(np.prod(box[1] - box[0]))
