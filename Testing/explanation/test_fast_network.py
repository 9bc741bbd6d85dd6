"""The faster form of a network says the same, and its gradient is the same."""

import pytest
import torch
from torch import nn

from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.explanation.fast_network import fast_network


def _pooled_otherwise():
    """Pooling and convolutions that have no faster form, beside ones that do."""
    layers = [nn.AvgPool3d(2), nn.Conv3d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv3d(4, 3, 3), nn.ReLU()]
    layers += [nn.AvgPool3d(3, ceil_mode=True, count_include_pad=False), nn.Flatten(), nn.Linear(3 * 2 * 2 * 2, 2)]
    return nn.Sequential(*layers), (27, 26, 25)


CASES = {
    "compact, odd sizes": lambda: (build_network("compact", input_shape=(1, 31, 34, 29)), (31, 34, 29)),
    "Wenzel": lambda: (build_network("wenzel2019"), (91, 109)),
    "Nazari": lambda: (build_network("nazari2021-full", input_shape=(1, 12, 10, 11)), (12, 10, 11)),
    "other pooling": _pooled_otherwise,
}


@pytest.mark.parametrize("name", CASES)
def test_answers_and_gradients_are_those_of_the_network(name):
    torch.manual_seed(0)
    network, shape = CASES[name]()
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.5, 2)
    # In float64: in float32 a unit within rounding of zero is on in one form and off in the other.
    network, image = network.double(), torch.randn(3, 1, *shape, dtype=torch.float64)
    expected, gradient = _answer_and_gradient(network.eval(), image)
    found, of_fast = _answer_and_gradient(fast_network(network), image)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(of_fast, gradient, rtol=1e-8, atol=1e-12 * float(gradient.abs().max()))
    assert expected.std() > 0.01
    assert gradient.abs().max() > 0


def test_normalizations_and_dropout_are_gone_and_dense_weights_are_shared():
    network = build_network("compact", input_shape=(1, 16, 16, 16))
    fast = fast_network(network)
    assert not [layer for layer in fast if isinstance(layer, nn.BatchNorm3d | nn.Dropout)]
    assert sum(isinstance(layer, nn.Conv3d) for layer in fast) == 4
    assert fast[-1].weight is network[-1].weight
    assert fast_network(fast)(torch.ones(2, 1, 16, 16, 16)).shape == (2, 6)


def _answer_and_gradient(network, image):
    image = image.clone().requires_grad_(True)
    logits = network(image)
    (gradient,) = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), image)
    return logits.detach(), gradient
