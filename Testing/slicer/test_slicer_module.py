"""The module's logic on real MRML nodes, without the application."""

import json
import logging
import re
import sys
import warnings
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from dicom_factory import MARKER_RAS, SLICE_SPACING, marker_place, nm_dataset, nm_slices, save
from pdf_reader import PdfFile
from slicer_cases import add_input, synthetic_analysis, tiny_model
from slicer_environment import MODULE_FOLDER

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.mni.atlas import GRID_AFFINE, GRID_SHAPE
from DaTscanAILib.reading.scan import read_scan
from DaTscanAILib.reporting.result_files import read_result

PROJECTIONS = ("ORIGINAL", "PRIMARY", "TOMO", "EMISSION")
SAMPLE = resource_path("Samples", "reduced.dcm")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(tiny_model(tmp_path_factory.mktemp("models") / "tiny").folder)


def save_scene(slicer, folder):
    """As "Save scene": every storable node to a file, then the scene."""
    scene = slicer.mrmlScene
    scene.SetURL(str(folder / "scene.mrml"))
    scene.SetRootDirectory(str(folder))
    for node in slicer.util.getNodesByClass("vtkMRMLStorableNode"):
        if node.IsA("vtkMRMLScriptedModuleNode") or not node.GetSaveWithScene():
            continue
        if node.GetStorageNode() is None and not node.AddDefaultStorageNode():
            continue
        storage = node.GetStorageNode()
        if storage is not None:
            storage.SetFileName(str(folder / f"{node.GetID()}.{storage.GetDefaultWriteFileExtension()}"))
            assert storage.WriteData(node), node.GetName()
    assert scene.Commit()


def load_scene(slicer, folder):
    slicer.mrmlScene.Clear(False)
    slicer.mrmlScene.SetURL(str(folder / "scene.mrml"))
    slicer.mrmlScene.Import()


# ---- process


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


# ---- volumes


def test_a_loaded_scan_keeps_the_readers_geometry_and_facts(slicer, logic):
    from DaTscanAILib.slicer_adapters.volumes import scan_of

    scan, node = read_scan(SAMPLE), logic.loadScan(SAMPLE)
    again = scan_of(node)
    assert node.GetName() == "reduced"
    assert (again.voxels == scan.voxels).all()
    assert again.affine == pytest.approx(scan.affine, abs=1e-9)
    assert asdict(again.patient) == asdict(scan.patient)
    assert asdict(again.camera) == asdict(scan.camera)
    assert again.identifiers.name == ""


def test_nothing_that_identifies_reaches_the_scene(slicer, logic, tmp_path):
    from DaTscanAILib.slicer_adapters.case import Case

    volume = logic.loadScan(SAMPLE)
    logic.process(volume, lastStage="quantification", showResult=False)
    secret = read_scan(SAMPLE).identifiers
    text = Case.of(volume).node.GetText() + volume.GetAttribute("DaTscanAI.Scan")
    assert secret.id
    assert secret.id not in text
    assert secret.name not in text


@pytest.mark.parametrize("axis", ["R", "A", "S"])
def test_a_flip_reflects_the_header_about_the_middle_and_back(slicer, logic, axis):
    from DaTscanAILib.slicer_adapters.volumes import affine_of, describe_geometry, scan_of

    volume = logic.loadSample("reduced")
    before, row = affine_of(volume), "RAS".index(axis)
    middle = (np.array(volume.GetImageData().GetDimensions()) - 1) / 2
    logic.flip(volume, axis)
    after = affine_of(volume)
    assert (after @ [*middle, 1])[:3] == pytest.approx((before @ [*middle, 1])[:3])
    assert after[row, :3].tolist() == (-before[row, :3]).tolist()
    assert "corrected by hand" in scan_of(volume).warnings[-1]
    assert describe_geometry(volume).endswith({"R": "(RPI)", "A": "(LAI)", "S": "(LPS)"}[axis])
    logic.flip(volume, axis)
    assert affine_of(volume) == pytest.approx(before)
    assert not any("corrected by hand" in warning for warning in scan_of(volume).warnings)


def test_a_registration_is_not_used_for_the_other_orientation(logic):
    """It comes back with the header."""
    from DaTscanAILib.slicer_adapters.session import is_registered, registration_to_keep

    volume = logic.loadSample("reduced")
    logic.process(volume, lastStage="registration", showResult=False)
    kept = registration_to_keep(volume, "registration")
    assert kept is not None
    logic.flip(volume, "S")
    assert not is_registered(volume)
    assert registration_to_keep(volume, "registration") is None
    with pytest.raises(DaTscanError, match="has changed since: press Register"):
        logic.compare(volume)
    logic.flip(volume, "S")
    assert registration_to_keep(volume, "registration") is kept


def test_left_and_right_flipped_in_the_header_are_flipped_in_the_numbers(logic):
    volume = logic.loadSample("reduced")
    before = logic.process(volume, lastStage="quantification", showResult=False)["quantification"]["sbr"]
    logic.flip(volume, "R")
    after = logic.process(volume, lastStage="quantification", showResult=False)["quantification"]["sbr"]
    assert after["putamen_left"] == pytest.approx(before["putamen_right"], abs=0.15)
    assert after["putamen_right"] == pytest.approx(before["putamen_left"], abs=0.15)


# ---- parameters and scene


def test_parameters_and_case_come_back_with_a_saved_scene(slicer, logic, tmp_path):
    from DaTscanAILib.slicer_adapters.case import RELEVANCE, RENDERING, SCAN, TABLE, TRANSFORM, Case
    from DaTscanAILib.slicer_adapters.parameters import Content, Device, Signs
    from DaTscanAILib.slicer_adapters.running import put_analysis
    from DaTscanAILib.slicer_adapters.volumes import voxels_of

    volume = add_input(slicer, "patient 7")
    parameters = logic.getParameterNode()
    parameters.inputVolume, parameters.model, parameters.device = volume, "compact-ensemble", Device.CPU
    parameters.content, parameters.signs = Content.SCAN, Signs.NEGATIVE
    parameters.threshold, parameters.showIn3D, parameters.batchOutput = 0.35, True, str(tmp_path)
    put_analysis(volume, synthetic_analysis())
    logic.show(volume)
    case = Case.of(volume)
    kept = {role: voxels_of(case.get(role)).copy() for role in (SCAN, RELEVANCE, RENDERING)}
    settings, result = logic.session.settings(), case.result
    save_scene(slicer, tmp_path)
    load_scene(slicer, tmp_path)
    loaded = logic.getParameterNode()
    assert loaded.inputVolume.GetName() == "patient 7"
    assert (loaded.model, loaded.device, loaded.batchOutput) == ("compact-ensemble", Device.CPU, str(tmp_path))
    assert logic.session.settings() == settings
    case = Case.of(loaded.inputVolume)
    assert case.result == result
    for role, voxels in kept.items():
        assert (voxels_of(case.get(role)) == voxels).all(), role
    assert case.get(TABLE).GetCellText(1, 1) == "2.13"
    assert case.get(TRANSFORM).GetAttribute("DaTscanAI.AutomaticRegistration")
    rendering = case.get(RENDERING)
    assert rendering.GetVoxelVectorType() == slicer.vtkMRMLVolumeNode.VoxelVectorTypeColorRGBA
    display = slicer.modules.volumerendering.logic().GetFirstVolumeRenderingDisplayNode(rendering)
    assert display.GetVisibility()
    assert not display.GetVolumePropertyNode().GetVolumeProperty().GetIndependentComponents()
    colors = case.get(RELEVANCE).GetDisplayNode().GetColorNode()
    alpha = [colors.GetLookupTable().GetTableValue(index)[3] for index in (0, 100, 127, 128, 255)]
    assert alpha == [1, 0, 0, 0, 0]  # negative signs alone, threshold 0.35
    logic.show(loaded.inputVolume)
    assert case.get(RENDERING) is rendering


def test_showing_a_case_hides_what_belongs_to_the_others(slicer, logic):
    from DaTscanAILib.slicer_adapters.case import REGIONS, RENDERING, Case
    from DaTscanAILib.slicer_adapters.running import put_analysis

    first, second = add_input(slicer, "first"), add_input(slicer, "second")
    rendering = slicer.modules.volumerendering.logic().GetFirstVolumeRenderingDisplayNode
    for volume in (first, second):
        put_analysis(volume, synthetic_analysis())
    logic.show(first)
    logic.showRegions(first)
    assert rendering(Case.of(first).get(RENDERING)).GetVisibility()
    logic.show(second)
    assert rendering(Case.of(second).get(RENDERING)).GetVisibility()
    assert not rendering(Case.of(first).get(RENDERING)).GetVisibility()
    assert not Case.of(first).get(REGIONS).GetDisplayVisibility()


def test_what_belongs_to_a_deleted_scan_is_hidden_where_none_is_selected(slicer, logic):
    from DaTscanAILib.slicer_adapters.case import REGIONS, RENDERING, Case
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = add_input(slicer)
    put_analysis(volume, synthetic_analysis())
    logic.show(volume)
    logic.showRegions(volume)
    case = Case.of(volume)
    display = slicer.modules.volumerendering.logic().GetFirstVolumeRenderingDisplayNode(case.get(RENDERING))
    slicer.mrmlScene.RemoveNode(volume)
    assert display.GetVisibility()
    logic.show(None)
    assert not display.GetVisibility()
    assert not case.get(REGIONS).GetDisplayVisibility()


def test_parameters_outside_their_range_are_refused(logic):
    with pytest.raises(ValueError, match=r"0\.9|range|within|Within"):
        logic.getParameterNode().threshold = 5.0


def test_the_first_scan_is_none_of_the_modules_own(slicer, logic):
    from DaTscanAILib.slicer_adapters.running import put_analysis
    from DaTscanAILib.slicer_adapters.session import first_scan

    assert first_scan() is None
    volume = add_input(slicer)
    put_analysis(volume, synthetic_analysis())
    logic.show(volume)
    slicer.mrmlScene.RemoveNode(volume)
    assert first_scan() is None


# ---- comparison, report, table


def test_the_checkerboard_takes_squares_of_scan_and_template_by_turns(slicer, logic):
    from DaTscanAILib.slicer_adapters.case import CHECKERBOARD, Case
    from DaTscanAILib.slicer_adapters.shared_nodes import shared_fpcit_template
    from DaTscanAILib.slicer_adapters.volumes import voxels_of

    volume = logic.loadSample("normal")
    normalized = logic.process(volume, lastStage="quantification", showResult=False) and Case.of(volume).get("Scan")
    logic.compare(volume, "checkerboard")
    board = voxels_of(Case.of(volume).get(CHECKERBOARD))
    odd = (np.indices(GRID_SHAPE) // 8).sum(axis=0) % 2 == 1
    assert (board[~odd] == voxels_of(shared_fpcit_template())[~odd]).all()
    assert board[odd] == pytest.approx(voxels_of(normalized)[odd], abs=1e-3)


def test_fused_shows_the_scan_through_its_transform_until_the_case_is_shown_again(logic):
    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case

    volume = logic.loadSample("normal")
    logic.process(volume, lastStage="quantification", showResult=False)
    logic.compare(volume, "fused")
    assert volume.GetParentTransformNode() is Case.of(volume).get(TRANSFORM)
    first = logic.result(volume)["quantification"]
    assert logic.process(volume, lastStage="quantification", showResult=False)["quantification"] == first
    assert volume.GetParentTransformNode() is None


def test_comparing_before_registering_is_refused(logic):
    with pytest.raises(DaTscanError, match="not registered yet"):
        logic.compare(logic.loadSample("normal"))


def test_the_report_is_that_of_the_command_line(slicer, logic, tmp_path):
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = add_input(slicer)
    with pytest.raises(DaTscanError, match="nothing to report yet"):
        logic.saveReport(volume, tmp_path / "no.pdf")
    put_analysis(volume, synthetic_analysis())
    logic.saveReport(volume, tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-1.")
    assert not (tmp_path / "no.pdf").exists()


def texts_of(path):
    return " ".join(shown.text for shown in PdfFile(path.read_bytes()).texts())


def test_the_report_speaks_the_language_of_the_settings_the_scene_or_the_call(slicer, logic, tmp_path, monkeypatch):
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume, path = add_input(slicer), tmp_path / "report.pdf"
    put_analysis(volume, synthetic_analysis())
    logic.saveReport(volume, path)
    assert "Research use only" in texts_of(path)
    monkeypatch.setitem(slicer.app.settings, "DaTscanAI/ReportLanguage", "de")
    logic.saveReport(volume, path)
    assert "Nur für Forschungszwecke" in texts_of(path)
    logic.getParameterNode().reportLanguage = "en"
    logic.saveReport(volume, path)
    assert "Research use only" in texts_of(path)
    with pytest.raises(DaTscanError, match="no report language 'xx'"):
        logic.saveReport(volume, path, "xx")
    logic.saveReport(volume, path, clinical={"indication": "falls", "dose_mbq": 185})
    assert "Indication falls" in texts_of(path)
    assert "tracer not stated, 185 MBq" in texts_of(path)
    with pytest.raises(DaTscanError, match="'weight' is no entry"):
        logic.saveReport(volume, path, clinical={"weight": 80})


def test_dicom_results_of_one_scan_are_filed_with_its_study(slicer, logic, tmp_path):
    """Report, pictures and page, of DICOM scans alone, in a folder of their own."""
    import pydicom

    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = logic.loadScan(SAMPLE, "a scan")
    with pytest.raises(DaTscanError, match="nothing to report yet"):
        logic.saveDicomResults(volume, tmp_path)
    put_analysis(volume, synthetic_analysis())
    folder = logic.saveDicomResults(volume, tmp_path, clinical={"indication": "falls"})
    assert folder == tmp_path / "a_scan_dicom"
    assert [path.name for path in tmp_path.iterdir()] == ["a_scan_dicom"]
    names = {path.name for path in folder.iterdir()}
    assert names == {"dicom_sr.dcm", "dicom_overview.dcm", "dicom_map.dcm", "dicom_report.dcm"}
    source, report = pydicom.dcmread(SAMPLE), pydicom.dcmread(folder / "dicom_sr.dcm")
    for keyword in ("PatientID", "StudyInstanceUID"):
        assert report[keyword].value == source[keyword].value
    assert report.SeriesInstanceUID != source.SeriesInstanceUID
    logic.saveDicomResults(volume, tmp_path)
    assert {path.name for path in folder.iterdir()} == names


def test_dicom_results_need_the_scans_own_files(slicer, logic, tmp_path, monkeypatch):
    """The place of the files is kept in memory, not in the node that goes into saved scenes."""
    from DaTscanAILib.slicer_adapters import dicom_files
    from DaTscanAILib.slicer_adapters.running import put_analysis

    other = add_input(slicer)
    put_analysis(other, synthetic_analysis())
    with pytest.raises(DaTscanError, match="Only DICOM scans"):
        logic.saveDicomResults(other, tmp_path)
    volume = logic.loadScan(SAMPLE)
    put_analysis(volume, synthetic_analysis())
    assert not any(SAMPLE.stem in volume.GetAttribute(name) for name in volume.GetAttributeNames())
    monkeypatch.setattr(dicom_files, "_known", {})
    with pytest.raises(DaTscanError, match="load the scan from them again"):
        logic.saveDicomResults(volume, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_scan_whose_orientation_was_assumed_has_no_sides_in_the_scene_either(slicer, logic):
    """Feet first assumed and head first true: turned, and what needs the sides is empty, as from the file."""
    from DaTscanAILib.slicer_adapters.case import REGIONS, TABLE, Case
    from DaTscanAILib.slicer_adapters.volumes import add_scan

    scan = read_scan(SAMPLE)
    reflection = np.diag([-1.0, 1, -1, 1])
    turned = replace(scan, affine=reflection @ scan.affine, orientation_assumed=True)
    volume = add_scan(turned, "feet")
    result = logic.process(volume, lastStage="quantification")
    assert (result["registration"]["turned"], result["registration"]["sides_known"]) == ("RS", False)
    assert result["quantification"]["lower_putamen"] is None
    assert set(result["quantification"]["sbr"].values()) == {None}
    table = Case.of(volume).get(TABLE).GetTable()
    assert [table.GetColumnName(column) for column in range(table.GetNumberOfColumns())] == [
        "SBR",
        "Lower side",
        "Other side",
    ]
    logic.showRegions(volume)
    segmentation = Case.of(volume).get(REGIONS).GetSegmentation()
    names = [segmentation.GetNthSegment(index).GetName() for index in range(segmentation.GetNumberOfSegments())]
    assert "Putamen region, one side" in names
    assert not any(side in name for name in names for side in ("left", "right"))
    stated = add_scan(replace(turned, orientation_assumed=False), "stated")
    assert logic.process(stated, lastStage="registration")["registration"]["turned"] is None


def test_what_the_header_says_of_the_injection_reaches_the_report(slicer):
    """The volume node keeps it."""
    from DaTscanAILib.reading.description import describe_scan
    from DaTscanAILib.reading.scan import Injection
    from DaTscanAILib.slicer_adapters.volumes import add_scan, scan_of

    scan = replace(read_scan(SAMPLE), injection=Injection(183.0, 214.0))
    clinical = describe_scan(scan_of(add_scan(scan, "scan")))["clinical"]
    assert (clinical["dose_mbq"], clinical["injection_to_scan_min"]) == (183.0, 214.0)
    assert clinical["from_dicom"] == ("tracer", "dose_mbq", "injection_to_scan_min")


def test_a_model_with_regions_gives_a_table_of_grades_and_one_without_none(slicer):
    from DaTscanAILib.slicer_adapters.case import GRADES, Case
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume, graded = add_input(slicer), synthetic_analysis()
    shares = {"normal": 0.0, "borderline": 0.0, "moderate": 0.1, "strong": 0.5, "almost missing": 0.4}
    graded.result["quantification"]["grades"] = {"caudate_right": {"grade": "strong", "probabilities": shares}}
    put_analysis(volume, graded)
    table = Case.of(volume).get(GRADES)
    assert [table.GetCellText(0, column) for column in range(3)] == ["Caudate", "strong 50/almost missing 40", "-"]
    put_analysis(volume, synthetic_analysis())
    assert Case.of(volume).get(GRADES) is None
    assert not slicer.mrmlScene.IsNodePresent(table)


def test_the_table_has_z_scores_and_limits_where_there_are_normals(slicer):
    """Point 11: in columns that the panel's width holds."""
    from picture_factory import result_with

    from DaTscanAILib.slicer_adapters.tables import write_sbr_table

    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    write_sbr_table(table, result_with())
    assert [table.GetColumnName(column) for column in range(4)] == ["SBR", "Right", "Left", "Asym."]
    assert table.GetNumberOfColumns() == 4
    result = result_with()
    keys = [f"{nucleus}_{side}" for nucleus in ("caudate", "putamen", "striatum") for side in ("left", "right")]
    measures = {key: {"z": -1.74, "limits_90": [1.62, 3.88]} for key in keys}
    measures["putamen_left"] = {"z": -3.96, "limits_90": [1.58, 3.91]}
    result["quantification"]["normals"] = {"source": "somewhere", "measures": measures}
    result["quantification"]["z"] = {key: entry["z"] for key, entry in measures.items()}
    write_sbr_table(table, result)
    assert [table.GetColumnName(column) for column in range(7)] == [
        "SBR",
        "Right",
        "z right",
        "Left",
        "z left",
        "Asym.",
        "Normal",
    ]
    row = [table.GetCellText(1, column) for column in range(7)]
    assert row == ["Putamen", "2.13", "-1.7", "1.02", "-4.0", "70 %", "1.6-3.9"]


def test_the_table_shows_the_ratios_of_a_scan_without_sides(slicer):
    from picture_factory import result_without_sides

    from DaTscanAILib.slicer_adapters.tables import write_sbr_table

    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    write_sbr_table(table, result_without_sides())
    columns = range(table.GetNumberOfColumns())
    assert [table.GetColumnName(column) for column in columns] == ["SBR", "Lower side", "Other side"]
    assert [table.GetCellText(1, column) for column in columns] == ["Putamen", "1.02", "2.13"]


# ---- batch


def test_a_batch_of_files_and_nodes_gives_rows_and_files(slicer, logic, model, tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "good.dcm").write_bytes(SAMPLE.read_bytes())
    (scans / "broken.nii.gz").write_bytes(b"this is no scan")
    events, out = [], tmp_path / "out"
    volume = logic.loadSample("normal")
    rows = logic.processBatch([scans, volume], out, model=model, report=False, progress=events.append)
    assert [row["case"] for row in rows] == ["broken", "good", "DaTscanNormal"]
    assert [bool(row["error"]) for row in rows] == [True, False, False]
    assert [(event["done"], event["total"]) for event in events] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert read_result(out / "good")["quantification"]["lower_putamen"] == "right"
    assert read_result(out / "DaTscanNormal")["classification"]["model"] == "tiny"
    assert (out / "results.csv").read_text().count("\n") == 4
    table = slicer.util.getFirstNodeByClassByName("vtkMRMLTableNode", "DaTscan AI results")
    assert table.GetNumberOfRows() == 3
    assert [table.GetColumnName(column) for column in range(7)] == [
        "Case",
        "Answer",
        "Probability",
        "Lower putamen",
        "z",
        "Quality",
        "Error",
    ]
    cells = [[table.GetCellText(row, column) for column in range(7)] for row in range(3)]
    assert [row[0] for row in cells] == ["broken", "good", "DaTscanNormal"]
    assert cells[0][1] == "FAILED"  # point 14: failed rows are seen, with their reason
    assert cells[0][6] == rows[0]["error"]
    sbr = read_result(out / "good")["quantification"]["sbr"]["putamen_right"]
    assert cells[1][3] == f"{sbr:.3g}"
    assert all(len(re.sub(r"e.*|[-.]|^0\\.0*", "", cell)) <= 4 for cell in cells[1][2:6])


def test_a_double_click_on_a_row_opens_its_case(slicer, logic, model, tmp_path):
    """Point 14: with the result that the batch has written, nothing is computed again."""
    from DaTscanAILib.slicer_adapters.batch_table import open_row
    from DaTscanAILib.slicer_adapters.case import RELEVANCE, Case

    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "good.dcm").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "scans" / "broken.nii.gz").write_bytes(b"this is no scan")
    out = tmp_path / "out"
    logic.processBatch(tmp_path / "scans", out, model=model, report=False)
    table = slicer.util.getFirstNodeByClassByName("vtkMRMLTableNode", "DaTscan AI results")
    volume = open_row(table, 1, logic.session)
    assert volume.GetName() == "good"
    assert logic.getParameterNode().inputVolume is volume
    result, written = logic.result(volume), read_result(out / "good")
    assert {key: result[key] for key in written} == written
    assert "outdated" not in result
    assert Case.of(volume).get(RELEVANCE) is not None
    assert open_row(table, 1, logic.session) is volume
    with pytest.raises(DaTscanError, match="broken"):
        open_row(table, 0, logic.session)


def test_the_table_of_a_batch_stands_below_empty_views(slicer, logic, model, tmp_path, monkeypatch):
    """Point 14: what the views showed belongs to no row; the double click is connected once."""
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = add_input(slicer)
    put_analysis(volume, synthetic_analysis())
    composite = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    logic.session.select(volume, {})
    assert composite.GetBackgroundVolumeID()
    layouts, connected, properties = [], [], {}
    view = SimpleNamespace(
        property=properties.get, setProperty=properties.__setitem__, connect=lambda *slot: connected.append(slot)
    )
    manager = SimpleNamespace(
        layout=3, setLayout=layouts.append, tableWidget=lambda _index: SimpleNamespace(tableView=lambda: view)
    )
    monkeypatch.setattr(slicer.app, "layoutManager", lambda: manager)
    for _ in range(2):
        logic.processBatch(SAMPLE, tmp_path / "out", model=model, report=False)
    assert set(layouts) == {slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView}
    assert composite.GetBackgroundVolumeID() is None
    assert logic.getParameterNode().inputVolume is None
    assert [signal for signal, _slot in connected] == ["doubleClicked(QModelIndex)"]


def test_the_same_scan_as_file_and_as_node_gives_the_same_row(logic, model, tmp_path):
    from_file = logic.processBatch(SAMPLE, tmp_path / "a", model=model, report=False)[0]
    from_node = logic.processBatch(logic.loadScan(SAMPLE), tmp_path / "b", model=model, report=False)[0]
    assert from_file.pop("series") != from_node.pop("series")  # a node does not know its series
    assert from_node == from_file


def test_a_batch_without_scans_is_refused(logic, tmp_path):
    with pytest.raises(DaTscanError, match="No scans were given"):
        logic.processBatch([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ---- README


def test_the_console_walk_through_of_the_readme_runs_as_written(slicer, model, tmp_path, monkeypatch, capsys):
    readme = (MODULE_FOLDER.parent / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme.split("## In Slicer")[1], re.DOTALL)
    monkeypatch.setattr("DaTscanAILib.classification.model_folder.DEFAULT_MODEL", model)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "'putamen_right': 0.7" in printed
    assert "[('DaTscanReduced', '" in printed
    assert (tmp_path / "report.pdf").is_file()
    assert read_result(tmp_path / "results" / "DaTscanReduced")["error"] is None


# ---- DICOM plugin


class Database:
    """What a plugin asks of the DICOM database."""

    def fileValue(self, path, tag):  # noqa: N802
        import pydicom

        group, element = (int(part, 16) for part in tag.split(","))
        entry = pydicom.dcmread(path, stop_before_pixels=True).get((group, element))
        return "" if entry is None or entry.value is None else str(entry.value)


@pytest.fixture
def plugin(slicer):
    import DaTscanAIDICOMPlugin

    slicer.dicomDatabase = Database()
    slicer.modules.dicomPlugins = {}
    parent = type("Parent", (), {})()
    DaTscanAIDICOMPlugin.DaTscanAIDICOMPlugin(parent)
    assert parent.hidden
    return slicer.modules.dicomPlugins["DaTscanAIDICOMPlugin"]()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_plugin_loads_both_signs_of_the_spacing_between_slices(plugin, tmp_path, sign):
    from DaTscanAILib.slicer_adapters.volumes import affine_of, voxels_of

    path = save(nm_dataset(slice_spacing=sign * SLICE_SPACING), tmp_path / "scan.dcm")
    (loadable,) = plugin.examineForImport([[str(path)]])
    assert (loadable.selected, loadable.warning, loadable.confidence > 0.5) == (True, "", True)
    node = plugin.load(loadable)
    assert affine_of(node)[2, 2] == pytest.approx(sign * SLICE_SPACING)
    assert marker_place(voxels_of(node), affine_of(node)) == pytest.approx(MARKER_RAS, abs=0.3)


def test_the_plugin_takes_single_slices_of_a_series_as_one_scan(plugin, tmp_path):
    from DaTscanAILib.slicer_adapters.volumes import affine_of, voxels_of

    paths = [str(save(slice_, tmp_path / f"{index}.dcm")) for index, slice_ in enumerate(nm_slices())]
    (loadable,) = plugin.examineForImport([paths[::-1]])
    node = plugin.load(loadable)
    assert marker_place(voxels_of(node), affine_of(node)) == pytest.approx(MARKER_RAS, abs=0.3)


def test_the_plugin_says_why_it_does_not_take_projections(plugin, tmp_path):
    projections = nm_dataset(image_type=PROJECTIONS)
    (loadable,) = plugin.examineForImport([[str(save(projections, tmp_path / "tomo.dcm"))]])
    assert not loadable.selected
    assert "projections, not a reconstruction" in loadable.warning
    assert plugin.load(loadable) is None


def test_the_plugin_leaves_other_modalities_alone(plugin, tmp_path):
    path = save(nm_dataset(modality="CT"), tmp_path / "ct.dcm")
    assert plugin.examineForImport([[str(path)]]) == []


# ---- file reader


@pytest.fixture
def reader(slicer):
    from DaTscanAI import DaTscanAIFileReader

    messages = SimpleNamespace(AddMessage=lambda _event, text: messages.texts.append(text), texts=[])
    return DaTscanAIFileReader(SimpleNamespace(userMessages=lambda: messages, loadedNodes=[]))


def test_a_dropped_reconstruction_is_read_with_its_geometry(slicer, reader, tmp_path):
    from DaTscanAILib.slicer_adapters.volumes import affine_of, voxels_of

    path = save(nm_dataset(slice_spacing=-SLICE_SPACING), tmp_path / "scan")
    assert reader.canLoadFileConfidence(str(path)) > 0.6
    assert reader.load({"fileName": str(path), "name": "dropped"})
    node = slicer.mrmlScene.GetNodeByID(reader.parent.loadedNodes[0])
    assert node.GetName() == "dropped"
    assert marker_place(voxels_of(node), affine_of(node)) == pytest.approx(MARKER_RAS, abs=0.3)


def test_other_files_are_left_to_other_readers(reader, tmp_path):
    projections = save(nm_dataset(image_type=PROJECTIONS), tmp_path / "tomo.dcm")
    (tmp_path / "text.dcm").write_text("no DICOM")
    for path in (projections, tmp_path / "text.dcm", tmp_path / "nowhere.dcm"):
        assert reader.canLoadFileConfidence(str(path)) == 0
    assert not reader.load({"fileName": str(projections)})
    assert "projections, not a reconstruction" in reader.parent.userMessages().texts[0]


@pytest.fixture
def forget_library():
    """Makes Python read the library anew, as a reload of the module does."""
    library = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "DaTscanAILib"}

    def forget():
        for name in [name for name in sys.modules if name.split(".")[0] == "DaTscanAILib"]:
            del sys.modules[name]

    yield forget
    forget()
    sys.modules.update(library)


def test_the_reader_says_its_sentence_after_the_module_was_reloaded(reader, forget_library, tmp_path):
    """The reader that Slicer has registered stays the one of the first time."""
    projections = save(nm_dataset(image_type=PROJECTIONS), tmp_path / "tomo.dcm")
    forget_library()
    assert not reader.load({"fileName": str(projections)})
    assert "projections, not a reconstruction" in reader.parent.userMessages().texts[0]


# ---- whatever loads


@pytest.fixture
def shown(slicer):
    """Gives the volume that a slice view shows."""
    composite = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    return lambda: slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID() or "")


def test_a_scan_is_shown_when_the_module_dicom_has_loaded_it(shown, plugin, tmp_path):
    (loadable,) = plugin.examineForImport([[str(save(nm_dataset(), tmp_path / "scan.dcm"))]])
    node = plugin.load(loadable)
    assert shown() is node


def test_a_scan_is_shown_when_it_was_dropped_unless_the_caller_says_no(slicer, shown, reader):
    assert reader.load({"fileName": str(SAMPLE), "show": False})
    assert shown() is None
    assert reader.load({"fileName": str(SAMPLE)})
    assert shown().GetID() == reader.parent.loadedNodes[0]


def test_a_sample_is_shown_when_the_module_sample_data_has_loaded_it(slicer, shown, monkeypatch):
    from DaTscanAI import onStartupCompleted

    sources = []
    logic = SimpleNamespace(
        registerCustomSampleDataCategory=lambda *_arguments, **_options: None,
        registerCustomSampleDataSource=lambda **options: sources.append(options),
    )
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=logic))
    onStartupCompleted()
    for source in sources:
        source["customDownloader"](source)
        assert shown().GetName() == source["nodeNames"]
    assert len(sources) == 2


def test_a_malformed_header_is_examined_without_a_word_of_it(slicer, tmp_path, caplog, recwarn):
    from DaTscanAILib.slicer_adapters.volumes import is_spect, why_unusable

    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(action="ignore"):
        path = str(save(nm_dataset(sop_class="Doe^Jane"), tmp_path / "scan.dcm"))
    for examine in (is_spect, lambda path: why_unusable([path])):
        caplog.clear()
        examine(path)  # what is no UID pydicom quotes in a warning
        assert "Doe" not in caplog.text + "".join(str(warning.message) for warning in recwarn)
