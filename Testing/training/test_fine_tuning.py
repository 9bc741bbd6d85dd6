"""Adapting a model: what stays, what learns, and in which order."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from training_factory import write_prepared_cohort

from DaTscanAILib.classification.answer_rule import AnswerRule
from DaTscanAILib.classification.model_folder import write_model
from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.classification.preprocessing import Preprocessing
from DaTscanAILib.cli import main as cli
from DaTscanAILib.training.adapting import LEAST_TO_CALIBRATE, frozen_features, plan_to_adapt, rule_of_adapted
from DaTscanAILib.training.engine import average_taken, head_losses, validation_loss
from DaTscanAILib.training.input_sets import ImageSet
from DaTscanAILib.training.plans import PLANS
from DaTscanAILib.training.quick_layers import quick_layers
from DaTscanAILib.training.train import member_sets, train

HEADS = {"balanced": (0, 1), "sensitive": (2, 3), "specific": (4, 5)}


@pytest.fixture(scope="module")
def start_model(tmp_path_factory):
    torch.manual_seed(3)
    networks = [build_network("compact")]
    rule = AnswerRule(slope=0.7, intercept=0.1, doubt=(0.2, 0.7), heads=HEADS)
    folder = tmp_path_factory.mktemp("models") / "start"
    return write_model(folder, "compact", networks, Preprocessing(scale=2.0), rule, "Trained on nothing.")


@pytest.fixture(scope="module")
def adapted(start_model, tmp_path_factory):
    """(model, its folder, plan, cohort) after one epoch in each stage."""
    manifest, cache = write_prepared_cohort(tmp_path_factory.mktemp("cohort") / "scans", 16)
    output = tmp_path_factory.mktemp("adapted") / "model"
    shutil.copytree(cache, output / "work" / "prepared")
    plan = replace(plan_to_adapt(start_model, PLANS), epochs=2, copies=0, batch_size=7, smooth_validation=False)
    return train(manifest, output, plan, "cpu", start=start_model), output, plan, manifest


def states(output, stage):
    saved = torch.load(output / "work" / "member_0" / stage / "checkpoint.pt", weights_only=True)
    return saved["network"], saved["lowest"]


def test_the_plan_takes_over_what_the_model_is(start_model):
    plan = plan_to_adapt(start_model, PLANS)
    assert plan.preprocessing == Preprocessing(scale=2.0)
    assert (plan.architecture, plan.members, plan.spares) == ("compact", 1, 0)
    assert plan.heads == PLANS["compact"].heads
    assert plan.head_weights == PLANS["compact"].head_weights
    assert plan.doubt == (0.2, 0.7)


def test_dense_layers_learn_first_and_then_all(start_model, adapted):
    (begin,) = (network.state_dict() for network in start_model.load_networks())
    top, _ = states(adapted[1], "top")
    last, _ = states(adapted[1], "all")
    names = [name for name, _ in build_network("compact", initialize=False).named_parameters()]
    dense = [name for name in names if begin[name].ndim == 2]
    features = [name for name in names if begin[name].ndim == 5]
    assert dense
    assert features
    assert all(torch.equal(top[name], begin[name]) for name in features)
    assert not any(torch.equal(top[name], begin[name]) for name in dense)
    assert not any(torch.equal(last[name], begin[name]) for name in features)
    change = max((last[name] - begin[name]).abs().max().item() for name in features)
    assert 0 < change < 2e-4  # two steps of at most 3e-5 and their decay


def test_the_better_stage_is_kept(adapted):
    model, output, plan, _ = adapted
    inputs = output / "work" / "inputs"
    names = json.loads((inputs / "training.json").read_text())["names"]
    labels = np.array([int(name[-1]) % 2 for name in names])  # odd numbers are reduced
    images = ImageSet(np.load(inputs / "training.npy"), labels, scans=np.arange(len(labels)), averaged=True)
    (network,) = model.load_networks()
    with average_taken(network, True), quick_layers(network, "cpu"):  # as in training: bfloat16 rounds otherwise
        validation = member_sets(images, plan, 0).validation
        loss = validation_loss(network, validation, plan, head_losses(plan, "cpu"), "cpu")
    assert loss == pytest.approx(min(states(output, stage)[1] for stage in ("top", "all")), rel=1e-4)


def test_few_scans_leave_the_calibration_as_it_was(start_model, adapted):
    assert adapted[0].rule == start_model.rule
    fitted = AnswerRule(slope=9.0)
    enough = np.arange(2 * LEAST_TO_CALIBRATE) % 2
    assert rule_of_adapted(start_model, fitted, enough) is fitted
    assert rule_of_adapted(start_model, fitted, enough[:-1]) == start_model.rule


def test_other_networks_do_not_keep_the_distance_of_their_start(start_model):
    few = rule_of_adapted(replace(start_model, rule=replace(start_model.rule, unlike_cut=1.5)), AnswerRule(), [0, 1])
    assert few == start_model.rule


def test_the_model_says_both_what_it_came_from_and_what_it_was_adapted_to(adapted):
    assert adapted[0].trained_on.startswith("Trained on nothing. Then adapted: Trained on 7 normal and 7 reduced")


def test_a_second_call_trains_nothing(start_model, adapted, monkeypatch):
    model, output, plan, manifest = adapted
    monkeypatch.setattr("DaTscanAILib.training.train.train_on", None)
    assert train(manifest, output, plan, "cpu", start=start_model).weights == model.weights


def test_features_are_free_again_after_the_first_stage():
    network = build_network("wenzel2019")
    with frozen_features(network):
        trainable = {name for name, one in network.named_parameters() if one.requires_grad}
        assert trainable == {"28.weight", "28.bias", "30.weight", "30.bias"}
    assert all(one.requires_grad for one in network.parameters())


def test_an_unknown_model_and_both_options_at_once_are_refused(tmp_path, capsys):
    arguments = ["train", str(tmp_path / "manifest.csv"), "--output", str(tmp_path / "out")]
    assert cli.main([*arguments, "--from", "no-such-model"]) == cli.UNUSABLE
    assert "no-such-model" in capsys.readouterr().err
    assert cli.main([*arguments, "--from", "a", "--architecture", "compact"]) == cli.UNUSABLE
    assert cli.main(arguments) == cli.UNUSABLE
    assert "--from" in capsys.readouterr().err
