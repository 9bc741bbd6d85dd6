"""The relevance of the lower putamen, and the cut on it that is learned for a network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm
from training_factory import prepared_volume

from DaTscanAILib.classification.answer_rule import AnswerRule
from DaTscanAILib.classification.explained import AGAINST, INCONSISTENT, map_warnings
from DaTscanAILib.classification.model_folder import Model
from DaTscanAILib.classification.preprocessing import Preprocessing
from DaTscanAILib.classification.relevance_maps import RelevanceMaps
from DaTscanAILib.evaluation.metrics import youden_cutoff
from DaTscanAILib.explanation.lower_putamen import NEITHER, argument, lower_putamen_relevance
from DaTscanAILib.explanation.reference import shipped_reference
from DaTscanAILib.explanation.regions import PARTS, striatal_regions
from DaTscanAILib.mni.atlas import VOXEL_VOLUME_ML, load_atlas
from DaTscanAILib.quantification.mirroring import mirror
from DaTscanAILib.training.input_sets import ImageSet
from DaTscanAILib.training.relevance_cut import cut_and_band, relevance_cut, torch_batch

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
    cut, band = relevance_cut(maps, images, labels, np.zeros((6, 1, 2)), [None] * 6, model, load_atlas())
    means = []
    for image in striatum_images.images:
        scan = preprocessing.restore(image.astype(np.float32))
        means.append(lower_putamen_relevance(-108 * (scan - MIDWAY))[0])
    assert max(means[::2]) < cut < min(means[1::2])
    assert band[0] < cut < band[1]
    # Each is also the mirrored one by one half.
    halves = []
    for image in images:
        scan = preprocessing.restore(image.astype(np.float32))
        difference = scan - MIDWAY
        both = -54 * (difference + (mirror(scan) - MIDWAY)[::-1])
        halves.append(lower_putamen_relevance(both)[0])
    cut, _ = relevance_cut(maps, images, labels, np.zeros((6, 1, 2)), [0.0] * 6, model, load_atlas())
    assert max(halves[::2]) < cut < min(halves[1::2])


def test_networks_without_the_striatum_keep_the_published_cut(striatum_images):
    for blind in (Preprocessing(striatum_masked=True), Preprocessing(box="without_striatum")):
        model = Model("", Path(), "", blind, AnswerRule(), (), "", "", shipped_reference("midway"))
        assert relevance_cut(None, striatum_images.images, [], [], [], model, load_atlas()) == (0.0, None)


def test_the_cut_of_two_known_spreads_is_where_both_are_equally_likely():
    """Normal distributions of one spread s about -d and +d: odds of exp(2 d x / s^2), whatever their numbers."""
    spread, apart = 0.0006, 0.0005
    quantiles = norm.ppf((np.arange(400) + 0.5) / 400)
    values = np.concatenate([spread * quantiles - apart + 0.001, spread * quantiles[::4] + apart + 0.001])
    cut, band = cut_and_band(np.repeat([0, 1], (400, 100)), values)
    assert cut == pytest.approx(0.001, abs=2e-5)
    half = np.log(3) * spread**2 / (2 * apart)
    assert np.subtract(band, cut) == pytest.approx([-half, half], rel=0.1)


def test_one_scan_next_to_the_cut_does_not_move_it_far():
    """Youden's cut jumps over a gap with one scan; that of the odds stays within a tenth of the way."""
    normal, reduced = np.linspace(-2, 1, 60), np.linspace(2, 8, 60)
    labels = np.repeat([0, 1], (60, 60))
    before, _ = cut_and_band(labels, np.concatenate([normal, reduced]))
    odd = np.concatenate([normal[:-1], [1.9], reduced])
    assert abs(cut_and_band(labels, odd)[0] - before) < 0.1
    assert youden_cutoff(labels == 1, odd) - youden_cutoff(labels == 1, np.concatenate([normal, reduced])) > 0.4


def test_a_number_that_is_not_larger_in_reduced_scans_gets_no_band():
    assert cut_and_band([1, 1, 0, 0], [1.0, 2.0, 3.0, 4.0])[1] is None


@pytest.mark.parametrize(
    ("relevance", "argues"),
    [(0.00089, NEITHER), (0.0006, "normal"), (-0.001, "normal"), (0.0014, "reduced"), (0.00114, NEITHER)],
)
def test_between_the_edges_of_the_band_nothing_is_argued_for(relevance, argues):
    assert argument(relevance, 0.00114, (0.0006, 0.0014)) == argues


def test_without_a_band_the_cut_alone_parts():
    assert [argument(value, 0.001) for value in (0.00099, 0.001, 0.00101)] == ["normal", NEITHER, "reduced"]


@pytest.mark.parametrize(
    ("relevance", "label", "warned"),
    [
        (0.0009, "reduced", True),
        (0.0011, "reduced", False),
        (0.0011, "normal", True),
        (0.0009, "normal", False),
        (0.0009, "uncertain", False),
        (None, "reduced", False),
    ],
)
def test_a_certain_answer_on_the_other_side_of_the_cut_is_warned_of(relevance, label, warned):
    """Within the band too: the sign is the gate's, and there it errs most."""
    explanation = {"ipsilateral_putamen_relevance": relevance, "relevance_cut": 0.001, "consistent": True}
    assert map_warnings(explanation, label) == ([AGAINST] if warned else [])
    assert map_warnings({**explanation, "consistent": False}, label)[0] == INCONSISTENT
    assert map_warnings({**explanation, "relevance_cut": 0.0}, label) == []  # no cut was learned
