"""How steps are made: Adam with its own rate for wide dense layers, the rate's course, networks to start."""

import math

from ..classification.networks import build_network

DENSE_STEP = 1.5  # most that a step may change the sum of a unit in the first dense layer, for inputs of 1


def new_network(plan):
    """A network of the plan's architecture with new weights, by torch's generator.

    The first dense layer sums tens of thousands of values that are never negative and much alike in all scans.
    Whether a rectified unit of it is on or off is so decided by the signs of its first weights, for all scans alike:
    about half of the units started off, had no gradient and stayed off (10 to 13 of 24 in the networks of model
    0.2.0). With small first weights beside a bias of 1 all of them start on.

    Args:
        plan: `plans.Plan`.
    """
    import torch

    network = build_network(plan.architecture)
    dense = first_dense(network)
    if dense is not None:
        with torch.no_grad():
            dense.weight.mul_(plan.initial_scale)
            dense.bias.fill_(plan.initial_bias)
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


def first_dense(network):
    """The network's first dense layer; None without one."""
    import torch

    return next((layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)), None)


def rate_factor(step: int, steps: int, plan) -> float:
    """What the rates are multiplied with at a step, counted from 0: a linear warm-up, with `decay` a cosine to 0."""
    factor = min((step + 1) / plan.warm_up, 1.0) if plan.warm_up else 1.0
    return factor * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1))) if plan.decay else factor
