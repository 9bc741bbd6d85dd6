"""A network as a CPU trains it fastest: the same layers, another layout in memory."""

from contextlib import contextmanager

from ..explanation.convolution import channels_last
from ..explanation.pair_means import quick_mean


@contextmanager
def quick_layers(network, device: str):
    """On a CPU, for a block's time: channels together in memory, means over pairs of voxels as sums of slices.

    The layout of the weights decides that of what convolutions give, from the second on where the scan is the only
    channel. Steps of the compact network take about half the time. Sums are taken in another order: the last digits
    differ.

    Args:
        network: `torch.nn.Sequential`, changed in place and given back as it was, its weights aside.
        device: `cpu` or `cuda`, where nothing is changed.
    """
    if device != "cpu":
        yield
        return
    before = list(network)
    for place, layer in enumerate(before):
        network[place] = quick_mean(layer)
    _lay_out(network, channels_last)
    try:
        yield
    finally:
        _lay_out(network, lambda values: values.contiguous())
        for place, layer in enumerate(before):
            network[place] = layer


def _lay_out(network, layout):
    for parameter in network.parameters():
        parameter.data = layout(parameter.data)
