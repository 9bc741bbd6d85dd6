"""A second model that reads the same scan: both answers are shown, and where they differ there is none."""

from dataclasses import replace

from .answer import Classification
from .doubt import Doubt
from .model_folder import Model


def forced_answer(classification: Classification, model: Model) -> str:
    """`normal` or `reduced`, what the model would say without its doubt."""
    return "reduced" if classification.probability_reduced >= model.rule.threshold else "normal"


def with_second_reader(
    first: Classification, first_model: Model, second: Classification, second_model: Model
) -> Classification:
    """The first answer, uncertain with a sentence where the second reader's is another."""
    answers = forced_answer(first, first_model), forced_answer(second, second_model)
    if answers[0] == answers[1]:
        return first
    sentence = f"The readers disagree: {first_model.name} answers {answers[0]}, {second_model.name} {answers[1]}."
    return replace(first, label="uncertain", doubt=(*first.doubt, Doubt("second_reader", sentence)))


def describe_second_reader(
    first: Classification, first_model: Model, second: Classification, second_model: Model
) -> dict:
    """`classification.second_reader` of `result.json`."""
    answer = forced_answer(second, second_model)
    return {
        "label": second.label,
        "answer": answer,
        "agrees": answer == forced_answer(first, first_model),
        "probability_reduced": second.probability_reduced,
        "votes_for_reduced": second.votes,
        "members": second.members,
        "model": second_model.name,
        "model_version": second_model.version,
        "trained_on": second_model.trained_on,
    }
