"""Integrated gradients: completeness, a linear network by hand, and the sum of rectangles of the paper as oracle."""

import numpy as np
import pytest
import torch
from torch import nn

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.explanation.integrated_gradients import IntegratedGradients


def trained_like(network, seed=0):
    """The network with batch statistics and biases as training gives them."""
    generator = torch.Generator().manual_seed(seed)
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
            layer.running_mean.normal_(0, 0.3, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
        if getattr(layer, "bias", None) is not None:
            layer.bias.data.normal_(0, 0.1, generator=generator)
    return network.eval()


def images(shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(1, 1, *shape, generator=generator) for _ in range(2)]


def contrast_of(network, image):
    with torch.no_grad():
        logits = network(image)[0]
    return float(logits[1] - logits[0])


CASES = {
    "compact": lambda: (build_network("compact"), (71, 90, 72)),
    "Wenzel": lambda: (build_network("wenzel2019"), (91, 109)),
    "strides, valid padding, maximum pooling": lambda: (
        nn.Sequential(
            *(nn.Conv3d(1, 4, 3, stride=2), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(4, 6, 2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(6 * 3 * 2 * 2, 2)),
        ),
        (17, 14, 16),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_map_sums_to_the_change_from_the_reference(name):
    torch.manual_seed(0)
    network, shape = CASES[name]()
    network = trained_like(network)
    image, reference = images(shape)
    relevance = IntegratedGradients(network, reference, steps=32).relevance(image)
    change = contrast_of(network, image) - contrast_of(network, reference)
    assert relevance.shape == shape
    error = float(relevance.sum(dtype=torch.float64)) - change
    assert abs(error) < 0.01 * float(relevance.abs().sum(dtype=torch.float64))


def test_the_map_of_a_linear_network_is_known():
    """f = sum w x: each voxel has w (x - r), whatever the path."""
    network = nn.Sequential(nn.Conv3d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(24, 2))
    image, reference = images((2, 3, 4))
    weight = (network[2].weight[1] - network[2].weight[0]) * network[0].weight.flatten()
    expected = weight.view(2, 3, 4) * (image - reference)[0, 0]
    found = IntegratedGradients(network, reference, steps=1).relevance(image)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-6)


def test_few_points_of_quadrature_do_what_many_rectangles_do():
    """The paper's equation 3 with 300 steps, straight from autograd on the network itself."""
    torch.manual_seed(1)
    network = trained_like(CASES["strides, valid padding, maximum pooling"]()[0])
    image, reference = images((17, 14, 16), seed=2)
    total = torch.zeros_like(image)
    for step in range(300):
        point = (reference + (step + 0.5) / 300 * (image - reference)).requires_grad_(True)
        logits = network(point)
        total += torch.autograd.grad(logits[0, 1] - logits[0, 0], point)[0] / 300
    expected = (total * (image - reference))[0, 0].numpy().ravel()
    found = IntegratedGradients(network, reference, steps=16).relevance(image).numpy().ravel()
    assert np.corrcoef(found, expected)[0, 1] > 0.998


def test_the_reference_itself_has_an_empty_map_and_the_contrast_decides():
    torch.manual_seed(2)
    network = trained_like(build_network("wenzel2019"))
    image, reference = images((91, 109))
    assert not IntegratedGradients(network, reference).relevance(reference).any()
    forward = IntegratedGradients(network, reference).relevance(image)
    torch.testing.assert_close(IntegratedGradients(network, reference, (1.0, -1.0)).relevance(image), -forward)


def test_the_network_stays_as_it_was():
    torch.manual_seed(3)
    network = trained_like(build_network("wenzel2019"))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    image, reference = images((91, 109))
    IntegratedGradients(network, reference).relevance(image)
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_another_shape_is_refused():
    network = build_network("wenzel2019")
    with pytest.raises(DaTscanError, match="one scan at a time"):
        IntegratedGradients(network, torch.zeros(1, 1, 91, 109)).relevance(torch.zeros(2, 1, 91, 109))
