"""Scans that differ in places are answered as if all of them were computed."""

import numpy as np
import pytest
import torch
from model_factory import write_tiny_model
from torch import nn

from DaTscanAILib.base.parallel import in_threads
from DaTscanAILib.classification.answer import Classifier
from DaTscanAILib.classification.changed_parts import known_pass, logits_of_changed
from DaTscanAILib.classification.model_folder import find_model
from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.classification.residual import residual_block
from DaTscanAILib.explanation.integrated_gradients import IntegratedGradients
from DaTscanAILib.explanation.methods import INTEGRATED_GRADIENTS, LRP
from DaTscanAILib.explanation.what_if import what_if
from DaTscanAILib.mni.atlas import GRID_SHAPE, load_atlas


def _strided():
    layers = [nn.Conv3d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(4, 3, 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(3 * 6 * 5 * 5, 2)), (27, 26, 25)


def _residual():
    layers = [nn.Conv2d(1, 4, 3, 3), residual_block(4), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 2)]
    return nn.Sequential(*layers), (30, 33)


def _two_axes():
    layers = [nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3)]
    return nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), nn.Linear(5 * 12 * 13, 2)), (30, 33)


def _compact():
    return build_network("compact", input_shape=(1, 31, 34, 29)), (31, 34, 29)  # odd: the last windows are cut


CASES = {"compact": _compact, "strides and maxima": _strided, "two axes": _two_axes, "residual": _residual}


def trained_like(network):
    generator = torch.Generator().manual_seed(5)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
            layer.running_mean.normal_(0, 0.3, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
        if getattr(layer, "skip_init", None) is not None:
            layer.skip_init.data.fill_(0.7)
    return network.eval()


def changed_scans(scan, random):
    """Boxes in the middle, in both corners, along a border, the whole scan, and nothing at all."""
    shape = np.array(scan.shape)
    boxes = [
        (shape // 2, shape // 2 + 5),
        (shape * 0, shape * 0 + 4),
        (shape - 6, shape),
        (shape // 3, shape // 3 + 7),
    ]
    boxes += [(shape * 0, np.array([3, *(shape[1:] // 2)])), (shape * 0, shape), (shape * 0, shape * 0)]
    found = []
    for first, end in boxes:
        one = scan.copy()
        place = tuple(map(slice, first, end))
        one[place] += random.standard_normal(one[place].shape).astype(np.float32)
        found.append(one)
    return np.stack(found)


@pytest.mark.parametrize("name", CASES)
def test_answers_are_those_of_the_whole_network(name):
    torch.manual_seed(1)
    network, shape = CASES[name]()
    network, random = trained_like(network), np.random.default_rng(2)
    known_scans = random.standard_normal((2, *shape)).astype(np.float32)
    known = known_pass(network, torch.from_numpy(known_scans)[:, None])
    changed = changed_scans(known_scans[1], random)
    with torch.inference_mode():
        expected = network(torch.from_numpy(changed)[:, None])
    found = logits_of_changed(network, known, 1, changed)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(found[-1], known.logits[1])  # nothing changed: not even rounding
    assert (expected[:-1] - known.logits[1]).abs().amax(1).min() > 1e-3  # else the test would say nothing
    one = logits_of_changed(network, known, 1, changed[:1])
    torch.testing.assert_close(one, expected[:1], rtol=1e-5, atol=1e-5)


def test_only_blocks_are_computed():
    """The first layer's inputs of a small change are a tenth of the scan's voxels, of all of it all."""
    network, seen = trained_like(build_network("compact", input_shape=(1, 48, 48, 48))), []
    scan = np.random.default_rng(0).standard_normal((48, 48, 48)).astype(np.float32)
    known = known_pass(network, torch.from_numpy(scan)[None, None])
    network[0].register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0].numel() / scan.size))
    small = scan.copy()
    small[20:26, 20:26, 20:26] = 0
    logits_of_changed(network, known, 0, small[None])
    assert seen.pop() < 2 * 0.01
    logits_of_changed(network, known, 0, -scan[None])
    assert seen.pop() == 2


@pytest.mark.parametrize("weight", [0.0, 0.4])
def test_what_ifs_of_a_model_are_those_without_shortcut(weight, tmp_path):
    classifier = Classifier(find_model(str(write_tiny_model(tmp_path / "model").folder)), "cpu")
    random = np.random.default_rng(4)
    scan = (load_atlas().brain + 0.2 * random.random(GRID_SHAPE)).astype(np.float32)
    normal = np.full(GRID_SHAPE, 3, np.float32)
    images = [classifier.model.network_input(one, classifier.atlas) for one in (scan, scan[::-1])]
    known = classifier._pass(images[: 2 if weight else 1])

    def replaced(known):
        return what_if(scan, normal, scan, lambda scans: classifier.answers(scans, weight, known=known))

    short, whole = replaced(known), replaced(None)
    assert len(short) == len(whole) >= 8
    np.testing.assert_allclose([one.move for one in short], [one.move for one in whole], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose([one.probability for one in short], [one.probability for one in whole], atol=1e-6)
    assert max(abs(one.move) for one in whole) > 0.01


def test_gradients_behind_a_first_mean_are_those_of_autograd():
    torch.manual_seed(3)
    network = trained_like(build_network("compact", input_shape=(1, 31, 34, 29)))
    image, reference = torch.randn(2, 1, 1, 31, 34, 29).unbind(0)
    inputs = image.clone().requires_grad_(True)
    logits = network(inputs)[0]
    (gradient,) = torch.autograd.grad(logits[1] - logits[0], inputs)
    found = IntegratedGradients(network, reference).gradient_times_input(image)
    expected = (gradient * (image - reference))[0, 0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max()))


def test_items_run_one_thread_each_and_keep_their_order():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert in_threads(lambda item: (item, torch.get_num_threads()), range(5)) == [(k, 1) for k in range(5)]
        assert in_threads(lambda item: (item, torch.get_num_threads()), "a") == [("a", 2)]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_other_map_is_the_one_that_would_have_been_asked_for(tmp_path):
    classifier = Classifier(find_model(str(write_tiny_model(tmp_path / "model").folder)), "cpu")
    scan = (load_atlas().brain * (1 + np.random.default_rng(6).random(GRID_SHAPE))).astype(np.float32)
    by_lrp, by_gradients = (classifier.classify(scan, map_method=method) for method in (LRP, INTEGRATED_GRADIENTS))
    assert set(by_lrp.other_maps) == {INTEGRATED_GRADIENTS}
    found = by_lrp.by(INTEGRATED_GRADIENTS)
    assert (found.relevance == by_gradients.relevance).all()
    assert found.what_if == by_gradients.what_if
    assert (found.map_method, found.map_agreement) == (INTEGRATED_GRADIENTS, by_gradients.map_agreement)
    assert not (found.relevance == by_lrp.relevance).all()
