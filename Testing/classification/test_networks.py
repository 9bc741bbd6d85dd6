"""Networks: published numbers of parameters, shapes, initialization, loading without it."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.classification.networks import ARCHITECTURES, build_network, count_parameters

# Trained parameters, parameters with batch statistics, outputs.
PUBLISHED = {
    "nazari2021-full": (235_582_786, 235_582_786, 2),
    "nazari2021-without-striatum": (235_582_786, 235_582_786, 2),
    "nazari2021-striatum": (24_070_466, 24_070_466, 2),
    "wenzel2019": (2_871_234, 2_872_642, 2),
    "compact": (978_510, 978_638, 6),
    "compact-regional": (1_455_644, 1_455_772, 12),
    "dat-spect-ud": (194_390, 195_094, 2),
    "dat-spect-ud-places": (194_329, 195_033, 2),
}


def test_every_network_is_checked_here():
    assert set(PUBLISHED) == set(ARCHITECTURES)


@pytest.mark.parametrize("name", PUBLISHED)
def test_number_of_parameters_and_outputs(name):
    network = build_network(name, initialize=False)
    trained, with_statistics, outputs = PUBLISHED[name]
    assert count_parameters(network) == trained
    assert count_parameters(network, with_statistics=True) == with_statistics
    batch = torch.empty(3, *ARCHITECTURES[name].input_shape, device="meta")
    assert network(batch).shape == (3, outputs)


@pytest.mark.parametrize(("name", "hidden"), [("nazari2021-full", 2), ("nazari2021-striatum", 3), ("compact", 1)])
def test_dropout_only_after_the_first_dense_layer(name, hidden):
    network = build_network(name, initialize=False)
    dense_part = list(network)[[type(layer) for layer in network].index(torch.nn.Flatten) + 1 :]
    kinds = [type(layer).__name__ for layer in dense_part]
    assert kinds == ["Linear", "ReLU", "Dropout"] + ["Linear", "ReLU"] * (hidden - 1) + ["Linear"]
    assert dense_part[2].p == 0.2


def test_no_network_ends_in_softmax():
    for name in ARCHITECTURES:
        assert isinstance(build_network(name, initialize=False)[-1], torch.nn.Linear), name


def test_initial_weights_keep_the_scale_of_activations():
    torch.manual_seed(0)
    network = build_network("compact")
    weighted = [layer for layer in network if isinstance(layer, torch.nn.Conv3d | torch.nn.Linear)]
    for layer in weighted[1:-1]:
        inputs = layer.weight[0].numel()
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / inputs), rel=0.03)
    assert weighted[-1].weight.std().item() == pytest.approx(math.sqrt(1 / 16), rel=0.2)
    for layer in network:
        if isinstance(layer, torch.nn.BatchNorm3d):
            assert torch.equal(layer.running_var, torch.ones_like(layer.running_var))
            assert not layer.running_mean.any()
            assert torch.equal(layer.weight, torch.ones_like(layer.weight))
            assert layer.num_batches_tracked == 0
    assert not network.training


def test_loading_without_initialization_gives_the_same_network(tmp_path):
    torch.manual_seed(1)
    trained = build_network("compact", input_shape=(1, 17, 20, 15))
    torch.save(trained.state_dict(), tmp_path / "weights.pt")
    loaded = build_network("compact", initialize=False, input_shape=(1, 17, 20, 15))
    assert all(tensor.is_meta for tensor in loaded.state_dict().values())
    loaded.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True, mmap=True), assign=True)
    scan = torch.rand(1, 1, 17, 20, 15)
    assert torch.equal(loaded(scan), trained(scan))
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(DaTscanError, match="nazari2021-striatum"):
        build_network("nazari2022")


def test_importing_does_not_import_torch():
    code = "import sys; import DaTscanAILib.classification.networks, DaTscanAILib.explanation.lrp; "
    code += "sys.exit('torch' in sys.modules)"
    library = Path(__file__).parents[2] / "DaTscanAI"
    assert subprocess.run([sys.executable, "-c", code], cwd=library, check=False).returncode == 0
