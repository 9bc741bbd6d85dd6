"""No old answer under a changed input: each change of a scan against each stage of its result."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_cases import add_input, analysis_up_to, synthetic_analysis
from slicer_environment import prepare

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.slicer_adapters.state import (
    STAGES,
    Freshness,
    flipped_axis,
    inputs_of_stage,
    merged_records,
    merged_result,
    state_of,
)

CURRENT, OUTDATED, ABSENT = Freshness.CURRENT, Freshness.OUTDATED, Freshness.ABSENT
ALL_CURRENT = dict.fromkeys(STAGES, CURRENT)
ALL_OUTDATED = dict.fromkeys(STAGES, OUTDATED)


@pytest.fixture
def slicer():
    return prepare()


@pytest.fixture
def analyzed(slicer, logic):
    """A scan with a whole result, made under what the parameter node chooses."""
    from DaTscanAILib.slicer_adapters.inputs import chosen_inputs, scan_inputs
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = add_input(slicer)
    put_analysis(volume, synthetic_analysis(), inputs={**scan_inputs(volume, None), **chosen_inputs()})
    return volume


# ---- changes


def change_voxels(slicer, logic, volume):
    voxels = slicer.util.arrayFromVolume(volume)
    voxels[40, 50, 45] += 1
    slicer.util.arrayFromVolumeModified(volume)


def flip_once(axis):
    return lambda slicer, logic, volume: logic.flip(volume, axis)


def flip_twice(slicer, logic, volume):
    for _ in range(2):
        logic.flip(volume, "R")


def shift_origin(slicer, logic, volume):
    volume.SetOrigin(volume.GetOrigin()[0] + 1, *volume.GetOrigin()[1:])


def put_under_transform(slicer, logic, volume):
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = np.eye(4)
    matrix[0, 3] = 5
    slicer.util.updateTransformMatrixFromArray(transform, matrix)
    volume.SetAndObserveTransformNodeID(transform.GetID())


def harden_transform(slicer, logic, volume):
    put_under_transform(slicer, logic, volume)
    volume.HardenTransform()


def adjust_by_hand(slicer, logic, volume):
    from DaTscanAILib.slicer_adapters.by_hand import base_of, move_by
    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case

    transform = Case.of(volume).get(TRANSFORM)
    move_by(transform, base_of(transform), np.array([0, 4.0, 0, 0, 0, 0]))


def adjust_and_take_back(slicer, logic, volume):
    from DaTscanAILib.slicer_adapters.by_hand import base_of, move_by
    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case

    adjust_by_hand(slicer, logic, volume)
    transform = Case.of(volume).get(TRANSFORM)
    move_by(transform, base_of(transform), np.zeros(6))


def see_through_transform(slicer, logic, volume):
    from DaTscanAILib.slicer_adapters.case import Case
    from DaTscanAILib.slicer_adapters.comparison import put_through

    put_through(Case.of(volume))


def choose_method(slicer, logic, volume):
    logic.getParameterNode().putamenVolume = 5.0


def choose_model(slicer, logic, volume):
    logic.getParameterNode().model = "another model"


def choose_normals(slicer, logic, volume):
    logic.getParameterNode().normals = "a site"


def choose_second_reader(slicer, logic, volume):
    logic.getParameterNode().secondReader = "another model"


def choose_map(slicer, logic, volume):
    from DaTscanAILib.slicer_adapters.parameters import Map

    logic.getParameterNode().mapMethod = Map.LRP


def choose_device(slicer, logic, volume):
    from DaTscanAILib.slicer_adapters.parameters import Device

    logic.getParameterNode().device = Device.CPU


def rename(slicer, logic, volume):
    volume.SetName("another name")


def change_window(slicer, logic, volume):
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 7)


CHANGES = {
    "nothing": (lambda *_: None, ALL_CURRENT, ""),
    "voxels": (change_voxels, ALL_OUTDATED, "voxels"),
    "flip left-right": (flip_once("R"), ALL_OUTDATED, "flip R"),
    "flip head-foot": (flip_once("S"), ALL_OUTDATED, "flip S"),
    "flip front-back": (flip_once("A"), ALL_OUTDATED, "flip A"),
    "flip there and back": (flip_twice, ALL_CURRENT, ""),
    "origin": (shift_origin, ALL_OUTDATED, "header"),
    "parent transform": (put_under_transform, ALL_OUTDATED, "header"),
    "hardened transform": (harden_transform, ALL_OUTDATED, "header"),
    "adjusted by hand": (adjust_by_hand, ALL_OUTDATED, "transform"),
    "adjusted and taken back": (adjust_and_take_back, ALL_CURRENT, ""),
    "seen through its registration": (see_through_transform, ALL_CURRENT, ""),
    "method": (choose_method, {**ALL_CURRENT, "quantification": OUTDATED}, "method"),
    "model": (choose_model, {**ALL_CURRENT, "classification": OUTDATED}, "model"),
    "normals": (choose_normals, {**ALL_CURRENT, "quantification": OUTDATED}, "normals"),
    "second reader": (choose_second_reader, {**ALL_CURRENT, "classification": OUTDATED}, "second_reader"),
    "map, where only one was made": (choose_map, {**ALL_CURRENT, "classification": OUTDATED}, "map"),
    "device": (choose_device, ALL_CURRENT, ""),
    "name": (rename, ALL_CURRENT, ""),
    "window": (change_window, ALL_CURRENT, ""),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_against_each_stage(slicer, logic, analyzed, name):
    change, expected, reason = CHANGES[name]
    change(slicer, logic, analyzed)
    state = logic.session.known(analyzed)[1]
    assert {stage: state[stage].freshness for stage in STAGES} == expected
    assert state.reason == reason


def test_the_other_map_takes_its_place_without_another_analysis(slicer, logic):
    """Both come with one analysis: choosing one exchanges voxels, explanation and warning, and outdates nothing."""
    from DaTscanAILib.classification.explained import INCONSISTENT
    from DaTscanAILib.slicer_adapters.case import RELEVANCE, Case
    from DaTscanAILib.slicer_adapters.parameters import Map
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume, analysis = add_input(slicer), synthetic_analysis()
    other = {**analysis.result["explanation"], "consistent": False, "ipsilateral_putamen_relevance": -5.0}
    put_analysis(volume, replace(analysis, other_maps={"lrp": (-2 * analysis.relevance, other)}))
    case, parameters = Case.of(volume), logic.getParameterNode()
    first, before = case.result, slicer.util.arrayFromVolume(case.get(RELEVANCE)).copy()
    for _ in range(2):
        parameters.mapMethod = Map.LRP
        assert logic.session.known(volume)[1].reason == "map"
        logic.session.take_chosen_map(volume)
        assert not logic.session.known(volume)[1].is_outdated
        assert case.result["explanation"] == other
        assert case.result["warnings"] == [*first["warnings"], INCONSISTENT]
        np.testing.assert_allclose(slicer.util.arrayFromVolume(case.get(RELEVANCE)), -before, atol=1e-6)
        parameters.mapMethod = Map.INTEGRATED_GRADIENTS
        logic.session.take_chosen_map(volume)
        assert case.result == first
        assert (slicer.util.arrayFromVolume(case.get(RELEVANCE)) == before).all()
        assert not logic.session.known(volume)[1].is_outdated


def test_each_map_has_a_name_that_the_core_knows(slicer):
    from DaTscanAILib.explanation.methods import METHODS
    from DaTscanAILib.slicer_adapters.parameters import Map

    assert {one.value for one in Map} == set(METHODS)
    assert all(one.label() for one in Map)


@pytest.mark.parametrize(
    "name", [name for name, (_, expected, _reason) in CHANGES.items() if expected is ALL_OUTDATED]
)
def test_what_is_outdated_is_neither_reported_nor_shown_nor_given_as_news(slicer, logic, analyzed, tmp_path, name):
    from DaTscanAILib.slicer_adapters.case import Case
    from DaTscanAILib.slicer_adapters.display import shown_of

    CHANGES[name][0](slicer, logic, analyzed)
    with pytest.raises(DaTscanError, match="analyze the scan again"):
        logic.saveReport(analyzed, tmp_path / "report.pdf")
    shown = shown_of(Case.of(analyzed), logic.session.known(analyzed)[1])
    assert (shown.scan, shown.relevance) == (None, None)
    assert set(logic.result(analyzed)["outdated"]) == set(STAGES)
    assert logic.result(analyzed)["classification"]["label"] == "reduced"  # kept, not gone


def test_a_scan_without_a_result_has_no_state(slicer, logic):
    state = logic.session.known(add_input(slicer))[1]
    assert {state[stage].freshness for stage in STAGES} == {ABSENT}
    assert not state.is_outdated


def test_a_result_of_an_older_version_is_not_trusted(slicer, logic, analyzed):
    from DaTscanAILib.slicer_adapters.case import Case

    Case.of(analyzed).node.RemoveAttribute("DaTscanAI.Stages")
    state = logic.session.known(analyzed)[1]
    assert {state[stage].reason for stage in STAGES} == {"unknown"}


def test_what_changes_while_a_run_works_makes_its_answer_outdated(slicer, logic, monkeypatch):
    """The answer belongs to the voxels that were sent."""
    from DaTscanAILib.slicer_adapters import running

    volume, started = add_input(slicer), []
    slicer.util.arrayFromVolume(volume)[:] = np.random.default_rng(0).random((91, 109, 91), np.float32)

    class Task:
        def __init__(self, _request, _progress, finished):
            started.append(finished)

        def start(self):
            return self

    monkeypatch.setattr(running, "Task", Task)
    logic.process(volume, showResult=False, waitForCompletion=False)
    logic.flip(volume, "R")
    started[0](running.Outcome(answer=synthetic_analysis()))
    state = logic.session.known(volume)[1]
    assert state["classification"].reason == "flip R"


# ---- stages run by themselves


def run_stage(volume, last_stage, shift=0.0):
    """A run up to a stage whose registration lies `shift` mm to the right."""
    from DaTscanAILib.slicer_adapters.running import put_analysis

    analysis = analysis_up_to(last_stage, shift)
    analysis.result["warnings"] = [f"{last_stage} {shift:g}"]
    put_analysis(volume, analysis, last_stage)


@pytest.mark.parametrize("last_stage", ["registration", "quantification"])
def test_running_a_stage_again_with_the_same_outcome_leaves_the_later_ones(slicer, logic, analyzed, last_stage):
    from DaTscanAILib.slicer_adapters.case import RELEVANCE, SCAN, Case

    before = logic.result(analyzed)
    run_stage(analyzed, last_stage)
    state = logic.session.known(analyzed)[1]
    assert state["classification"].is_current
    assert logic.result(analyzed)["classification"] == before["classification"]
    assert logic.result(analyzed)["quantification"]["sbr"] == before["quantification"]["sbr"]
    assert logic.result(analyzed)["warnings"] == [f"{last_stage} 0"]
    assert None not in (Case.of(analyzed).get(RELEVANCE), Case.of(analyzed).get(SCAN))


@pytest.mark.parametrize("last_stage", ["registration", "quantification"])
def test_running_a_stage_again_with_another_outcome_outdates_the_later_ones(slicer, logic, analyzed, last_stage):
    from DaTscanAILib.slicer_adapters.case import RELEVANCE, Case

    run_stage(analyzed, last_stage, shift=3.0)
    state = logic.session.known(analyzed)[1]
    later = STAGES[STAGES.index(last_stage) + 1 :]
    assert {stage: state[stage].freshness for stage in STAGES} == {
        stage: OUTDATED if stage in later else CURRENT for stage in STAGES
    }
    assert state["classification"].reason == "transform"
    assert logic.result(analyzed)["classification"]["label"] == "reduced"
    assert Case.of(analyzed).get(RELEVANCE) is not None


def test_going_back_to_the_former_registration_makes_the_answer_current_again(slicer, logic, analyzed):
    run_stage(analyzed, "registration", shift=3.0)
    assert logic.session.known(analyzed)[1]["classification"].is_outdated
    run_stage(analyzed, "registration")
    state = logic.session.known(analyzed)[1]
    assert all(state[stage].is_current for stage in STAGES)


# ---- by itself, without a scene


def record(**inputs):
    return {"inputs": {"voxels": "a", "header": np.eye(4).tolist(), "transform": None, **inputs}}


def test_only_what_a_stage_depends_on_outdates_it():
    now = {"voxels": "a", "header": np.eye(4).tolist(), "transform": None, "method": 1, "model": 2}
    records = {stage: record(method=1, model=2) for stage in STAGES}
    assert not state_of(records, now).is_outdated
    other_method = state_of(records, {**now, "method": 9})
    assert [other_method[stage].is_outdated for stage in STAGES] == [False, True, False]
    other_model = state_of(records, {**now, "model": 9})
    assert [other_model[stage].is_outdated for stage in STAGES] == [False, False, True]
    assert set(inputs_of_stage("registration", now)) == {"voxels", "header", "transform"}


def test_what_float32_files_lose_of_a_matrix_is_no_change():
    moved = (np.eye(4) + 5e-6).tolist()
    assert not state_of({"registration": record()}, {**record()["inputs"], "header": moved}).is_outdated
    moved = (np.eye(4) + 5e-3).tolist()
    assert state_of({"registration": record()}, {**record()["inputs"], "header": moved}).reason == "header"


def test_a_reflection_is_told_from_other_changes_of_a_header():
    header = np.array([[0, -3.0, 0, 10], [0, 0, 3.0, -20], [3.0, 0, 0, 5], [0, 0, 0, 1]])
    for row, axis in enumerate("RAS"):
        reflection = np.eye(4)
        reflection[row, row], reflection[row, 3] = -1, 33
        assert flipped_axis(header.tolist(), (reflection @ header).tolist()) == axis
    assert flipped_axis(header.tolist(), (np.diag([-1.0, -1, 1, 1]) @ header).tolist()) is None
    assert flipped_axis(header.tolist(), "warped by something") is None


def test_the_error_and_the_warnings_are_those_of_the_stages():
    records = {
        "registration": {"warnings": ["head cut", "turned"], "error": None},
        "classification": {"warnings": ["turned", "doubtful"], "error": "not accepted"},
    }
    merged = merged_result(
        {"classification": {"label": "normal"}, "quantification": 1}, {"registration": 2}, "registration", records
    )
    assert merged["warnings"] == ["head cut", "turned", "doubtful"]
    assert merged["error"] == "not accepted"
    assert merged["classification"] == {"label": "normal"}
    assert "quantification" not in merged
    assert merged_records(records, {"registration": {}}, "quantification") == {
        "registration": {},
        "classification": records["classification"],
    }
