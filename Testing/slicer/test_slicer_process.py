"""The module's logic in Slicer's scene: one volume through the chain, from the console."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_cases import SAMPLE, add_input, synthetic_analysis

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.mni.atlas import GRID_AFFINE, GRID_SHAPE
from DaTscanAILib.reading.scan import read_scan


def test_the_sample_goes_through_the_whole_chain(slicer, logic, model):
    from DaTscanAILib.slicer_adapters.case import RELEVANCE, SCAN, TABLE, TRANSFORM, Case
    from DaTscanAILib.slicer_adapters.volumes import affine_of, voxels_of

    volume, stages = logic.loadSample("reduced"), []
    result = logic.process(volume, model=model, progress=lambda event: stages.append(event["stage"]))
    assert stages == ["registration", "quantification", "classification"]
    assert result["error"] is None
    assert result["quantification"]["lower_putamen"] == "right"
    assert result["classification"]["trained_on"] == "nothing at all"
    assert logic.result(volume) == json.loads(json.dumps(result))
    case = Case.of(volume)
    scan, relevance = case.get(SCAN), case.get(RELEVANCE)
    for node in (scan, relevance):
        assert voxels_of(node).shape == GRID_SHAPE
        assert affine_of(node).tolist() == GRID_AFFINE.tolist()
    assert np.percentile(np.abs(voxels_of(relevance)[voxels_of(relevance) != 0]), 99.9) == pytest.approx(1, rel=1e-4)
    to_mni = slicer.util.arrayFromTransformMatrix(case.get(TRANSFORM))
    assert to_mni @ result["registration"]["scanner_from_mni_ras"] == pytest.approx(np.eye(4), abs=1e-9)
    assert case.get(TABLE).GetCellText(1, 1) == f"{result['quantification']['sbr']['putamen_right']:.2f}"


def test_the_numbers_are_those_of_the_command_line(logic):
    from DaTscanAILib.analysis import measure

    here = logic.process(logic.loadScan(SAMPLE), lastStage="quantification", showResult=False)
    there = measure(read_scan(SAMPLE), "reduced").result
    for key in ("registration", "quantification", "patient", "camera"):
        assert here[key] == there[key], key


def test_a_second_run_uses_the_same_nodes(slicer, logic):
    volume = logic.loadSample("normal")
    logic.process(volume, lastStage="quantification", showResult=False)
    before = slicer.mrmlScene.GetNumberOfNodes()
    logic.process(volume, lastStage="quantification", showResult=False)
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_registration_alone_leaves_no_scan_and_no_numbers(logic):
    from DaTscanAILib.slicer_adapters.case import SCAN, TRANSFORM, Case

    volume = logic.loadSample("reduced")
    result = logic.process(volume, lastStage="registration", showResult=False)
    assert result["registration"]["accepted"]
    assert result["quantification"] is None
    assert Case.of(volume).get(SCAN) is None
    assert Case.of(volume).get(TRANSFORM) is not None


def test_a_transform_moved_by_hand_is_used_and_said(slicer, logic):
    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case
    from DaTscanAILib.slicer_adapters.session import registration_to_keep

    volume = logic.loadSample("reduced")
    automatic = logic.process(volume, lastStage="quantification", showResult=False)
    transform = Case.of(volume).get(TRANSFORM)
    assert registration_to_keep(volume, "manual") is None
    matrix = slicer.util.arrayFromTransformMatrix(transform)
    matrix[2, 3] += 6
    slicer.util.updateTransformMatrixFromArray(transform, matrix)
    assert registration_to_keep(volume, "manual") is transform
    by_hand = logic.process(volume, lastStage="quantification", registrationTransform=transform, showResult=False)
    assert by_hand["registration"]["manual"] is True
    assert by_hand["quantification"]["sbr"] != automatic["quantification"]["sbr"]
    again = logic.process(volume, lastStage="quantification", showResult=False)
    assert again["quantification"] == automatic["quantification"]


def test_an_unmoved_transform_stays_the_automatic_registration(logic):
    from DaTscanAILib.slicer_adapters.session import registration_to_keep

    volume = logic.loadSample("reduced")
    first = logic.process(volume, lastStage="registration", showResult=False)
    transform = registration_to_keep(volume, "registration")
    second = logic.process(volume, lastStage="registration", registrationTransform=transform, showResult=False)
    assert second["registration"] == first["registration"]


def test_a_volume_under_a_transform_is_where_it_is_shown(slicer, logic):
    """Turned by 10 degrees in the scene, the scan is registered as turned, with the same numbers."""
    volume = logic.loadSample("reduced")
    straight = logic.process(volume, lastStage="quantification", showResult=False)
    turn = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    angle = np.deg2rad(10)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    slicer.util.updateTransformMatrixFromArray(turn, matrix)
    volume.SetAndObserveTransformNodeID(turn.GetID())
    turned = logic.process(volume, lastStage="quantification", showResult=False)
    expected = matrix @ np.array(straight["registration"]["scanner_from_mni_ras"])
    assert turned["registration"]["scanner_from_mni_ras"][0] == pytest.approx(expected[0], abs=1.5)
    for key, value in straight["quantification"]["sbr"].items():
        assert turned["quantification"]["sbr"][key] == pytest.approx(value, abs=0.12), key


def test_the_method_changes_the_numbers_and_is_said(logic):
    volume = logic.loadSample("normal")
    usual = logic.process(volume, lastStage="quantification", showResult=False)
    logic.getParameterNode().putamenVolume = 5.0
    other = logic.process(volume, lastStage="quantification", method=logic.session.method(), showResult=False)
    sbr = "putamen_left"
    assert other["quantification"]["sbr"][sbr] > usual["quantification"]["sbr"][sbr]
    caudate = usual["quantification"]["sbr"]["caudate_left"]
    assert other["quantification"]["sbr"]["caudate_left"] == pytest.approx(caudate, rel=1e-6)
    assert any("putamen 5 ml" in warning for warning in other["warnings"])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda slicer: None, "No volume was given"),
        (lambda slicer: slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"), "empty holds no"),
        (
            lambda slicer: slicer.util.addVolumeFromArray(np.zeros((40, 64, 64), np.float32), name="zeros"),
            "zeros",
        ),
    ],
    ids=["none", "no image", "zeros"],
)
def test_unusable_volumes_are_refused_in_a_sentence(slicer, logic, make, sentence):
    with pytest.raises(DaTscanError, match=sentence):
        logic.process(make(slicer), lastStage="quantification", showResult=False)


def test_what_a_former_run_has_left_goes_when_a_scan_gets_no_answer(slicer, logic):
    from DaTscanAILib.slicer_adapters.case import RELEVANCE, SCAN, Case
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = add_input(slicer)
    put_analysis(volume, synthetic_analysis())
    assert Case.of(volume).get(RELEVANCE) is not None
    sentence = "scan: the registration to the FP-CIT template was not accepted (quality 0.10)"
    result = {**synthetic_analysis().result, "classification": None, "explanation": None, "error": sentence}
    put_analysis(volume, replace(synthetic_analysis(), result=result, relevance=None, error=sentence))
    logic.show(volume)
    assert Case.of(volume).get(RELEVANCE) is None
    assert Case.of(volume).get(SCAN) is not None
    assert logic.result(volume)["error"] == sentence


def test_the_modules_self_test_measures_the_sample(slicer):
    from DaTscanAI import DaTscanAITest

    result = DaTscanAITest("test_measures_the_sample").run()
    assert result.testsRun == 1
    assert result.wasSuccessful(), result.failures or result.errors
