"""Outside weights as model folders and as a second reader: weights made here, and the published ones if there."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from peers_factory import published_state, write_published_weights

from DaTscanAILib.analysis import Analyzer
from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.classification import dat_spect_ud
from DaTscanAILib.classification.answer import Classification, Classifier
from DaTscanAILib.classification.import_model import HEIGHT, import_model
from DaTscanAILib.classification.model_folder import find_model, write_model
from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.classification.second_reader import with_second_reader
from DaTscanAILib.cli import main as cli
from DaTscanAILib.explanation.gradient_times_input import GradientTimesInput
from DaTscanAILib.explanation.methods import LRP
from DaTscanAILib.explanation.reference import shipped_reference
from DaTscanAILib.mni.atlas import GRID_SHAPE, load_atlas
from DaTscanAILib.quantification.sbr import Quantification
from DaTscanAILib.reading.scan import read_scan

SHARED = Path(__file__).resolve().parents[3] / "shared" / "peers" / "dat_spect_ud"
SBR = {f"{nucleus}_{side}": 2.0 for nucleus in ("putamen", "caudate") for side in ("left", "right")}


def measured(mirrored):
    return Quantification(SBR, SBR, {"putamen": 3.0, "caudate": 0.0}, {}, mirrored, 1.0)


@pytest.fixture(scope="module")
def scan():
    return np.random.default_rng(0).gamma(2.0, 1.0, GRID_SHAPE).astype(np.float32)


@pytest.fixture(scope="module", params=["acc", "robust"])
def imported(request, tmp_path_factory):
    """(folder of the weights, ensemble, classifier of the imported model); `robust` has one logit at each place."""
    weights = tmp_path_factory.mktemp("weights")
    write_published_weights(weights, request.param, at_places=request.param == "robust")
    import_model("dat_spect_ud", weights, weights / "model", request.param)
    return weights, request.param, Classifier(find_model(weights / "model"), "cpu")


def test_the_slab_lies_where_normal_scans_have_most_striatal_signal():
    """ "Through the centre of the striatum" (Budenkotte 2024), of which no height in MNI space is published."""
    normal, striatum = shipped_reference("normal").voxels, np.isin(load_atlas().regions, (1, 2, 3, 4))
    heights = np.arange(-12.0, 17.0, 2.0)
    signal = [np.sum((normal - 1) * striatum * dat_spect_ud.slab_weights(height)) for height in heights]
    assert heights[np.argmax(signal)] == HEIGHT


def test_the_imported_networks_compute_what_the_published_ones_do(imported, scan):
    """Against the functional form of `dat_spect_ud.py`, which was checked against the papers' own code."""
    weights, name, classifier = imported
    ensemble = dat_spect_ud.load_ensemble(weights, name)
    given = dat_spect_ud.network_input(dat_spect_ud.slab(scan, HEIGHT))
    np.testing.assert_allclose(classifier.model.network_input(scan, load_atlas()), given, rtol=1e-6, atol=1e-6)
    image = torch.from_numpy(given)[None, None]
    for network, member in zip(classifier.networks, ensemble.members, strict=True):
        logits = network(image)[0].detach()
        assert float(logits[1] - logits[0]) == pytest.approx(float(dat_spect_ud._score(member, image)[0]), abs=1e-5)


@pytest.mark.parametrize("votes", [1, 2, 3, 4, 5])
def test_so_many_votes_decide(imported, scan, votes):
    weights, name, classifier = imported
    of_members = dat_spect_ud.load_ensemble(weights, name).votes(
        dat_spect_ud.network_input(dat_spect_ud.slab(scan, HEIGHT))[None]
    )[0]
    before = classifier.model
    classifier.model = replace(before, rule=replace(before.rule, votes=votes))
    answer = classifier.classify(scan, with_relevance=False)
    classifier.model = before
    assert answer.votes["balanced"] == of_members
    assert answer.label == ("reduced" if of_members >= votes else "normal")
    assert before.rule.votes == dat_spect_ud.VOTES_NEEDED[name]


def test_they_see_the_patients_own_sides(imported, scan):
    """The chain hands over scans with the lower putamen left; these networks were trained on scans as they are."""
    classifier = imported[2]
    as_it_is = classifier.classify(scan, measured(False))
    turned = classifier.classify(np.ascontiguousarray(scan[::-1]), measured(True))
    assert turned.logit_difference == as_it_is.logit_difference
    np.testing.assert_array_equal(turned.relevance[::-1], as_it_is.relevance)
    assert as_it_is.mirrored_weight == 0


def test_the_map_lies_in_the_slab_and_sums_to_the_answer_without_biases(tmp_path, scan):
    """Gradient times input of a network without biases: Euler's theorem for homogeneous functions."""
    write_published_weights(tmp_path, "acc", biased=False)
    classifier = Classifier(import_model("dat_spect_ud", tmp_path, tmp_path / "model"), "cpu")
    answer = classifier.classify(scan, map_method=LRP)
    inside = dat_spect_ud.slab_weights(HEIGHT) > 0
    assert not answer.relevance[:, :, ~inside].any()
    image = torch.from_numpy(classifier.model.network_input(scan, load_atlas()))[None, None]
    differences = [float(logits[1] - logits[0]) for logits in (network(image)[0] for network in classifier.networks)]
    assert float(answer.relevance.sum()) == pytest.approx(np.mean(differences), abs=1e-4)


def test_gradient_times_input_of_a_known_network():
    """x -> |leaky(x)| by hand: 2 leaky(x) with slope 0.01 below 0."""
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LeakyReLU(0.01), torch.nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        network[-1].weight.copy_(torch.tensor([[2.0, 3.0]]))
    logits, relevance = GradientTimesInput(network, [1.0]).propagate(torch.tensor([[[[4.0, -5.0]]]]))
    assert logits.tolist() == pytest.approx([7.85])
    assert relevance.tolist()[0] == pytest.approx([8.0, -0.15])


def test_the_card_says_where_the_weights_are_from(imported):
    weights, name, classifier = imported
    card = (weights / "model" / "docs" / "README.md").read_text()
    assert f"ensemble `{name}`" in card
    assert "not calibrated" in card
    assert "patients of Hamburg" in classifier.model.trained_on
    assert classifier.model.reference.name == "uniform uptake of 0.60"
    np.testing.assert_allclose(classifier.model.reference.voxels, 0.60)


def test_what_cannot_be_imported_is_refused(tmp_path, capsys):
    with pytest.raises(DaTscanError, match="nothing to import as 'other'"):
        import_model("other", tmp_path, tmp_path / "model")
    with pytest.raises(DaTscanError, match="nothing to import as 'best'"):
        import_model("dat_spect_ud", tmp_path, tmp_path / "model", "best")
    arguments = ["import-model", "dat_spect_ud", str(tmp_path), "--output", str(tmp_path / "out")]
    assert cli.main(arguments) == cli.UNUSABLE
    assert "network_weights_acc_0 is missing" in capsys.readouterr().err
    state = published_state(0)
    del state["logits.bias"]
    for member in range(5):
        torch.save(state, tmp_path / f"network_weights_acc_{member}")
    assert cli.main(arguments) == cli.UNUSABLE
    assert "other weights than it should" in capsys.readouterr().err


def answered(probability, label, doubt=()):
    return Classification(label, probability, 0.0, {}, 5, None, "cpu", doubt=doubt)


@pytest.mark.parametrize(
    ("first", "second", "label"),
    [
        (answered(0.99, "reduced"), answered(0.6, "reduced"), "reduced"),
        (answered(0.01, "normal"), answered(0.4, "uncertain"), "normal"),
        (answered(0.01, "normal"), answered(0.6, "uncertain"), "uncertain"),
        (answered(0.99, "reduced"), answered(0.1, "normal"), "uncertain"),
    ],
)
def test_readers_that_disagree_give_no_answer(first, second, label):
    model = find_model()
    other = replace(model, name="other")
    found = with_second_reader(first, model, second, other)
    assert found.label == label
    sources = [doubt.source for doubt in found.doubt]
    assert sources == (["second_reader"] if label == "uncertain" else [])
    if sources:
        assert "other answers" not in found.doubt[0].sentence
        assert found.doubt[0].sentence.startswith("The readers disagree: compact-ensemble answers")


def test_both_readers_are_in_the_result(tmp_path):
    """A second reader that calls everything reduced, and one that calls everything normal."""
    write_published_weights(tmp_path, "acc")
    start = import_model("dat_spect_ud", tmp_path, tmp_path / "start")
    results = {}
    for answer, bias in (("reduced", 99.0), ("normal", -99.0)):
        network = build_network(start.architecture)
        with torch.no_grad():
            network[-1].weight.zero_()
            network[-1].bias.copy_(torch.tensor([0.0, bias]))
        rule, folder = replace(start.rule, votes=None), tmp_path / answer
        write_model(folder, start.architecture, [network], start.preprocessing, rule, "Nothing.")
        analyzer = Analyzer(device="cpu", second_reader=str(folder))
        results[answer] = analyzer.analyze(read_scan(resource_path("Samples", "reduced.dcm")), "one").result
    agreed, disputed = (results[answer]["classification"] for answer in ("reduced", "normal"))
    assert (agreed["label"], agreed["second_reader"]["agrees"]) == ("reduced", True)
    assert (disputed["label"], disputed["second_reader"]["answer"]) == ("uncertain", "normal")
    assert disputed["doubt_sources"][-1] == "second_reader"
    assert disputed["second_reader"]["trained_on"] == "Nothing."
    assert agreed["probability_reduced"] == disputed["probability_reduced"]


@pytest.mark.parametrize("ensemble", ["acc", "robust"])
def test_the_published_weights_read_the_bundled_samples_right(ensemble, tmp_path):
    folder = Path(os.environ.get("DATSCANAI_PEERS", SHARED))
    if not folder.is_dir():
        pytest.skip("the published weights are not on this machine: name their folder in DATSCANAI_PEERS")
    arguments = ["import-model", "dat_spect_ud", str(folder), "--output", str(tmp_path / "m"), "--ensemble", ensemble]
    assert cli.main(arguments) == 0
    analyzer = Analyzer(str(tmp_path / "m"), "cpu")
    for sample in resource_path("Samples").iterdir():
        if sample.stem.startswith(("normal", "reduced")) and sample.suffix != ".json":
            result = analyzer.analyze(read_scan(sample), "one").result
            assert result["classification"]["label"] == sample.stem.split(".")[0].split("_")[0]
            assert np.isfinite(result["explanation"]["ipsilateral_putamen_relevance"])
