"""What each part of an answer is worth: counts by hand on a few made-up answers."""

import json

import pytest

from DaTscanAILib.classification.grades import REGIONS
from DaTscanAILib.evaluation.answer_parts import Answered, describe_parts, labelled_answers, second_reader_agreement
from DaTscanAILib.evaluation.results import read_results
from DaTscanAILib.reading.inputs import Case


def answered(label, probability, sources=(), grade="normal", loss=0.0, subtype="normal", atypical=(), balanced=5):
    """A scan whose left caudate has a loss and a grade; all other regions are normal."""
    losses = {f"loss_{region}": "0" for region in REGIONS} | {"loss_caudate_left": str(loss)}
    grades = {region: {"grade": "normal"} for region in REGIONS} | {"caudate_left": {"grade": grade}}
    answer = "uncertain" if sources else "reduced" if probability >= 0.5 else "normal"
    result = {
        "quantification": {"grades": grades},
        "classification": {
            "label": answer,
            "probability_reduced": probability,
            "doubt_sources": list(sources),
            "atypical": list(atypical),
            "votes_for_reduced": {"balanced": balanced},
            "members": 5,
        },
    }
    return Answered(Case("one", None, label=label, other={"subtype": subtype, **losses}), result)


ANSWERS = [
    answered("normal", 0.1, balanced=0),
    answered("normal", 0.3, ("band",), balanced=0),
    answered("normal", 0.9, ("band", "sbr")),
    answered("reduced", 0.2, ("regions",), "strong", 0.7, "one_caudate", ("caudate",), balanced=1),
    answered("reduced", 0.1, (), "moderate", 0.9, "one_caudate", balanced=2),
    answered("reduced", 0.9, (), "borderline", 0.5, "one_caudate", ("caudate",)),
]


def test_doubt_is_counted_by_source():
    doubt = describe_parts(ANSWERS)["doubt"]
    assert (doubt["errors"], doubt["right"]) == (3, 3)
    assert doubt["sources"]["band"] == {
        "errors_caught": 1,
        "errors_caught_by_it_alone": 0,
        "right_doubted": 1,
        "right_doubted_by_it_alone": 1,
    }
    assert doubt["sources"]["regions"]["errors_caught_by_it_alone"] == 1
    assert doubt["sources"]["votes"]["errors_caught"] == 0


def test_grades_are_compared_with_the_true_losses():
    """Of the left caudates four are exact, moderate for 0.9 is two grades off, borderline for 0.5 one."""
    grades = describe_parts(ANSWERS)["grades"]
    assert grades["caudate_left"]["exact"]["value"] == pytest.approx(4 / 6)
    assert grades["caudate_left"]["within_one"]["value"] == pytest.approx(5 / 6)
    assert grades["putamen_posterior_right"]["exact"]["value"] == 1
    assert grades["all"]["exact"]["value"] == pytest.approx(34 / 36)


def test_confident_normals_patterns_and_members():
    parts = describe_parts(ANSWERS)
    assert (parts["strong_loss_called_normal"]["value"], parts["strong_loss_called_normal"]["n"]) == (0.5, 2)
    assert parts["atypical_by_subtype"]["one_caudate"]["value"] == pytest.approx(2 / 3)
    assert parts["atypical_by_subtype"]["normal"]["value"] == 0
    assert parts["members_disagree"]["value"] == pytest.approx(2 / 6)
    assert describe_parts([])["strong_loss_called_normal"] is None


def test_answers_are_read_from_the_folder_of_a_run(tmp_path):
    for name, result in (("a", ANSWERS[0].result), ("b", {"classification": {"label": None}})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(json.dumps(result))
    cases = [Case(name, None, label="normal") for name in ("a", "b", "c")]
    assert [one.case.name for one in labelled_answers(read_results(cases, tmp_path))] == ["a"]


def test_the_second_readers_agreement_leaves_borderline_scans_out():
    """Of three agreeing scans one is wrong; the borderline one, which disagrees, does not count."""
    pairs = [("normal", 0.1, True), ("reduced", 0.9, True), ("reduced", 0.2, True), ("normal", 0.9, False)]
    read = [answered(label, probability) for label, probability, _ in pairs]
    read.append(answered("normal", 0.4, subtype="borderline"))
    for one, agrees in zip(read, [*(agrees for _, _, agrees in pairs), False], strict=True):
        one.result["classification"]["second_reader"] = {"agrees": agrees}
    found = second_reader_agreement(read)
    assert found["agree"]["value"] == pytest.approx(3 / 4)
    assert found["right_where_both_agree"]["value"] == pytest.approx(2 / 3)
    assert second_reader_agreement(ANSWERS) is None
