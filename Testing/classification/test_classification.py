"""How the logits of an ensemble become an answer: probability, votes, doubt."""

import math

import numpy as np
import pytest
import torch

from DaTscanAILib.classification.answer import Classifier
from DaTscanAILib.classification.answer_rule import AnswerRule, votes_needed
from DaTscanAILib.classification.model_folder import write_model
from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.classification.preprocessing import Preprocessing
from DaTscanAILib.mni.atlas import GRID_SHAPE

HEADS = {"balanced": (0, 1), "sensitive": (2, 3), "specific": (4, 5)}
SCAN = np.ones(GRID_SHAPE, np.float32)


@pytest.fixture
def answer_of(tmp_path):
    """The answer of networks that give the same logits for every scan: one list of differences by head a member."""

    def classify(members, **rule):
        networks = []
        for differences in members:
            network = build_network("compact")
            with torch.no_grad():
                network[-1].weight.zero_()
                network[-1].bias.copy_(torch.tensor([value for d in differences for value in (0.0, d)]))
            networks.append(network)
        model = write_model(
            tmp_path / "model",
            "compact",
            networks,
            Preprocessing(),
            AnswerRule(heads=HEADS, **rule),
            "Trained on nothing.",
        )
        return Classifier(model, "cpu").classify(SCAN)

    return classify


def test_the_probability_is_of_the_mean_difference(answer_of):
    answer = answer_of([(3.0, 1, 1), (1.0, 1, 1)], slope=0.5, intercept=-0.2, specific_votes=2)
    assert answer.logit_difference == pytest.approx(2.0)
    assert answer.probability_reduced == pytest.approx(1 / (1 + math.exp(-0.8)))
    assert answer.votes == {"balanced": 2, "sensitive": 2, "specific": 2}
    assert answer.label == "reduced"


@pytest.mark.parametrize(
    ("sensitive", "specific", "label"),
    [(1, 0, "reduced"), (2, 3, "uncertain"), (2, 4, "reduced"), (1, 4, "uncertain")],
)
def test_votes_that_disagree_are_doubt(answer_of, sensitive, specific, label):
    """Two of five members say "reduced" for the sensitive vote, four for the specific one (Budenkotte 2024)."""
    members = [(4.0, 1 if k < sensitive else -1, 1 if k < specific else -1) for k in range(5)]
    assert answer_of(members).label == label


@pytest.mark.parametrize("members", [1, 2, 3, 5, 7])
def test_a_clear_scan_is_certain_whatever_the_number_of_members(answer_of, members):
    """With votes fixed at two and four, three members called every clearly reduced scan uncertain."""
    sensitive, specific = votes_needed(members)
    given = {"sensitive_votes": sensitive, "specific_votes": specific}
    assert answer_of([(4.0, 3.0, 3.0)] * members, **given).label == "reduced"
    assert answer_of([(-4.0, -3.0, -3.0)] * members, **given).label == "normal"
    # Heads that all disagree are doubt for every number, one member included.
    assert answer_of([(4.0, 3.0, -3.0)] * members, **given).label == "uncertain"


def test_five_members_vote_as_published():
    assert votes_needed(5) == (2, 4)


@pytest.mark.parametrize(
    ("difference", "label"), [(-3.0, "normal"), (-1.0, "uncertain"), (1.0, "uncertain"), (3.0, "reduced")]
)
def test_probabilities_in_the_band_of_doubt_are_uncertain(answer_of, difference, label):
    """A difference of 2.197 is a probability of 0.9."""
    assert (
        answer_of([(difference, difference, difference)], doubt=(0.1, 0.9), sensitive_votes=1, specific_votes=1).label
        == label
    )
