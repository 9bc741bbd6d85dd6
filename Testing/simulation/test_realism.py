"""Published ensembles as judges of simulated scans: their architecture, their votes, the table."""

import csv
import json
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.classification.dat_spect_ud import (
    ENSEMBLES,
    MEMBERS,
    VOTES_NEEDED,
    Ensemble,
    _score,
    load_ensemble,
    network_input,
    slab,
)
from DaTscanAILib.cli.main import main
from DaTscanAILib.mni.atlas import GRID_AFFINE, GRID_SHAPE
from DaTscanAILib.registration.affine import Registration
from DaTscanAILib.simulation import realism
from DaTscanAILib.simulation.simulator import simulate_scan

torch = pytest.importorskip("torch")

SHARED = Path(__file__).resolve().parents[3] / "shared" / "peers" / "dat_spect_ud"
HEIGHT_INDEX = {height: index for index, height in enumerate(realism.HEIGHTS)}


@pytest.fixture(scope="session")
def published():
    """Folder of the published weights: DATSCANAI_PEERS, or beside the checkout on the project's machines."""
    folder = Path(os.environ.get("DATSCANAI_PEERS", SHARED))
    if not folder.is_dir():
        pytest.skip("the published weights are not on this machine: name their folder in DATSCANAI_PEERS")
    return folder


class PublishedNetwork(torch.nn.Module):
    """The architecture as the papers' code builds it, of layers; `flat` is the later form, with one logit."""

    def __init__(self, flat):
        super().__init__()
        self.body = torch.nn.ModuleList()
        before = 1
        for stage, (channels, blocks) in enumerate(((16, 1), (32, 1), (64, 2))):
            edge = 1 if stage == 0 else 3
            part = torch.nn.Module()
            part.first_conv = torch.nn.Conv2d(before, channels, edge, stride=edge, bias=False)
            part.blocks = torch.nn.ModuleList(self.block(channels) for _ in range(blocks))
            part.skip_inits = torch.nn.ParameterList(torch.nn.Parameter(torch.ones(())) for _ in range(blocks))
            self.body.append(part)
            before = channels
        self.logits = torch.nn.Conv2d(64, 1, 1) if flat else torch.nn.Linear(64, 2)
        self.flat = flat

    @staticmethod
    def block(channels):
        layers = []
        for _ in range(2):
            layers.append(torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False))
            layers += [torch.nn.BatchNorm2d(channels), torch.nn.LeakyReLU(0.01)]
        return torch.nn.Sequential(*layers)

    def forward(self, x):
        for part in self.body:
            x = part.first_conv(x)
            for block, scale in zip(part.blocks, part.skip_inits, strict=True):
                x = x + scale * block(x)
        if self.flat:
            return self.logits(x).flatten(1).max(dim=1).values
        logits = self.logits(torch.nn.functional.adaptive_max_pool2d(x, 1).flatten(1))
        return logits[:, 1] - logits[:, 0]


def random_network(seed, flat):
    """Random weights, statistics of the batch normalization included."""
    torch.manual_seed(seed)
    network = PublishedNetwork(flat).eval()
    for name, value in network.state_dict().items():
        if name.endswith(("running_var", "skip_inits.0", "skip_inits.1")):
            value.copy_(torch.rand(value.shape) + 0.5)
        elif name.endswith(("running_mean", "bias")):
            value.copy_(0.2 * torch.randn(value.shape))
    return network


def published_form(network):
    """Its weights as the published files hold them: one-voxel-deep kernels before the form with one logit."""
    weights = network.state_dict()
    if network.flat:
        return weights
    return {name: value[:, :, None] if value.ndim == 4 else value for name, value in weights.items()}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder of random weights, `robust` in the later form as published."""
    folder = tmp_path_factory.mktemp("weights")
    for number, name in enumerate(ENSEMBLES):
        for index in range(MEMBERS):
            network = random_network(10 * number + index, flat=name == "robust")
            torch.save(published_form(network), folder / f"network_weights_{name}_{index}")
    return folder


# ---- the networks


@pytest.mark.parametrize("name", ["acc", "robust"])
def test_the_score_is_that_of_the_network(weights, name):
    images = torch.randn(3, 1, 72, 72, generator=torch.Generator().manual_seed(1))
    ensemble = load_ensemble(weights, name)
    for index, member in enumerate(ensemble.members):
        network = random_network(10 * ENSEMBLES.index(name) + index, flat=name == "robust")
        with torch.inference_mode():
            np.testing.assert_allclose(_score(member, images), network(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ENSEMBLES)
def test_the_published_weights_fit_the_architecture(published, name):
    (member, *_) = load_ensemble(published, name).members
    network = PublishedNetwork(flat=name == "robust").eval()
    network.load_state_dict(member)
    images = torch.randn(2, 1, 72, 72, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        np.testing.assert_allclose(_score(member, images), network(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ENSEMBLES)
def test_an_ensemble_needs_its_votes(name):
    """Members that always answer: with k of five for reduced, the ensemble says so from its number on."""
    flat = published_form(random_network(0, flat=True))
    always = {
        sign: {**flat, "logits.weight": 0 * flat["logits.weight"], "logits.bias": torch.tensor([sign])}
        for sign in (-1.0, 1.0)
    }
    image = np.zeros((2, 72, 72), np.float32)
    for votes in range(MEMBERS + 1):
        ensemble = Ensemble(name, tuple(always[1.0 if index < votes else -1.0] for index in range(MEMBERS)))
        assert ensemble.votes(image).tolist() == [votes, votes]
        assert ensemble.reduced(image).tolist() == [votes >= {"acc": 3, "robust": 3, "sens": 2, "spec": 4}[name]] * 2


def test_missing_and_other_weights_are_refused(weights, tmp_path):
    with pytest.raises(DaTscanError, match=r"^network_weights_acc_0 is missing: give the folder `network_weights`"):
        load_ensemble(tmp_path, "acc")
    for index in range(MEMBERS):
        (tmp_path / f"network_weights_acc_{index}").write_bytes(
            (weights / f"network_weights_acc_{index}").read_bytes()
        )
    torch.save({"weight": torch.zeros(3)}, tmp_path / "network_weights_acc_3")
    with pytest.raises(DaTscanError, match=r"^network_weights_acc_3 holds other weights"):
        load_ensemble(tmp_path, "acc")
    (tmp_path / "network_weights_acc_3").write_bytes(b"no tensor")
    with pytest.raises(DaTscanError, match=r"^network_weights_acc_3 holds other weights"):
        load_ensemble(tmp_path, "acc")


# ---- their input


def test_a_slab_is_12_mm_thick():
    z = GRID_AFFINE[2, 3] + 2.0 * np.arange(GRID_SHAPE[2])
    volume = np.broadcast_to(z.astype(np.float32), GRID_SHAPE)
    for height in (0.0, 3.0, 4.0):
        np.testing.assert_allclose(slab(volume, height), height, atol=1e-4)
    shares = np.array([1, 2, 2, 2, 2, 2, 1]) / 12  # of the slices at -2 ... 10 mm
    squares = shares @ np.array([-2, 0, 2, 4, 6, 8, 10]) ** 2
    np.testing.assert_allclose(slab(volume**2, 4.0), squares, rtol=1e-5)


def test_the_input_is_clipped_standardized_and_cropped():
    image = np.zeros((91, 109), np.float32)
    image[9, 29], image[80, 100], image[8, 29] = 6.5, 100.0, 50.0
    result = network_input(image)
    assert result.shape == (72, 72)
    assert result.dtype == np.float32
    assert result[0, 0] == result[71, 71] == pytest.approx((6.5 - 0.60486) / 0.60517, rel=1e-4)
    assert result[1, 1] == pytest.approx(-0.60486 / 0.60517, rel=1e-4)
    assert (result > 0).sum() == 2


# ---- the table


def test_the_summary_counts_what_is_read_as_labelled():
    facts = [
        {"seed": seed, "label": label, "subtype": subtype, "family": "papers", "anatomy": "icbm152"}
        for seed, (label, subtype) in enumerate(
            [("normal", "normal"), ("normal", "normal"), ("reduced", "burst"), ("reduced", "one_putamen")]
        )
    ]
    truth = np.array([0, 0, 5, 5])
    votes = {name: np.repeat(truth[:, None], len(realism.HEIGHTS), axis=1) for name in ENSEMBLES}
    votes["acc"][:, 0] = [3, 2, 3, 2]  # first and last are wrong
    votes["sens"][:] = [[2], [1], [2], [2]]  # the first is wrong
    votes["spec"][:] = [[3], [3], [4], [3]]  # the last is wrong
    summary = realism.summarize(facts, votes)
    table = {(row["ensemble"], row["height_mm"]): row for row in summary["table"]}
    assert (table["acc", 0.0]["right"], table["acc", 0.0]["share"], table["acc", 2.0]["right"]) == (2, 0.5, 4)
    assert table["acc", 2.0]["low"] == pytest.approx(0.025 ** (1 / 4))  # Clopper-Pearson, 4 of 4
    assert summary["best"]["acc"]["height_mm"] == 2.0
    assert [fact["seed"] for fact in summary["wrong"]["sens"]] == [0]
    assert [fact["seed"] for fact in summary["wrong"]["spec"]] == [3]
    assert summary["wrong_by_subtype"]["spec"] == {"burst": [0, 1], "normal": [0, 2], "one_putamen": [1, 1]}
    assert summary["uncertain_at_best_acc_height"]["right"] == 2
    assert summary["wrong_by_family_and_label"]["spec"] == {"papers": {"normal": [0, 2], "reduced": [1, 2]}}
    assert [summary["by_label"]["sens"][label]["right"] for label in ("normal", "reduced")] == [1, 2]
    assert summary["goal_reached"]
    votes["acc"][0] = 5
    assert not realism.summarize(facts, votes)["goal_reached"]


@pytest.fixture
def simulated_once(monkeypatch):
    monkeypatch.setattr(realism, "simulate_scan", _simulated)


@lru_cache(maxsize=4)
def _simulated(seed, settings):
    return simulate_scan(seed, settings)


def test_the_command_writes_its_tables(weights, tmp_path, simulated_once, capsys):
    arguments = ["realism", "--weights", str(weights), "--count", "2", "--seed", "40", "--output", str(tmp_path)]
    status = main([*arguments, "--true-affine"])
    summary = json.loads((tmp_path / "realism.json").read_text())
    assert status == 0
    with (tmp_path / "realism_scans.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["seed"], row["label"]) for row in rows] == [("40", "normal"), ("41", "reduced")]
    for name in ENSEMBLES:
        for height in realism.HEIGHTS:
            answers = [int(row[f"{name}_z{height:+.0f}"]) >= VOTES_NEEDED[name] for row in rows]
            (entry,) = [row for row in summary["table"] if (row["ensemble"], row["height_mm"]) == (name, height)]
            assert entry["right"] == (not answers[0]) + answers[1]
    with (tmp_path / "realism_by_family.csv").open(newline="") as stream:
        parts = list(csv.DictReader(stream))
    for name, best in summary["best"].items():
        of_ensemble = [row for row in parts if row["ensemble"] == name]
        assert sum(int(row["right"]) for row in of_ensemble) == best["right"]
        assert {row["label"] for row in of_ensemble} == {"normal", "reduced"}
    assert len((tmp_path / "realism.csv").read_text().splitlines()) == 1 + len(ENSEMBLES) * len(realism.HEIGHTS)
    told = capsys.readouterr()
    assert "2 simulated scans, true affine" in told.out
    assert told.err.splitlines()[0] == "[1/2] normal"


def test_refused_registrations_are_counted_apart(weights, tmp_path, simulated_once, monkeypatch):
    def register(scan):
        truth = _simulated(
            int(scan.path.name[3:]), realism.settings_of(int(scan.path.name[3:]))
        ).pose.scanner_from_mni
        return Registration(truth, 1.0, scan.path.name == "sim000041", {})

    monkeypatch.setattr(realism, "register", register)
    summary = realism.realism(weights, tmp_path, 2, 40)
    assert [facts["seed"] for facts in summary["not_accepted"]] == [40]
    assert {row["count"] for row in summary["table"]} == {1}
    monkeypatch.setattr(realism, "register", lambda scan: Registration(np.eye(4), 0.0, False, {}))
    with pytest.raises(DaTscanError, match="No registration of a simulated scan was accepted"):
        realism.realism(weights, tmp_path, 1, 40)


def test_networks_trained_on_patients_read_simulated_scans(published):
    """Six scans of those that the command takes, true affine; one mild loss of one putamen may be read as normal."""
    ensemble = load_ensemble(published, realism.JUDGE)
    specimens = [realism.make_specimen(seed, true_affine=True) for seed in range(700_000, 700_006)]
    inputs = np.concatenate([specimen.inputs[[HEIGHT_INDEX[2.0]]] for specimen in specimens])
    reduced = np.array([specimen.facts["label"] == "reduced" for specimen in specimens])
    answers = ensemble.reduced(inputs)
    assert not answers[~reduced].any()
    assert answers[reduced].sum() >= reduced.sum() - 1
