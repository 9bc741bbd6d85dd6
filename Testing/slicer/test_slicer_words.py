"""What the panel says: a physician's words first, every sentence with its translation mark."""

import ast
import copy
import re

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from fake_ui import MODULE_FOLDER
from picture_factory import result_with
from slicer_environment import prepare

from DaTscanAILib.slicer_adapters.state import STAGES, Freshness, ScanState, StageState

CURRENT = ScanState(dict.fromkeys(STAGES, StageState(Freshness.CURRENT)))


@pytest.fixture(autouse=True, scope="module")
def slicer():
    return prepare()


def result(**explanation):
    """Reduced, lower putamen right."""
    changed = copy.deepcopy(result_with(error=None))
    changed["quantification"]["lower_putamen"] = "right"
    changed["explanation"] = {**changed["explanation"], "what_if": None, **explanation}
    return changed


def sentences(result):
    from DaTscanAILib.slicer_adapters.words import answer_sentences

    return answer_sentences(result)


def test_the_argument_is_said_with_its_side():
    assert sentences(result()) == ["Probability of reduced uptake: 97 %", "The right putamen argues for reduced."]


def test_an_argument_against_the_answer_asks_for_a_second_look():
    """By the relevance and the model's cut, whatever replacing regions says of the map."""
    against = "The right putamen argues for normal, against the answer: this scan needs a second look."
    assert sentences(result(relevance_cut=0.0022))[1] == against
    assert sentences(result(relevance_cut=0.0022, consistent=False))[1] == against
    assert sentences(result(relevance_cut=0.0021, consistent=False))[1] == "The right putamen argues for reduced."


def test_a_relevance_near_the_cut_is_said_to_argue_for_neither():
    """0.00213, the cut below or above it: within the band the side does not count."""
    neither = "The right putamen hardly argues for either answer: its relevance is near this model's cut."
    for cut in (0.002, 0.0022):
        assert sentences(result(relevance_cut=cut, relevance_band=[0.0019, 0.0024]))[1] == neither
    beyond = result(relevance_cut=0.0022, relevance_band=[0.00214, 0.0024])
    assert sentences(beyond)[1].startswith("The right putamen argues for normal, against the answer")


@pytest.mark.parametrize(
    ("probability", "sentence"),
    [
        (0.04, "Healing the right putamen would make the answer normal."),
        (0.81, "Healing the right putamen alone would leave a probability of 81 %."),
    ],
)
def test_what_healing_would_change_is_said_where_the_result_has_it(probability, sentence):
    what_if = [
        {"region": "caudate", "side": "left", "probability_reduced": 0.96, "change": -0.01},
        {"region": "putamen", "side": "right", "probability_reduced": probability, "change": probability - 0.97},
    ]
    assert sentences(result(what_if=what_if))[2] == sentence


def test_reasons_of_doubt_and_atypical_patterns_are_said_where_the_result_has_them():
    changed = result()
    changed["classification"].update(
        label="uncertain", doubt=["The votes disagree."], atypical=["The caudate is worse."]
    )
    said = sentences(changed)
    assert "The votes disagree." in said
    assert said[-1] == "The caudate is worse."


def test_the_numbers_stand_under_details_alone():
    """Point 12: votes, shares, cuts and versions are a developer's."""
    from DaTscanAILib.slicer_adapters.words import details

    changed = result(ipsilateral_putamen_share=0.11, relevance_cut=0.00114)
    changed["classification"].update(model_version="0.1.0", trained_on="simulated scans", device="cpu")
    said, behind = " ".join(sentences(changed)), "\n".join(details(changed))
    for number in ("0.0021", "11.0%", "0.0011", "0.1.0", "votes", "quality"):
        assert number not in said.lower()
    cut = "+0.0021 (this model's cut is +0.0011), +11.0% of the whole map"
    for number in (cut, "0.1.0", "Votes for reduced of 5 networks", "quality 0.93"):
        assert number in behind


def graded(**probabilities):
    """Right posterior putamen of these grades, the left one normal."""
    names = ("normal", "borderline", "moderate", "strong", "almost missing")
    lost = {name: probabilities.get(name.replace(" ", "_"), 0.0) for name in names}
    kept = {**dict.fromkeys(names, 0.0), "normal": 1.0}
    return {
        f"putamen_posterior_{side}": {"grade": max(shares, key=shares.get), "probabilities": shares}
        for side, shares in (("right", lost), ("left", kept))
    }


def test_the_greatest_loss_is_said_where_the_model_grades_regions():
    changed = result()
    changed["quantification"]["grades"] = graded(strong=0.48, almost_missing=0.41, moderate=0.11)
    assert "Greatest loss: the right posterior putamen, strong 48/almost missing 41 %." in sentences(changed)
    changed["quantification"]["grades"] = graded(normal=0.9, borderline=0.1)
    assert not any("Greatest loss" in sentence for sentence in sentences(changed))


def test_the_table_of_grades_names_a_close_neighbour(slicer):
    from DaTscanAILib.slicer_adapters.tables import write_grades_table

    changed = result()
    changed["quantification"]["grades"] = graded(strong=0.8, moderate=0.2)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    write_grades_table(node, changed)
    cells = [node.GetCellText(0, column) for column in range(node.GetNumberOfColumns())]
    assert (node.GetNumberOfRows(), cells) == (1, ["Putamen, back", "strong 80", "normal 100"])
    changed["quantification"]["grades"] = graded(strong=0.5, moderate=0.3, almost_missing=0.2)
    write_grades_table(node, changed)
    assert node.GetCellText(0, 1) == "strong 50/moderate 30"


@pytest.mark.parametrize("missing", ["classification", "explanation", "quantification", "registration"])
def test_what_a_result_lacks_is_not_spoken_of(missing):
    """Point 12: no "not available %"."""
    from DaTscanAILib.slicer_adapters.words import details

    changed = result_with(error=None, **{missing: None})
    text = "\n".join([*sentences(changed), *details(changed)])
    assert "None" not in text
    assert "not available %" not in text


def test_an_error_takes_the_place_of_the_answer():
    changed = result_with(classification={"label": None}, error="scan: the field of view cuts the striatum.")
    assert sentences(changed) == ["scan: the field of view cuts the striatum."]


def test_each_reason_has_its_sentence():
    from DaTscanAILib.slicer_adapters.state import CHOICES, SCAN_INPUTS
    from DaTscanAILib.slicer_adapters.words import outdated_sentence

    reasons = {*SCAN_INPUTS, *(name for names in CHOICES.values() for name in names), "unknown"}
    said = [outdated_sentence(reason) for reason in (*reasons, "flip R", "flip A", "flip S")]
    assert len(set(said)) == len(said)


def test_the_status_is_one_sentence_for_each_state():
    """Point 4."""
    from DaTscanAILib.slicer_adapters.status import status_sentence

    none = ScanState()
    measured = ScanState({**CURRENT.stages, "classification": StageState()})
    registered = ScanState({**none.stages, "registration": StageState(Freshness.CURRENT)})
    outdated = ScanState(dict.fromkeys(STAGES, StageState(Freshness.OUTDATED, "flip R")))
    unclassified = result_with(classification={"label": None})
    assert status_sentence(None, None, none) == "No scan is selected: load one."
    assert status_sentence("a", None, none) == "a: not analyzed yet."
    assert status_sentence("a", result(), CURRENT) == "a: reduced."
    assert status_sentence("a", unclassified, CURRENT) == "a: not classified; the result says why."
    assert status_sentence("a", unclassified, measured) == "a: measured, not classified yet."
    assert status_sentence("a", unclassified, registered) == "a: registered, not measured yet."
    assert "before the flip left-right. Analyze again." in status_sentence("a", result(), outdated)
    assert status_sentence("a", result(), CURRENT, "a is constant.") == "a is constant."
    assert status_sentence("a", result(), CURRENT, "Cancelled.") == "a: Cancelled."


# ---- translation


SHOWN = {"text", "toolTip"}
CALLS = {"say", "log", "note", "_say", "sayOfBatch", "addItem", "addRow", "setText", "setWindowTitle", "errorsSaid"}


def test_every_text_that_is_shown_has_a_translation_mark():
    """Sentences of the core, which go into result files too, stay English."""
    files = [MODULE_FOLDER / "DaTscanAI.py", *(MODULE_FOLDER / "DaTscanAILib" / "slicer_adapters").rglob("*.py")]
    unmarked = []
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            for value in _shown_values(node):
                unmarked += [f"{path.name}:{text.lineno}: {text.value}" for text in _bare_texts(value)]
    assert not unmarked, "\n".join(unmarked)


def test_marks_hold_plain_texts():
    """What is put into a text comes by `format`: extraction reads literals."""
    for path in (MODULE_FOLDER / "DaTscanAILib" / "slicer_adapters").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_":
                assert all(isinstance(argument, ast.Constant) for argument in node.args), f"{path}:{node.lineno}"


def _shown_values(node):
    if isinstance(node, ast.Assign) and any(getattr(target, "attr", "") in SHOWN for target in node.targets):
        yield node.value
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in CALLS:
        yield from node.args


def _bare_texts(value):
    """Literals with words in them outside a mark."""
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "_":
        return
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        if re.search(r"[A-Za-z]{3}", re.sub(r"{.*?}", "", value.value)):
            yield value
        return
    if isinstance(value, ast.Subscript):
        yield from _bare_texts(value.value)
        return
    for child in value.values if isinstance(value, ast.Dict) else ast.iter_child_nodes(value):
        if isinstance(value, ast.Call) and child is value.func and not isinstance(child, ast.Attribute):
            continue
        yield from _bare_texts(child)
