"""A model folder with seeded random weights: what it answers means nothing, but it answers always the same."""

import torch

from DaTscanAILib.classification.answer_rule import AnswerRule
from DaTscanAILib.classification.model_folder import write_model
from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.classification.preprocessing import Preprocessing

TRAINED_ON = "Nothing at all: random weights for tests."


def write_tiny_model(folder, seed=0, members=2):
    """Two small networks of a slab; takes a fraction of a second a scan, relevance included."""
    torch.manual_seed(seed)
    networks = [build_network("wenzel2019") for _ in range(members)]
    return write_model(
        folder, "wenzel2019", networks, Preprocessing(box="slab"), AnswerRule(slope=2.0), TRAINED_ON, card="# A model"
    )
