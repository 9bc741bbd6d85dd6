"""The module's logic in Slicer's scene: parameters, cases and what is shown of them."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_cases import add_input, synthetic_analysis

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.mni.atlas import GRID_SHAPE


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
