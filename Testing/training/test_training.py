"""Training on synthetic brains: what it learns, writes, and takes up again after an interruption."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from training_factory import prepared_volume, write_prepared_cohort

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.classification.answer import Classifier
from DaTscanAILib.classification.model_folder import find_model
from DaTscanAILib.mni.atlas import load_atlas
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.training import engine
from DaTscanAILib.training.augmentation import scan_augmentation, smooth_to
from DaTscanAILib.training.plans import PLANS
from DaTscanAILib.training.preparation import prepare_cases
from DaTscanAILib.training.train import best_members, split, train

PLAN = replace(PLANS["compact"], members=2, spares=0, epochs=2, copies=2, batch_size=4)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_prepared_cohort(tmp_path_factory.mktemp("cohort") / "scans", 24)


def start(cohort, output, plan=PLAN):
    manifest, cache = cohort
    if not (output / "work" / "prepared").exists():
        shutil.copytree(cache, output / "work" / "prepared")
    return train(manifest, output, plan, device="cpu")


@pytest.fixture(scope="module")
def trained(cohort, tmp_path_factory):
    return start(cohort, tmp_path_factory.mktemp("trained") / "tiny")


def test_the_model_answers_on_scans_that_it_has_not_seen(trained):
    classifier = Classifier(find_model(trained.folder), "cpu")
    probabilities = [
        classifier.classify(
            prepared_volume(label, np.random.default_rng([99, k])).astype(np.float32)
        ).probability_reduced
        for k in range(4)
        for label in ("normal", "reduced")
    ]
    assert min(probabilities[1::2]) > max(probabilities[::2])
    assert classifier.classify(prepared_volume("reduced", np.random.default_rng(5)).astype(np.float32)).members == 2


def test_the_model_says_what_it_was_trained_on(trained):
    assert trained.trained_on == "Trained on 11 normal and 11 reduced simulated scans; no patient was involved."


def test_an_interrupted_training_ends_like_an_undisturbed_one(cohort, trained, tmp_path, monkeypatch):
    """The first member is finished; the second one stops after the first of its two epochs."""
    consider, epochs = engine._Best.consider, []

    def interrupted(self, loss):
        consider(self, loss)
        epochs.append(loss)
        if len(epochs) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(engine._Best, "consider", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start(cohort, tmp_path / "again")
    again = start(cohort, tmp_path / "again")
    assert len(epochs) == 4
    assert [digest for _, digest in again.weights] == [digest for _, digest in trained.weights]
    assert again.rule == trained.rule


def test_a_step_changes_the_sums_of_a_wide_dense_layer_by_little():
    """Adam's first step changes every weight by the learning rate, here 1e-3 for 6000 inputs: a sum by 6."""
    plan = replace(PLANS["compact"], learning_rate=1e-3, weight_decay=0.0)
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(6000, 4), torch.nn.Linear(4, 2))
    before = [parameter.detach().clone() for parameter in network.parameters()]
    sums = network[0](torch.ones(1, 6000)).detach()
    optimizer = engine.adam(network, plan)
    network(torch.ones(1, 6000)).square().sum().backward()
    optimizer.step()
    steps = [(new.detach() - old).abs().max().item() for new, old in zip(network.parameters(), before, strict=True)]
    assert steps == pytest.approx([1.5 / 6000, 1e-3, 1e-3, 1e-3], rel=1e-2)
    change = (network[0](torch.ones(1, 6000)) - sums).abs()
    assert change.tolist()[0] == pytest.approx([1.5] * 4, abs=0.01)


def test_members_differ(trained):
    first, second = (network.state_dict() for network in trained.load_networks())
    assert not torch.equal(first["1.weight"], second["1.weight"])


def test_the_members_that_learned_least_are_the_spare_ones(tmp_path):
    for number, losses in enumerate([(0.4, 0.2), (0.9, 0.7), (0.3, 0.5)]):
        (tmp_path / f"member_{number}").mkdir()
        curve = [{"epoch": k + 1, "validation_loss": loss} for k, loss in enumerate(losses)]
        (tmp_path / f"member_{number}" / "learning_curve.json").write_text(json.dumps(curve))
    assert best_members(replace(PLAN, members=2, spares=1), tmp_path) == [0, 2]
    assert best_members(replace(PLAN, members=3, spares=0), tmp_path) == [0, 1, 2]


def test_the_split_is_stratified_and_disjoint(cohort, tmp_path):
    manifest, cache = cohort
    prepared, failed = prepare_cases(collect_cases([manifest]), cache)
    training, validation = split(prepared, 0.25, seed=3)
    names = [{one.case.name for one in part} for part in (training, validation)]
    assert not failed
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == 24
    assert [one.case.label for one in validation].count("reduced") == 3
    assert split(prepared, 0.25, seed=3)[1] == validation
    assert split(prepared, 0.25, seed=4)[1] != validation


def test_too_few_scans_of_a_class_are_refused(tmp_path):
    cohort = write_prepared_cohort(tmp_path / "few", 8)
    with pytest.raises(DaTscanError, match="only 4 usable scans labelled normal"):
        start(cohort, tmp_path / "model")


def test_augmentation_depends_on_its_seed_alone_and_keeps_the_reference_level():
    atlas = load_atlas()
    volume = torch.from_numpy(prepared_volume("normal", np.random.default_rng(1)).astype(np.float32))[None]
    first, second, other = (
        np.asarray(scan_augmentation(atlas.reference).set_random_state(seed)(volume)[0]) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).mean() > 0.01
    for image in (first, other):  # the gain changes by 10 % at most
        assert np.percentile(image[atlas.reference], 75) == pytest.approx(1, abs=0.101)


def test_smoothing_has_the_width_that_it_says():
    """A point becomes a Gaussian whose half width is 9 mm; scaling to the reference region cancels in the ratio."""
    atlas = load_atlas()
    image = np.full((91, 109, 91), 1e-9, np.float32)
    image[45, 60, 40] = 1
    reference = np.zeros_like(atlas.reference)
    reference[45, 60, 40] = True
    smooth = smooth_to(image, 18.0, reference)
    profile = smooth[45:55, 60, 40] / smooth[45, 60, 40]
    assert np.interp(0.5, profile[::-1], 2.0 * np.arange(10)[::-1]) == pytest.approx(9.0, abs=0.25)
