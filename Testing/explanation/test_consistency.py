"""The relevance of the lower putamen, and the cut on it that is learned for a network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from training_factory import prepared_volume

from DaTscanAILib.classification.answer_rule import AnswerRule
from DaTscanAILib.classification.model_folder import Model
from DaTscanAILib.classification.preprocessing import Preprocessing
from DaTscanAILib.classification.relevance_maps import RelevanceMaps
from DaTscanAILib.explanation.lower_putamen import lower_putamen_relevance
from DaTscanAILib.explanation.reference import shipped_reference
from DaTscanAILib.explanation.regions import PARTS, striatal_regions
from DaTscanAILib.mni.atlas import VOXEL_VOLUME_ML, load_atlas
from DaTscanAILib.quantification.mirroring import mirror
from DaTscanAILib.training.input_sets import ImageSet
from DaTscanAILib.training.relevance_cut import relevance_cut, torch_batch

MIDWAY = shipped_reference("midway").voxels


def test_mean_and_share_of_a_known_map():
    """The left half of the brain has relevance -2, the right one +6, which is none of the left putamen's."""
    left = np.arange(91)[:, None, None] < 45
    relevance = np.where(left, -2.0, 6.0).astype(np.float32) * np.ones((1, 109, 91), np.float32)
    mean, share = lower_putamen_relevance(relevance)
    assert mean == pytest.approx(-2.0, rel=5e-3)  # the border is blended, and a little of it lies beyond the middle
    volume = -share * np.abs(relevance).sum() / 2 * VOXEL_VOLUME_ML
    putamen = [region for region in striatal_regions() if region.name in PARTS[1:] and region.side == "left"]
    assert sum(region.outline.sum() for region in putamen) * VOXEL_VOLUME_ML < volume < 40
    assert lower_putamen_relevance(0 * relevance) == (0.0, 0.0)


@pytest.fixture
def striatum_images():
    volumes = [prepared_volume(("normal", "reduced")[k % 2], np.random.default_rng(k)) for k in range(6)]
    images = np.stack(
        [Preprocessing(box="striatum").apply(v.astype(np.float32), load_atlas(), MIDWAY) for v in volumes]
    )
    return ImageSet(images.astype(np.float16), np.arange(6) % 2)


def test_the_cut_parts_the_classes(striatum_images):
    """A linear network to which each uptake argues for normal by 108: the cut lies between the known means."""
    layers = (torch.nn.Conv3d(1, 2, 3, padding=1, bias=False), torch.nn.ReLU(), torch.nn.Flatten())
    network = torch.nn.Sequential(*layers, torch.nn.Linear(2 * 61 * 44 * 35, 2, bias=False))
    with torch.no_grad():
        network[0].weight.fill_(1.0)
        network[3].weight[0], network[3].weight[1] = 1.0, -1.0
    preprocessing = Preprocessing(box="striatum", offset=0.0)
    model = Model("", Path(), "", preprocessing, AnswerRule(), (), "", "", shipped_reference("midway"))
    maps = RelevanceMaps(model, [network], torch_batch(model.network_input(MIDWAY, load_atlas())))
    images, labels = striatum_images.images, striatum_images.labels
    cut = relevance_cut(maps, images, labels, np.zeros((6, 1, 2)), [None] * 6, model, load_atlas())
    means = []
    for image in striatum_images.images:
        scan = preprocessing.restore(image.astype(np.float32))
        means.append(lower_putamen_relevance(-108 * (scan - MIDWAY))[0])
    assert max(means[::2]) < cut <= min(means[1::2]) * (1 + 1e-3)
    # Each is also the mirrored one by one half.
    halves = []
    for image in images:
        scan = preprocessing.restore(image.astype(np.float32))
        difference = scan - MIDWAY
        both = -54 * (difference + (mirror(scan) - MIDWAY)[::-1])
        halves.append(lower_putamen_relevance(both)[0])
    cut = relevance_cut(maps, images, labels, np.zeros((6, 1, 2)), [0.0] * 6, model, load_atlas())
    assert max(halves[::2]) < cut <= min(halves[1::2]) * (1 + 1e-3)


def test_networks_without_the_striatum_keep_the_published_cut(striatum_images):
    for blind in (Preprocessing(striatum_masked=True), Preprocessing(box="without_striatum")):
        model = Model("", Path(), "", blind, AnswerRule(), (), "", "", shipped_reference("midway"))
        assert relevance_cut(None, striatum_images.images, [], [], [], model, load_atlas()) == 0.0
