"""What a CPU trains faster is the same network: the same loss and gradients, and it comes back as it was."""

import copy

import pytest
import torch

from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.training.quick_layers import quick_layers

NETWORKS = {
    "compact-regional": (1, 19, 18, 17),
    "nazari2021-striatum": (1, 8, 9, 7),
    "wenzel2019": (1, 91, 109),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_losses_and_gradients_are_those_of_the_network(name):
    torch.manual_seed(0)
    shape = NETWORKS[name]
    network = build_network(name, input_shape=shape).double()  # no unit within rounding of zero
    plain = copy.deepcopy(network)
    images = torch.rand(4, *shape, dtype=torch.float64)
    expected = plain(images).square().sum()
    expected.backward()
    with quick_layers(network, "cpu"):
        found = network(images).square().sum()
        found.backward()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)
    for (_, quick), (part, usual) in zip(network.named_parameters(), plain.named_parameters(), strict=True):
        atol = 1e-10 * float(usual.grad.abs().max())
        torch.testing.assert_close(quick.grad, usual.grad, rtol=1e-8, atol=atol, msg=part)
        assert quick.shape == usual.shape


def test_the_network_comes_back_as_it_was_but_for_what_a_step_has_taught():
    network = build_network("compact-regional", input_shape=NETWORKS["compact-regional"])
    layers, state = list(network), copy.deepcopy(network.state_dict())
    with quick_layers(network, "cpu"):
        assert list(network) != layers
        for layers_passed in (2, 5):  # the first convolution sees one channel, of which layouts do not tell
            convolved = network[:layers_passed](torch.rand(2, *NETWORKS["compact-regional"]))
            assert convolved.is_contiguous(memory_format=torch.channels_last_3d)
        optimizer = torch.optim.SGD(network.parameters(), 0.01)
        network(torch.rand(2, *NETWORKS["compact-regional"])).sum().backward()
        optimizer.step()
    assert all(one is other for one, other in zip(network, layers, strict=True))
    for parameter in network.parameters():
        assert parameter.stride() == torch.empty(parameter.shape).stride()
    assert not torch.equal(network[1].weight, state["1.weight"])
    network.load_state_dict(state)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["nazari2021-striatum", "wenzel2019"])
def test_gradients_reach_the_last_rectifier_with_channels_together(name):
    network = build_network(name, input_shape=NETWORKS[name])
    place = next(k for k, layer in enumerate(network) if isinstance(layer, torch.nn.Flatten))
    seen = []
    with quick_layers(network, "cpu"):
        features = network[:place](torch.rand(2, *NETWORKS[name]))
        features.register_hook(seen.append)
        network[place:](features).sum().backward()
    (gradients,) = seen
    layout = torch.channels_last_3d if gradients.ndim == 5 else torch.channels_last
    assert features.is_contiguous(memory_format=layout)
    assert gradients.is_contiguous(memory_format=layout)


def test_on_a_gpu_nothing_is_changed():
    network = build_network("compact-regional", input_shape=NETWORKS["compact-regional"])
    layers, parameters = list(network), [parameter.data_ptr() for parameter in network.parameters()]
    with quick_layers(network, "cuda"):
        assert list(network) == layers
        assert [parameter.data_ptr() for parameter in network.parameters()] == parameters
