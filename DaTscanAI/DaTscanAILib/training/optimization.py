"""How steps are made: Adam with its own rate for wide dense layers, the rate's course, networks to start."""

import math
from contextlib import contextmanager

from ..classification.networks import build_network

DENSE_STEP = 1.5  # most that a step may change the sum of a unit in the first dense layer, for inputs of 1


def new_network(plan):
    """A network of the plan's architecture with new weights, by torch's generator.

    Args:
        plan: `plans.Plan`.
    """
    import torch

    network = build_network(plan.architecture)
    dense = first_dense(network)
    if dense is not None and plan.initial_scale != 1:
        with torch.no_grad():
            dense.weight.mul_(plan.initial_scale)
    return network


def adam(network, plan):
    """Fused Adam with the plan's learning rate, lower for a first dense layer of very many inputs.

    Adam changes each weight by about the rate, however small it is. Where a unit sums 60,000 to 7 million inputs, its
    sum so jumps by tens in the first steps, and most units of the small dense layers here fell silent for good: all
    16 of Nazari's striatum network, 10 to 15 of 16 in the compact one.

    Args:
        network: `torch.nn.Module` on its device.
        plan: `plans.Plan`, whose `dense_rate` overrules the lowered rate.
    """
    import torch

    dense = first_dense(network)
    slow = None if dense is None else dense.weight
    groups = [{"params": [parameter for parameter in network.parameters() if parameter is not slow]}]
    if slow is not None:
        groups.append({"params": [slow], "lr": first_dense_rate(dense.in_features, plan)})
    return torch.optim.AdamW(groups, plan.learning_rate, weight_decay=plan.weight_decay, fused=True)


def first_dense_rate(inputs: int, plan) -> float:
    """Learning rate of a first dense layer of so many inputs."""
    return min(plan.learning_rate, DENSE_STEP / inputs) if plan.dense_rate is None else plan.dense_rate


@contextmanager
def normalized_dense(network, wanted: bool):
    """Batch normalization between the first dense layer and its rectifier, as long as the block runs.

    That layer sums tens of thousands of values that are never negative and much alike in all scans. A step that
    changes all weights alike moves its sums far, for all scans together, and a rectified unit that is moved below 0
    has no gradient and stays off: within 20 steps 11 of 24 units of the compact network fell silent, and 10 to 13 in
    each network of model 0.2.0. Normalized sums are on in some scans always.

    Yields:
        A function that takes the state of the network inside the block and gives it without the normalization, which
        is folded into the dense layer: the same function of scans as in evaluation mode.
    """
    import torch

    place = next((k for k, layer in enumerate(network) if isinstance(layer, torch.nn.Linear)), None)
    if not wanted or place is None:
        yield lambda state: state
        return
    dense = network[place]
    network[place] = torch.nn.Sequential(dense, torch.nn.BatchNorm1d(dense.out_features))
    try:
        yield lambda state: _folded(state, place, dense)
    finally:
        network[place] = dense


def _folded(state, place, dense):
    import torch
    from torch.nn.utils.fusion import fuse_linear_bn_weights

    plain = {key: value for key, value in state.items() if not key.startswith(f"{place}.")}
    parts = ("0.weight", "0.bias", "1.running_mean", "1.running_var", "1.weight", "1.bias")
    weight, bias, mean, variance, scale, shift = (state[f"{place}.{part}"] for part in parts)
    epsilon = torch.nn.BatchNorm1d(dense.out_features).eps
    weight, bias = fuse_linear_bn_weights(weight, bias, mean, variance, epsilon, scale, shift)
    return {**plain, f"{place}.weight": weight.detach(), f"{place}.bias": bias.detach()}


def first_dense(network):
    """The network's first dense layer; None without one."""
    import torch

    return next((layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)), None)


def rate_factor(step: int, steps: int, plan) -> float:
    """What the rates are multiplied with at a step, counted from 0: a linear warm-up, with `decay` a cosine to 0."""
    factor = min((step + 1) / plan.warm_up, 1.0) if plan.warm_up else 1.0
    return factor * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1))) if plan.decay else factor
