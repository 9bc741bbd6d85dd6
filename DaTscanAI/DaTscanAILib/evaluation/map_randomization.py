"""Networks whose weights are made random layer by layer, from the logits down (Adebayo et al. 2018, NeurIPS).

A map that stays the same when the network forgets what it has learned does not show what it has learned.
"""

import copy


def cascade(networks: list, seed: int = 0) -> list[tuple[str, list]]:
    """`(how far down, networks)`: first the logits' weights are random, at last all are.

    Args:
        networks: `torch.nn.Sequential` each; they stay as they are.
        seed: of the random weights.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        current, stages = [copy.deepcopy(network) for network in networks], []
        for place, name in _weighted(networks[0]):
            for network in current:
                _forget(network, place)
            stages.append((name, [copy.deepcopy(network) for network in current]))
    return stages


def _weighted(network) -> list[tuple[int, str]]:
    """Places and names of the layers with weights, the logits first."""
    from torch import nn

    convolutions = [k for k, layer in enumerate(network) if isinstance(layer, nn.Conv2d | nn.Conv3d)]
    dense = [k for k, layer in enumerate(network) if isinstance(layer, nn.Linear)]
    names = {place: f"convolution {number}" for number, place in enumerate(convolutions, 1)}
    names |= {place: f"dense {number}" for number, place in enumerate(dense, 1)}
    names[dense[-1]] = "logits"
    return sorted(names.items(), reverse=True)


def _forget(network, place):
    """New weights of He's variance; the normalization behind a convolution starts anew."""
    from torch import nn

    layer = network[place]
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    if place + 1 < len(network) and isinstance(network[place + 1], nn.BatchNorm2d | nn.BatchNorm3d):
        network[place + 1].reset_running_stats()
        network[place + 1].reset_parameters()
