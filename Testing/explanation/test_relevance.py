"""Relevance maps: beside zennit, brute force, conservation, and what must not change."""

import copy
import itertools

import numpy as np
import pytest
import torch
from oracles import zennit_relevance
from torch import nn

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.classification.networks import ARCHITECTURES, build_network
from DaTscanAILib.explanation import lrp_rules
from DaTscanAILib.explanation.lrp import RelevancePropagator


def relevance_map(network, image):
    return RelevancePropagator(network).propagate(image)[1]


def random_network(network, seed=0):
    """The network with biases and batch statistics such as training gives, instead of zeros and ones."""
    generator = torch.Generator().manual_seed(seed)
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
            layer.running_mean.normal_(0, 0.3, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
            layer.weight.data.uniform_(0.5, 1.5, generator=generator)
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear):
            layer.weight.data.normal_(0, (2 / layer.weight[0].numel()) ** 0.5, generator=generator)
        if getattr(layer, "bias", None) is not None:
            layer.bias.data.normal_(0, 0.1, generator=generator)
    return network.eval()


def without_biases(network):
    for layer in network:
        if hasattr(layer, "bias"):
            layer.bias = None
    return network


def small_nazari():
    return build_network("nazari2021-full", input_shape=(1, 13, 17, 11)), (13, 17, 11)


def strides_and_average_pooling():
    return nn.Sequential(
        *(nn.Conv3d(1, 6, 3, padding=1), nn.ReLU(), nn.AvgPool3d(2)),
        *(nn.Conv3d(6, 8, 3, stride=(1, 2, 1), padding=(0, 1, 1)), nn.BatchNorm3d(8), nn.ReLU()),
        *(nn.Conv3d(8, 8, (3, 2, 1), stride=2, padding=(1, 0, 0), bias=False), nn.ReLU()),
        *(nn.AvgPool3d(3, 2, 1, ceil_mode=True), nn.Conv3d(8, 8, 2), nn.ReLU()),
        *(nn.AvgPool3d(2, 1, 1, count_include_pad=False), nn.Flatten(), nn.Linear(8 * 3 * 3 * 3, 2)),
    ), (20, 30, 21)


def maximum_pooling():
    return nn.Sequential(
        *(nn.Conv3d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2)),
        *(nn.Conv3d(6, 8, 3), nn.BatchNorm3d(8), nn.ReLU(), nn.MaxPool3d(3, 2, 1)),
        *(nn.Conv3d(8, 8, 2), nn.ReLU(), nn.MaxPool3d(2, ceil_mode=True)),
        *(nn.Flatten(), nn.Linear(8 * 2 * 2 * 2, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2)),
    ), (20, 22, 21)


def global_average_pooling():
    return nn.Sequential(
        *(nn.Conv3d(1, 6, 3, padding=1, bias=False), nn.BatchNorm3d(6), nn.ReLU()),
        *(nn.Conv3d(6, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv3d(8, 8, 3), nn.ReLU()),
        *(nn.AdaptiveAvgPool3d((3, 4, 2)), nn.Conv3d(8, 8, (1, 2, 1)), nn.ReLU()),
        *(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(8, 2, bias=False)),
    ), (15, 22, 18)


NETWORKS = {
    "small Nazari": small_nazari,
    "small Nazari without biases": lambda: (without_biases(small_nazari()[0]), small_nazari()[1]),
    "compact": lambda: (build_network("compact"), (71, 90, 72)),
    "Wenzel": lambda: (build_network("wenzel2019"), (91, 109)),
    "strides and average pooling": strides_and_average_pooling,
    "maximum pooling": maximum_pooling,
    "global average pooling": global_average_pooling,
}
NETWORK_AND_SEED = [(name, seed) for name in NETWORKS for seed in (0, 1)]


def default_contrast(network):
    contrast = torch.zeros(network[-1].out_features, dtype=torch.float64)
    contrast[:2] = torch.tensor([-1.0, 1.0])
    return contrast


@pytest.mark.parametrize(("name", "seed"), [*NETWORK_AND_SEED, ("striatum", 0)])
def test_maps_agree_with_zennit_in_float64(name, seed):
    """The full Nazari network would need gigabytes here: its striatum variant has the same layers."""
    striatum = (build_network("nazari2021-striatum"), (61, 44, 35)) if name == "striatum" else None
    network, shape = striatum or NETWORKS[name]()
    network = random_network(network, seed)
    image = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(seed + 100))
    exact_network = copy.deepcopy(network).double()
    contrast = default_contrast(network)
    logits, expected = zennit_relevance(exact_network, image.double(), contrast)
    start = (contrast * logits).sum()

    exact_logits, exact = RelevancePropagator(exact_network).propagate(image)
    assert torch.allclose(exact_logits, logits, rtol=1e-12, atol=1e-12)
    assert (exact - expected).norm() <= 1e-12 * expected.norm()

    # Where a hidden unit is within 1e-4 of its threshold, the epsilon rule turns rounding of 1e-6 into 1e-2 of the
    # unit's share: the difference is therefore measured by the starting relevance, not by the map.
    single_logits, single = RelevancePropagator(network).propagate(image)
    assert torch.allclose(single_logits.double(), logits, rtol=0, atol=5e-5 * logits.abs().max())
    assert (single - expected).norm() <= 1e-5 * start.abs()


def test_the_networks_beside_zennit_start_with_both_signs():
    starts = []
    for name, seed in NETWORK_AND_SEED:
        network, shape = NETWORKS[name]()
        image = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(seed + 100))
        with torch.no_grad():
            logits = random_network(network, seed)(image)[0]
        starts.append((logits[1] - logits[0]).item())
    assert min(starts) < -0.1
    assert max(starts) > 0.1


def test_another_contrast_explains_another_head():
    network = random_network(build_network("compact", input_shape=(1, 23, 31, 26)))
    image = torch.rand(1, 1, 23, 31, 26, generator=torch.Generator().manual_seed(5))
    contrast = [0, 0, -1, 1, 0, 0.5]
    _, expected = zennit_relevance(copy.deepcopy(network).double(), image.double(), torch.tensor(contrast))
    _, found = RelevancePropagator(network, contrast).propagate(image)
    assert (found - expected).norm() <= 1e-5 * expected.norm()
    assert (found - relevance_map(network, image)).norm() > 0.1 * expected.norm()


def test_the_opposite_contrast_gives_the_opposite_map():
    network = random_network(small_nazari()[0])
    image = torch.rand(1, 1, 13, 17, 11, generator=torch.Generator().manual_seed(6))
    assert torch.equal(RelevancePropagator(network, (1, -1)).propagate(image)[1], -relevance_map(network, image))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_relevance_is_conserved_without_biases(monkeypatch, seed):
    """The stabilizers take at most 1 %; without them, nothing is lost."""
    network = random_network(without_biases(small_nazari()[0]), seed).double()
    image = torch.rand(1, 1, 13, 17, 11, generator=torch.Generator().manual_seed(seed))
    logits, found = RelevancePropagator(network).propagate(image)
    assert found.sum().item() == pytest.approx((logits[1] - logits[0]).item(), rel=1e-2)
    monkeypatch.setattr(lrp_rules, "DENSE_EPSILON", 1e-14)
    monkeypatch.setattr(lrp_rules, "STABILIZER", 1e-14)
    logits, found = RelevancePropagator(network).propagate(image)
    assert found.sum().item() == pytest.approx((logits[1] - logits[0]).item(), rel=1e-9)


def test_flat_rule_at_the_borders_by_brute_force():
    """Every input in a window, and no zero around the image, gets the same; two layers, strides and all."""
    torch.manual_seed(2)
    first, second = (
        nn.Conv3d(1, 2, (3, 3, 1), padding=(1, 1, 0)),
        nn.Conv3d(2, 3, 3, stride=(2, 1, 2), padding=1),
    )
    network = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(3 * 3 * 4 * 2, 2)).double()
    image = torch.rand(1, 1, 5, 4, 3, dtype=torch.float64)
    logits, found = RelevancePropagator(network).propagate(image)
    features, dense = network[:5](image)[0], network[-1]
    denominator = logits + 1e-4 * logits.sign()
    upper = (dense.weight * features).T @ (torch.tensor([-1, 1]) * logits / denominator)
    upper = upper.reshape(3, 3, 4, 2).detach().numpy()
    middle = flat_rule_by_loops(upper, (2, 5, 4, 3), second)
    assert np.allclose(found.numpy(), flat_rule_by_loops(middle, (1, 5, 4, 3), first)[0], rtol=0, atol=1e-12)
    assert np.abs(upper).sum() > 0.1


def flat_rule_by_loops(upper, shape, layer):
    lower = np.zeros(shape)
    for _, *place in itertools.product(*map(range, upper.shape)):
        window = []
        for offset in itertools.product(*map(range, layer.kernel_size)):
            axes = zip(place, layer.stride, layer.padding, offset, strict=True)
            index = tuple(p * stride - padding + o for p, stride, padding, o in axes)
            if all(0 <= i < size for i, size in zip(index, shape[1:], strict=True)):
                window += [(channel, *index) for channel in range(shape[0])]
        for index in window:
            lower[index] += upper[(_, *place)] / len(window)
    return lower


@pytest.mark.parametrize("stride", [1, 2])
def test_alpha_beta_rule_by_its_matrix(stride):
    """Kernels of one voxel make the flat rule hand relevance straight down, so only the third layer is left."""
    torch.manual_seed(3)
    third = nn.Conv3d(2, 3, 3, stride=stride, padding=1)
    sizes = [(size - 1) // stride + 1 for size in (5, 4, 3)]
    ones = [nn.Conv3d(1, 2, 1), nn.ReLU(), nn.Conv3d(2, 2, 1), nn.ReLU()]
    dense = nn.Linear(3 * sizes[0] * sizes[1] * sizes[2], 2)
    network = nn.Sequential(*ones, third, nn.ReLU(), nn.Flatten(), dense).double()
    image = torch.rand(1, 1, 5, 4, 3, dtype=torch.float64)
    logits, found = RelevancePropagator(network).propagate(image)

    with torch.no_grad():
        inputs, outputs = network[:4](image).flatten().numpy(), network[:7](image)[0].numpy()
        unit_images = torch.eye(inputs.size, dtype=torch.float64).view(-1, 2, 5, 4, 3)
        bias = third.bias.repeat_interleave(outputs.size // 3).numpy()
        matrix = third(unit_images).flatten(1).numpy() - bias
    signs = np.array([-1, 1]) * (logits / (logits + 1e-4 * logits.sign())).numpy()
    upper = outputs * (signs @ dense.weight.detach().numpy())
    contributions = inputs[:, None] * matrix
    positive, negative = np.maximum(contributions, 0), np.minimum(contributions, 0)
    positive_sum = positive.sum(0) + np.maximum(bias, 0) + 1e-6
    negative_sum = negative.sum(0) + np.minimum(bias, 0) - 1e-6
    lower = (2 * positive / positive_sum - negative / negative_sum) @ upper
    assert np.allclose(found.numpy(), lower.reshape(2, 5, 4, 3).sum(0), rtol=0, atol=1e-12)
    assert np.abs(upper).sum() > 0.1


@pytest.mark.parametrize("name", ["compact", "wenzel2019", "nazari2021-striatum"])
def test_results_are_the_same_for_one_and_two_threads(name):
    network = random_network(build_network(name))
    image = torch.rand(1, *ARCHITECTURES[name].input_shape, generator=torch.Generator().manual_seed(7))
    assert_same_for_one_and_two_threads(network, image)


def assert_same_for_one_and_two_threads(network, image):
    propagator, threads = RelevancePropagator(network), torch.get_num_threads()
    try:
        results = set()
        for count in (1, 2):
            torch.set_num_threads(count)
            results.add(b"".join(tensor.numpy().tobytes() for tensor in propagator.propagate(image)))
    finally:
        torch.set_num_threads(threads)
    assert len(results) == 1


@pytest.mark.slow
def test_the_full_network_classifies_as_without_relevance():
    """236 million parameters: the network's own logits, and the same bytes for any number of threads."""
    torch.manual_seed(8)
    network = build_network("nazari2021-full")
    image = torch.rand(1, 1, 71, 90, 72)
    logits, found = RelevancePropagator(network).propagate(image)
    with torch.no_grad():
        assert torch.allclose(logits, network(image)[0], rtol=0, atol=1e-5)
    assert found.shape == (71, 90, 72)
    assert found.sum().item() == pytest.approx((logits[1] - logits[0]).item(), rel=0.02)
    assert_same_for_one_and_two_threads(network, image)


def test_the_network_is_not_changed_and_its_mode_does_not_matter():
    network = random_network(build_network("compact", input_shape=(1, 23, 31, 26)))
    image = torch.rand(1, 1, 23, 31, 26, generator=torch.Generator().manual_seed(9))
    image_before, before = image.clone(), copy.deepcopy(network.state_dict())
    logits, found = RelevancePropagator(network).propagate(image)
    network.train()
    assert torch.equal(RelevancePropagator(network).propagate(image)[1], found)
    assert network.training
    assert torch.equal(image, image_before)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    network.eval()
    assert torch.allclose(network(image)[0], logits, atol=1e-5)


def test_the_image_is_not_changed_by_a_rectifier_in_front():
    network = nn.Sequential(nn.ReLU(), *small_nazari()[0])
    image = torch.randn(1, 1, 13, 17, 11, generator=torch.Generator().manual_seed(13))
    before = image.clone()
    found = relevance_map(network, image)
    assert torch.equal(image, before)
    assert torch.equal(found, relevance_map(network[1:], image.relu()))


def test_a_propagator_keeps_no_state_between_scans_and_no_copy_of_dense_weights():
    network = random_network(small_nazari()[0])
    first, second = torch.rand(2, 1, 1, 13, 17, 11, generator=torch.Generator().manual_seed(10)).unbind()
    propagator = RelevancePropagator(network)
    logits, before = propagator.propagate(first)
    propagator.propagate(second)
    assert torch.equal(propagator.propagate(first)[1], before)
    network[-1].weight.data.mul_(2)
    network[-1].bias.data.mul_(2)
    assert torch.equal(propagator.propagate(first)[0], 2 * logits)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_gpu_is_asked_nothing_on_the_way(name):
    """On the device "meta" there are no values: what a GPU would have to wait and answer for fails there."""
    network, shape = NETWORKS[name]()
    logits, found = RelevancePropagator(network.eval().to("meta")).propagate(torch.empty(1, 1, *shape, device="meta"))
    assert (found.shape, found.device.type) == (shape, "meta")
    assert logits.shape == (network[-1].out_features,)


def test_the_two_ways_back_through_a_dense_layer_agree():
    """A CPU reads the rows of active units one by one, a GPU takes one product: the same numbers."""
    dense = nn.Linear(40, 6).double()
    step = lrp_rules.Dense(dense)
    values = torch.rand(1, 40, dtype=torch.float64)
    share = torch.tensor([[0.5, 0, -1, 2, 0, 1]], dtype=torch.float64)
    back = step.backward(share, values.clone(), torch.ones_like(share))
    assert torch.allclose(back, values * (share @ dense.weight), rtol=1e-12, atol=0)


def test_bfloat16_convolutions_change_the_map_by_some_percent():
    network = random_network(build_network("nazari2021-striatum", input_shape=(1, 31, 24, 25)), seed=1)
    image = torch.rand(1, 1, 31, 24, 25, generator=torch.Generator().manual_seed(11))
    logits, expected = RelevancePropagator(network).propagate(image)
    low_logits, found = RelevancePropagator(network, convolution_precision="bfloat16").propagate(image)
    assert found.dtype == torch.float32
    assert 1e-4 * expected.norm() < (found - expected).norm() < 0.05 * expected.norm()
    assert torch.allclose(low_logits, logits, rtol=0, atol=0.02 * logits.abs().max())


def test_an_image_of_another_type_is_converted():
    network = random_network(small_nazari()[0])
    image = torch.randint(0, 255, (1, 1, 13, 17, 11), generator=torch.Generator().manual_seed(12))
    assert torch.equal(relevance_map(network, image), relevance_map(network, image.float()))


def head(*layers):
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(2))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (head(nn.Conv3d(1, 2, 3), nn.GELU()), "no rule for this layer: GELU"),
        (head(nn.BatchNorm3d(1), nn.Conv3d(1, 2, 3)), "no rule for this layer: BatchNorm3d"),
        (head(nn.Conv3d(1, 2, 3), nn.ReLU(), nn.Conv3d(2, 2, 3), nn.Conv3d(2, 2, 3)), "needs a rectifier"),
        (head(nn.Conv3d(1, 2, 3), nn.ReLU(), nn.Conv3d(2, 2, 3, groups=2)), "groups"),
        (head(nn.Conv3d(1, 2, 3, dilation=2)), "dilation"),
        (head(nn.Conv3d(1, 2, 3, padding=2)), "padding"),
        (head(nn.Conv3d(1, 2, 3, padding="same")), "padding"),
        (head(nn.Conv3d(1, 2, 3), nn.AvgPool3d(2, divisor_override=3)), "divisor_override of this layer"),
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 2), nn.Softmax(1)), "logits"),
    ],
)
def test_networks_without_a_rule_are_refused(network, message):
    with pytest.raises(DaTscanError, match=message):
        RelevancePropagator(network)


@pytest.mark.parametrize("shape", [(2, 1, 13, 17, 11), (1, 2, 13, 17, 11), (1, 13, 17, 11), (1, 1, 13, 17, 12)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(DaTscanError, match="shape"):
        relevance_map(small_nazari()[0], torch.rand(shape))


def test_unusable_options_are_refused():
    network = small_nazari()[0]
    with pytest.raises(DaTscanError, match="2 outputs"):
        RelevancePropagator(network, contrast=(1, 2, 3))
    with pytest.raises(DaTscanError, match="float16"):
        RelevancePropagator(network, convolution_precision="float16")
