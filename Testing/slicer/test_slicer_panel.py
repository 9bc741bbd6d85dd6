"""The panel without Qt: every name and signal it uses exists, and its buttons do what they say."""

import contextlib
import json
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from fake_ui import MODULE_FOLDER, Parent, fake_ui
from slicer_cases import (
    add_input,
    analysis_up_to,
    registered_once,
    synthetic_analysis,
    synthetic_comparison,
    tiny_model,
)
from slicer_environment import prepare

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.slicer_adapters import worker
from DaTscanAILib.slicer_adapters.state import STAGES

SAMPLE = resource_path("Samples", "reduced.dcm")


def run_now(arguments, logCallback, completedCallback, **_options):
    """As `slicer.util.launchConsoleProcess` with the worker, but at once and in this process."""
    folder = Path(arguments[-1])
    request = pickle.loads((folder / worker.REQUEST).read_bytes())
    try:
        answer = request.run(lambda event: logCallback(f"{worker.EVENT} {json.dumps(event)}"))
        (folder / worker.ANSWER).write_bytes(pickle.dumps(answer))
        completedCallback(worker.DONE)
    except DaTscanError as error:
        logCallback(f"{worker.EVENT} {json.dumps({'error': str(error)})}")
        completedCallback(worker.UNUSABLE)


def run_in_process(arguments, logCallback, completedCallback, blocking, useStartupEnvironment, updateEnvironment):
    """As `slicer.util.launchConsoleProcess`, but at once and with this interpreter."""
    assert (blocking, useStartupEnvironment, arguments[0]) == (False, False, "PythonSlicer")
    assert updateEnvironment == {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, *arguments[1:]], capture_output=True, text=True)
    for line in (done.stdout + done.stderr).splitlines():
        logCallback(line)
    completedCallback(done.returncode)


@pytest.fixture
def widget(monkeypatch):
    """The module's widget, entered."""
    slicer = prepare()
    import DaTscanAI

    monkeypatch.setattr("DaTscanAILib.analysis.register", registered_once)
    from DaTscanAILib.slicer_adapters import processes

    ui = fake_ui()
    monkeypatch.setattr(slicer.util, "loadUI", lambda _path: ui.DaTscanAI, raising=False)
    monkeypatch.setattr(slicer.util, "childWidgetVariables", lambda _widget: ui, raising=False)
    monkeypatch.setattr(slicer.util, "launchConsoleProcess", run_now, raising=False)
    monkeypatch.setattr(processes.shutil, "which", lambda name: name)
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, **_: pytest.fail(text), raising=False)
    widget = DaTscanAI.DaTscanAIWidget(Parent())
    widget.setup()
    widget.enter()
    yield widget
    widget.cleanup()


@pytest.fixture
def model(tmp_path):
    return str(tiny_model(tmp_path / "tiny").folder)


@pytest.fixture
def quick(monkeypatch):
    """Every run gives the synthetic analysis up to its stage; the registrations that it found can be set."""
    found = SimpleNamespace(shift=0.0, requests=[])

    def run(request, progress):
        found.requests.append(request)
        for stage in STAGES[: STAGES.index(request.last_stage) + 1]:
            progress({"stage": stage})
        return analysis_up_to(request.last_stage, found.shift)

    monkeypatch.setattr("DaTscanAILib.slicer_adapters.work.ScanRequest.run", run)
    return found


@pytest.fixture
def composite(widget):
    """The volumes of a slice view."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    node.SetLayoutName("Red")
    return node


def layers(composite):
    """Names of background and foreground."""
    import slicer

    nodes = [slicer.mrmlScene.GetNodeByID(name or "") for name in _layer_ids(composite)]
    return [node and node.GetName() for node in nodes]


def _layer_ids(composite):
    return composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()


def select_input(widget, name="scan"):
    """A scan with voxels, selected."""
    import slicer

    volume = add_input(slicer, name)
    widget.parameters.inputVolume = volume
    return volume


def log_of(widget):
    return [call[1] for call in widget.ui.logText.calls if call[0] == "appendPlainText"]


# ---- scans


def test_without_a_scan_only_loading_is_possible(widget):
    enabled = {name for name, entry in vars(widget.ui).items() if name.endswith("Button") and entry.enabled}
    sections = {name for name in enabled if name.endswith("CollapsibleButton")}
    assert enabled - sections == {
        "loadScanButton",
        "loadSampleButton",
        "loadNormalSampleButton",
        "manifestButton",
        "defaultMethodButton",
        "installTorchButton",
    }
    assert widget.ui.analyzeButton.toolTip == "Select or load a scan."
    assert widget.ui.answerLabel.text == "No result yet"
    assert widget.ui.statusLabel.text == "No scan is selected: load one."


def test_a_click_on_load_sample_shows_its_geometry(widget, composite):
    widget.ui.loadSampleButton.click()
    assert widget.parameters.inputVolume.GetName() == "DaTscanReduced"
    assert widget.ui.geometryLabel.text == (
        "128 x 128 x 72 voxels of 3.50 x 3.50 x 3.50 mm; axes run to left, back, foot (LPI)"
    )
    assert widget.ui.statusLabel.text == "DaTscanReduced: not analyzed yet."
    assert layers(composite) == ["DaTscanReduced", None]
    assert widget.ui.analyzeButton.enabled
    widget.ui.flipSuperiorButton.click()
    assert widget.ui.geometryLabel.text.endswith("(LPS)")


def test_the_selector_offers_scans_only(widget, quick):
    """Point 1: what the module has made itself, the templates among it, is no scan."""
    import slicer

    volume = select_input(widget)
    widget.ui.analyzeButton.click()
    widget.ui.registerButton.click()
    widget.parameters.comparison = type(widget.parameters.comparison).CHECKERBOARD
    hidden = set(widget.ui.inputSelector.sortFilterProxyModel().hiddenNodeIDs)
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert {node.GetName() for node in volumes if node.GetID() not in hidden} == {"scan"}
    assert len(hidden) == 6  # scan in MNI space, relevance in slices and in 3D, checkerboard, both templates
    assert widget.parameters.inputVolume is volume


def test_what_the_module_has_made_cannot_be_analyzed(widget, quick):
    from DaTscanAILib.slicer_adapters.case import SCAN, Case

    volume = select_input(widget)
    widget.ui.analyzeButton.click()
    made = Case.of(volume).get(SCAN)
    with pytest.raises(DaTscanError, match="scan in MNI space is no scan but made by this module"):
        widget.logic.process(made)
    widget.parameters.inputVolume = made  # of an older scene
    widget.exit()
    widget.enter()
    assert widget.parameters.inputVolume is volume


def test_deleting_a_scan_takes_all_that_belongs_to_it(widget, quick, composite):
    """Point 1: neither its leftovers nor another scan's nodes."""
    import slicer

    scene, other = slicer.mrmlScene, select_input(widget, "other")
    widget.ui.analyzeButton.click()
    before = {node.GetID() for node in _own_nodes(scene)}
    gone = select_input(widget, "gone")
    widget.ui.analyzeButton.click()
    assert len(_own_nodes(scene)) > len(before)
    scene.RemoveNode(gone)
    assert {node.GetID() for node in _own_nodes(scene)} == before
    assert list(slicer.util.getNodes("gone*")) == []
    assert widget.parameters.inputVolume is None  # the selector, which is none here, may choose another scan
    assert layers(composite) == [None, None]
    assert widget.ui.answerLabel.text == "No result yet"
    widget.parameters.inputVolume = other
    assert widget.ui.answerLabel.text == "Reduced"
    assert layers(composite) == ["DaTscan AI MRI template", "other relevance"]


def _own_nodes(scene):
    """Nodes of cases, without what all cases share and what display nodes bring along."""
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    return [
        node
        for node in nodes
        if node.IsA("vtkMRMLStorableNode")
        and not node.IsA("vtkMRMLColorNode")
        and not node.GetAttribute("DaTscanAI.Shared")
        and node.GetName() not in ("gone", "other", "DaTscanAI")
    ]


def test_a_scan_that_something_else_loads_is_selected(widget, composite):
    """Point 16: dropped on the window, or from another module; an empty volume is none."""
    import slicer

    first = select_input(widget, "first")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    assert widget.parameters.inputVolume is first
    dropped = slicer.vtkMRMLScalarVolumeNode()
    dropped.SetName("dropped")
    dropped.SetAndObserveImageData(first.GetImageData())
    slicer.mrmlScene.AddNode(dropped)
    assert widget.parameters.inputVolume is dropped
    assert widget.ui.statusLabel.text == "dropped: not analyzed yet."
    assert layers(composite) == ["dropped", None]


def test_a_scan_that_the_console_has_analyzed_is_selected_and_shown(widget, quick, composite):
    """Point 16: panel and views show the same, with the model and the method of the result."""
    import slicer

    from DaTscanAILib.quantification.other_method import Method

    select_input(widget, "first")
    volume = add_input(slicer, "second")
    widget.logic.process(volume, model="some model", method=Method({"caudate": 5, "putamen": 7, "striatum": 15}))
    assert widget.parameters.inputVolume is volume
    assert (widget.parameters.model, widget.parameters.putamenVolume) == ("some model", 7)
    assert widget.ui.answerLabel.text == "Reduced"
    assert widget.ui.answerLabel.enabled
    assert layers(composite) == ["DaTscan AI MRI template", "second relevance"]


# ---- results


def test_analyze_shows_answer_numbers_and_what_ran(widget, model):
    widget.ui.loadSampleButton.click()
    widget.parameters.model = model
    widget.ui.analyzeButton.click()
    result = widget.logic.result(widget.parameters.inputVolume)
    ui = widget.ui
    assert ui.answerLabel.text == result["classification"]["label"].capitalize()
    assert "Probability of reduced uptake: " in ui.answerDetailLabel.text
    assert "Registration quality " in ui.detailsLabel.text
    assert ui.statusLabel.text == f"DaTscanReduced: {result['classification']['label']}."
    assert ui.registrationQualityLabel.text.endswith("GREEN, good")
    assert "trained_on" not in ui.detailsLabel.text
    assert "nothing at all" in ui.detailsLabel.text
    assert ui.deviceLabel.text == "cpu in the last run"
    assert ui.lowerSideLabel.text == "right"
    assert result["quantification"]["normals"] is None  # none were asked for
    table = [call[1] for call in ui.sbrTableView.calls if call[0] == "setMRMLTableNode"][-1]
    assert table.GetCellText(1, 0) == "Putamen"
    assert not ui.progressBar.visible
    assert ui.progressBar.value == ui.progressBar.maximum == 3  # point 16: it gets there
    assert ui.analyzeButton.text == "Analyze"
    assert "DaTscanReduced: registering to the FP-CIT template" in log_of(widget)
    assert "DaTscanReduced: classifying and explaining" in log_of(widget)


def test_the_language_of_the_report_is_chosen_beside_its_button(widget, monkeypatch):
    import slicer

    selector = widget.ui.reportLanguageSelector
    assert [call[1] for call in selector.calls if call[0] == "addItem"] == ["English", "Deutsch"]
    assert selector.currentIndex == 0
    monkeypatch.setitem(slicer.app.settings, "DaTscanAI/ReportLanguage", "de")
    widget.refresh()
    assert (selector.currentIndex, widget.parameters.reportLanguage) == (1, "")
    selector.currentIndex = 0
    assert widget.parameters.reportLanguage == "en"
    widget.refresh()
    assert selector.currentIndex == 0


def test_the_results_of_a_dicom_scan_can_be_saved_as_dicom(widget, monkeypatch, tmp_path):
    """Offered for DICOM scans alone, once there is a result; the choice of the folder says that they identify."""
    import qt
    import slicer

    from DaTscanAILib.slicer_adapters.running import put_analysis

    asked, saved, button = [], [], widget.ui.dicomResultsButton
    monkeypatch.setattr(widget.logic, "saveDicomResults", lambda *arguments: saved.append(arguments))
    choose = lambda _parent, title: asked.append(title) or str(tmp_path)  # noqa: E731
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", choose, raising=False)
    other = add_input(slicer)
    put_analysis(other, synthetic_analysis())
    widget.parameters.inputVolume = other
    assert not button.enabled
    assert "Only DICOM scans" in button.toolTip
    volume = widget.logic.loadSample("reduced")
    widget.parameters.inputVolume = volume
    assert not button.enabled
    put_analysis(volume, synthetic_analysis())
    widget.refresh()
    assert button.enabled
    assert "patient's name" in button.toolTip
    button.click()
    assert "patient's name" in asked[0]
    assert saved == [(volume, str(tmp_path))]


def test_ctrl_enter_analyzes_but_does_not_cancel(widget, quick, monkeypatch):
    keys = {shortcut.keys: shortcut for shortcut in widget._shortcuts}
    assert set(keys) == {"Ctrl+Return", "Ctrl+Enter"}
    keys["Ctrl+Enter"].press()  # nothing is selected
    assert quick.requests == []
    select_input(widget)
    keys["Ctrl+Return"].press()
    assert [request.last_stage for request in quick.requests] == ["classification"]
    cancelled = []
    monkeypatch.setattr(type(widget.runs), "isIdle", False)
    monkeypatch.setattr(widget.runs, "cancel", lambda: cancelled.append(1))
    keys["Ctrl+Enter"].press()
    assert cancelled == []


FLIPS = {"flipLeftButton": "left-right", "flipSuperiorButton": "head-foot", "flipFrontButton": "front-back"}


@pytest.mark.parametrize("button", FLIPS)
def test_after_a_flip_the_old_answer_is_gray_and_says_why(widget, quick, composite, button):
    """Point 2, at once, in answer, table, status, report and views."""
    import slicer

    from DaTscanAILib.slicer_adapters.case import RENDERING, Case

    volume = select_input(widget)
    ui = widget.ui
    ui.analyzeButton.click()
    assert (ui.answerLabel.text, ui.answerLabel.enabled, ui.reportButton.enabled) == ("Reduced", True, True)
    assert layers(composite) == ["DaTscan AI MRI template", "scan relevance"]
    getattr(ui, button).click()
    sentence = f"belongs to the scan before the flip {FLIPS[button]}"
    assert ui.answerLabel.text == "Reduced (outdated)"
    assert sentence in ui.outdatedLabel.text
    assert ui.statusLabel.text == f"scan: the answer {sentence}. Analyze again."
    gray = (ui.answerLabel, ui.answerDetailLabel, ui.sbrTableView, ui.detailsLabel, ui.lowerSideLabel)
    assert not any(part.enabled for part in gray)
    assert not ui.reportButton.enabled
    assert "analyze the scan again" in ui.reportButton.toolTip
    assert not ui.comparisonSelector.enabled
    assert layers(composite) == ["scan", None]
    display = slicer.modules.volumerendering.logic().GetFirstVolumeRenderingDisplayNode
    assert not display(Case.of(volume).get(RENDERING)).GetVisibility()
    assert not any(node.GetVisibility() for node in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"))
    ui.analyzeButton.click()
    assert (ui.answerLabel.text, ui.answerLabel.enabled, ui.reportButton.enabled) == ("Reduced", True, True)
    assert ui.outdatedLabel.text == ""
    assert layers(composite) == ["DaTscan AI MRI template", "scan relevance"]


def test_a_change_from_outside_the_panel_outdates_the_answer_at_once(widget, quick, composite):
    """Point 2: another module edits the voxels."""
    import slicer

    volume = select_input(widget)
    widget.ui.analyzeButton.click()
    slicer.util.arrayFromVolume(volume)[3, 4, 5] = 9
    slicer.util.arrayFromVolumeModified(volume)
    assert widget.ui.answerLabel.text == "Reduced (outdated)"
    assert "before its voxels were changed" in widget.ui.statusLabel.text
    assert layers(composite) == ["scan", None]


def test_other_choices_outdate_what_they_decide_alone(widget, quick):
    """Point 2: the method the SBRs, the model the answer; going back makes both current again."""
    select_input(widget)
    ui = widget.ui
    ui.analyzeButton.click()
    widget.parameters.putamenVolume = 5.0
    assert (ui.answerLabel.enabled, ui.sbrTableView.enabled, ui.reportButton.enabled) == (True, False, False)
    assert (
        ui.statusLabel.text
        == "scan: the measurement was measured by another method than is chosen now. Measure again."
    )
    ui.defaultMethodButton.click()
    assert (ui.answerLabel.enabled, ui.sbrTableView.enabled, ui.reportButton.enabled) == (True, True, True)
    widget.parameters.model = "another"
    assert (ui.answerLabel.enabled, ui.sbrTableView.enabled, ui.reportButton.enabled) == (False, True, False)
    assert "was given by another model" in ui.statusLabel.text


def test_no_warnings_and_no_outdated_result_take_no_room(widget, quick):
    """Point 12 and 17."""
    select_input(widget)
    widget.ui.analyzeButton.click()
    assert not widget.ui.warningsLabel.visible
    assert not widget.ui.outdatedLabel.visible
    assert "none" not in widget.ui.warningsLabel.text


# ---- the sentence below the button


def test_the_status_belongs_to_the_selected_scan(widget, quick):
    """Point 4: it follows the selection."""
    first = select_input(widget, "first")
    widget.ui.analyzeButton.click()
    assert widget.ui.statusLabel.text == "first: reduced."
    second = select_input(widget, "second")
    assert widget.ui.statusLabel.text == "second: not analyzed yet."
    widget.runs.note(second, "the disk is full.")
    widget.refresh()
    assert widget.ui.statusLabel.text == "second: the disk is full."
    widget.parameters.inputVolume = first
    assert widget.ui.statusLabel.text == "first: reduced."
    widget.parameters.inputVolume = second
    assert widget.ui.statusLabel.text == "second: the disk is full."
    widget.ui.flipLeftButton.click()  # it is no longer the scan of which that was said
    assert widget.ui.statusLabel.text == "second: not analyzed yet."


def test_a_run_that_ends_while_another_module_is_open_is_shown_on_return(widget, quick, composite, monkeypatch):
    """Point 4."""
    import slicer

    waiting = []
    monkeypatch.setattr(slicer.util, "launchConsoleProcess", lambda *args, **options: waiting.append((args, options)))
    select_input(widget)
    widget.ui.analyzeButton.click()
    assert widget.ui.statusLabel.text == "Analyzing scan"
    widget.exit()
    (args, options) = waiting[0]
    run_now(*args, **options)
    assert layers(composite) == ["scan", None]  # the views are another module's now
    widget.enter()
    assert widget.ui.statusLabel.text == "scan: reduced."
    assert widget.ui.answerLabel.text == "Reduced"
    assert layers(composite) == ["DaTscan AI MRI template", "scan relevance"]


def test_a_run_that_ends_when_another_scan_is_selected_does_not_speak_for_that(widget, quick, composite, monkeypatch):
    """Point 4."""
    import slicer

    waiting = []
    monkeypatch.setattr(slicer.util, "launchConsoleProcess", lambda *args, **options: waiting.append((args, options)))
    first = select_input(widget, "first")
    widget.ui.analyzeButton.click()
    select_input(widget, "second")
    (args, options) = waiting[0]
    run_now(*args, **options)
    assert widget.ui.statusLabel.text == "second: not analyzed yet."
    assert widget.ui.answerLabel.text == "No result yet"
    assert layers(composite) == ["second", None]
    widget.parameters.inputVolume = first
    assert widget.ui.statusLabel.text == "first: reduced."


def test_while_it_runs_the_button_cancels_and_all_else_is_disabled(widget, monkeypatch, model):
    import slicer

    running = {}

    def launch(_arguments, completedCallback, **_):
        running["completed"] = completedCallback

    monkeypatch.setattr(slicer.util, "launchConsoleProcess", launch)
    widget.ui.loadSampleButton.click()
    widget.parameters.model = model
    widget.ui.analyzeButton.click()
    enabled = {name for name, entry in vars(widget.ui).items() if name.endswith("Button") and entry.enabled}
    assert widget.ui.analyzeButton.text == "Cancel"
    assert enabled & _ACTIONS == {"analyzeButton"}
    widget.ui.analyzeButton.click()
    assert widget.ui.statusLabel.text == "Cancelling..."
    running["completed"](3)
    assert widget.ui.statusLabel.text == "DaTscanReduced: Cancelled."
    assert widget.ui.analyzeButton.text == "Analyze"
    assert widget.logic.result(widget.parameters.inputVolume) is None


_ACTIONS = {
    f"{name}Button"
    for names in (
        "loadScan loadSample loadNormalSample flipSuperior flipLeft flipFront analyze register adjust",
        "resetRegistration quantify classify showViews report runBatch installTorch",
    )
    for name in names.split()
}


def test_closing_slicer_during_a_run_leaves_nothing_behind(widget, quick, monkeypatch, tmp_path):
    """Point 15: the folder with the scan's voxels goes with the panel."""
    import slicer

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(slicer.util, "launchConsoleProcess", lambda *_args, **_options: None)
    select_input(widget)
    widget.ui.analyzeButton.click()
    (folder,) = tmp_path.glob("DaTscanAI-*")
    assert (folder / worker.REQUEST).stat().st_size > 3e6
    widget.cleanup()
    assert list(tmp_path.iterdir()) == []


def test_the_map_that_is_chosen_is_asked_for_and_shown_when_there_are_both(widget, monkeypatch):
    from DaTscanAILib.slicer_adapters.case import RELEVANCE, Case
    from DaTscanAILib.slicer_adapters.parameters import Map

    requests = []

    def run(request, _progress):
        requests.append(request)
        analysis = synthetic_analysis()
        other = {**analysis.result["explanation"], "map": "the other"}
        waiting = {"integrated-gradients": "lrp", "lrp": "integrated-gradients"}[request.map_method]
        return replace(analysis, other_maps={waiting: (-analysis.relevance, other)})

    monkeypatch.setattr("DaTscanAILib.slicer_adapters.work.ScanRequest.run", run)
    volume = select_input(widget)
    widget.parameters.mapMethod = Map.LRP
    widget.ui.analyzeButton.click()
    assert [request.map_method for request in requests] == ["lrp"]
    first = slicer_array(Case.of(volume).get(RELEVANCE))
    widget.parameters.mapMethod = Map.INTEGRATED_GRADIENTS
    widget.refresh()
    assert (slicer_array(Case.of(volume).get(RELEVANCE)) == -first).all()
    assert widget.logic.result(volume)["explanation"]["map"] == "the other"
    assert widget.ui.answerLabel.text == "Reduced"  # not outdated
    assert len(requests) == 1


def slicer_array(node):
    import slicer

    return slicer.util.arrayFromVolume(node).copy()


# ---- registration


def test_each_stage_runs_by_itself(widget):
    widget.ui.loadSampleButton.click()
    widget.ui.registerButton.click()
    assert widget.ui.registrationQualityLabel.text.endswith("GREEN, good")
    assert widget.ui.statusLabel.text == "DaTscanReduced: registered, not measured yet."
    assert widget.ui.lowerSideLabel.text == "not measured yet"
    assert not widget.ui.sbrTableView.visible
    widget.ui.quantifyButton.click()
    assert widget.ui.lowerSideLabel.text == "right"
    assert widget.ui.sbrTableView.visible
    assert widget.ui.answerLabel.text == "Not classified"
    assert widget.ui.statusLabel.text == "DaTscanReduced: measured, not classified yet."


def test_register_ends_in_the_fused_comparison_and_choosing_acts_at_once(widget, quick, composite):
    """Points 6 and 7: no button between."""
    from DaTscanAILib.slicer_adapters.parameters import Comparison

    select_input(widget)
    widget.ui.registerButton.click()
    assert widget.parameters.comparison is Comparison.FUSED
    assert layers(composite) == ["DaTscan AI FP-CIT template", "scan"]
    widget.parameters.comparison = Comparison.CHECKERBOARD
    assert layers(composite) == ["scan checkerboard", None]
    widget.parameters.comparison = Comparison.SIDE_BY_SIDE
    assert layers(composite) == ["scan", None]
    widget.ui.analyzeButton.click()
    assert widget.parameters.comparison is Comparison.NONE
    assert layers(composite) == ["DaTscan AI MRI template", "scan relevance"]
    widget.parameters.comparison = Comparison.FUSED
    widget.ui.showViewsButton.click()
    assert layers(composite) == ["DaTscan AI MRI template", "scan relevance"]
    assert not hasattr(widget.ui, "compareButton")


def test_registering_again_keeps_the_answer_unless_it_lands_elsewhere(widget, quick):
    """Point 5."""
    select_input(widget)
    ui = widget.ui
    ui.analyzeButton.click()
    ui.registerButton.click()
    assert (ui.answerLabel.text, ui.answerLabel.enabled) == ("Reduced", True)
    assert ui.statusLabel.text == "scan: reduced."
    quick.shift = 3.0
    ui.registerButton.click()
    assert ui.answerLabel.text == "Reduced (outdated)"
    assert "belongs to the registration before it was changed" in ui.outdatedLabel.text
    ui.quantifyButton.click()
    assert ui.sbrTableView.enabled
    assert ui.answerLabel.text == "Reduced (outdated)"


SLIDERS = ("right", "front", "up", "pitch", "roll", "yaw")


def sliders_of(ui):
    return [getattr(ui, f"{name}Slider") for name in SLIDERS]


def test_adjusting_starts_at_zero_acts_as_an_offset_and_can_be_taken_back(widget):
    """Point 8, with the quality of what the sliders make (point 3)."""
    import numpy as np
    import slicer

    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case

    ui = widget.ui
    ui.loadSampleButton.click()
    ui.registerButton.click()
    transform = Case.of(widget.parameters.inputVolume).get(TRANSFORM)
    automatic = slicer.util.arrayFromTransformMatrix(transform)
    assert not ui.adjustFrame.visible
    ui.adjustButton.checked = True
    assert ui.adjustFrame.visible
    assert [slider.value for slider in sliders_of(ui)] == pytest.approx([0] * 6, abs=1e-6)
    ui.upSlider.drag(5, 12)
    moved = slicer.util.arrayFromTransformMatrix(transform)
    assert moved[:3, 3] - automatic[:3, 3] == pytest.approx([0, 0, 12])
    assert moved[:3, :3] == pytest.approx(automatic[:3, :3])
    assert re.search(r"By hand, 11\.\d mm from the automatic one", ui.registrationQualityLabel.text)
    assert "RED, not accepted" in ui.registrationQualityLabel.text
    assert "Measure or analyze to use it." in ui.registrationQualityLabel.text
    ui.yawSlider.drag(-8)
    turned = slicer.util.arrayFromTransformMatrix(transform)
    center = np.linalg.inv(automatic) @ [0, -18, 8, 1]
    assert (turned @ center)[:3] == pytest.approx([0, -18, 20])  # it turns about the middle of the brain
    ui.resetRegistrationButton.click()
    assert slicer.util.arrayFromTransformMatrix(transform) == pytest.approx(automatic, abs=1e-9)
    assert [slider.value for slider in sliders_of(ui)] == pytest.approx([0] * 6, abs=1e-6)
    assert ui.registrationQualityLabel.text.endswith("GREEN, good")


def test_after_measuring_by_hand_the_button_comes_up_and_the_sliders_go_on_later(widget):
    """Point 8; the numbers say that they are by hand (point 3)."""
    ui = widget.ui
    ui.loadSampleButton.click()
    ui.registerButton.click()
    ui.adjustButton.checked = True
    ui.frontSlider.drag(2)
    ui.quantifyButton.click()
    assert widget.logic.result(widget.parameters.inputVolume)["registration"]["manual"] is True
    assert not ui.adjustButton.checked
    assert not ui.adjustFrame.visible
    assert ui.registrationQualityLabel.text.endswith("from the automatic one.")
    assert "by hand" in ui.detailsLabel.text
    ui.adjustButton.checked = True
    assert ui.frontSlider.value == pytest.approx(2, abs=1e-6)
    ui.frontSlider.drag(3)
    assert "Measure or analyze to use it." in ui.registrationQualityLabel.text


def test_the_sliders_move_the_transform_of_the_selected_scan_alone(widget, quick):
    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case, is_by_hand

    ui, transforms, volumes = widget.ui, [], []
    for name in ("first", "second"):
        volumes.append(select_input(widget, name))
        ui.registerButton.click()
        transforms.append(Case.of(volumes[-1]).get(TRANSFORM))
        ui.adjustButton.checked = True
    first, second = transforms
    assert not is_by_hand(first)
    widget.parameters.inputVolume = volumes[0]
    assert not ui.adjustButton.checked
    ui.upSlider.drag(20)
    assert not is_by_hand(second)
    assert not is_by_hand(first)
    ui.adjustButton.checked = True
    ui.upSlider.drag(10)
    assert is_by_hand(first)
    assert not is_by_hand(second)


def test_the_lower_side_changing_by_hand_is_said(widget):
    """Point 3: the scan is turned about by hand, so that left and right exchange their values."""
    import numpy as np
    import slicer

    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case

    widget.ui.loadSampleButton.click()
    widget.ui.registerButton.click()
    volume = widget.parameters.inputVolume
    transform = Case.of(volume).get(TRANSFORM)
    turn = np.diag([-1.0, -1, 1, 1])
    slicer.util.updateTransformMatrixFromArray(transform, turn @ slicer.util.arrayFromTransformMatrix(transform))
    widget.ui.quantifyButton.click()
    warnings = widget.logic.result(volume)["warnings"]
    assert any(
        "the left putamen is the lower one, with the automatic one it is the right" in line for line in warnings
    )
    assert any("does not fit the template" in line for line in warnings)
    assert "the left putamen" in widget.ui.warningsLabel.text
    assert widget.logic.result(volume)["registration"]["accepted"] is False


def test_errors_are_said_in_the_panel(widget, tmp_path):
    widget.ui.loadSampleButton.click()
    widget.parameters.model = str(tmp_path / "no model")
    widget.ui.classifyButton.click()
    assert "There is no model 'no model'" in widget.ui.statusLabel.text
    assert widget.ui.analyzeButton.text == "Analyze"
    assert widget.ui.analyzeButton.enabled


def test_a_result_that_cannot_be_shown_ends_the_task_and_is_said(widget, monkeypatch):
    from DaTscanAILib.slicer_adapters import running

    monkeypatch.setattr(running, "put_analysis", fail)
    widget.ui.loadSampleButton.click()
    widget.ui.quantifyButton.click()
    assert widget.ui.statusLabel.text == "DaTscanReduced: The result could not be shown: see the log."
    assert widget.ui.analyzeButton.text == "Analyze"
    assert widget.ui.quantifyButton.enabled


def test_an_answer_that_cannot_be_read_ends_the_task_and_is_said(widget, monkeypatch):
    import slicer

    def launch(arguments, completedCallback, **_options):
        (Path(arguments[-1]) / worker.ANSWER).write_bytes(b"cut short")
        completedCallback(worker.DONE)

    monkeypatch.setattr(slicer.util, "launchConsoleProcess", launch)
    widget.ui.loadSampleButton.click()
    widget.ui.quantifyButton.click()
    assert widget.ui.statusLabel.text == "DaTscanReduced: The result of the analysis could not be read: see the log."
    assert widget.ui.analyzeButton.text == "Analyze"


def test_progress_that_cannot_be_shown_does_not_stop_the_task(widget, monkeypatch, caplog):
    monkeypatch.setattr(widget.runs, "_onStage", fail)
    widget.ui.loadSampleButton.click()
    widget.ui.quantifyButton.click()
    assert widget.ui.lowerSideLabel.text == "right"
    assert widget.ui.analyzeButton.text == "Analyze"
    assert "RuntimeError: a defect" in caplog.text


def fail(*_arguments):
    raise RuntimeError("a defect")


def test_the_command_that_slicer_starts_is_the_worker(widget, monkeypatch, tmp_path):
    import slicer

    monkeypatch.setattr(slicer.util, "launchConsoleProcess", run_in_process)
    widget.parameters.batchInput, widget.parameters.batchOutput = str(tmp_path / "nowhere"), str(tmp_path / "out")
    widget.ui.runBatchButton.enabled = True
    widget.ui.runBatchButton.click()
    assert "nowhere" in widget.ui.batchStatusLabel.text
    assert widget.ui.runBatchButton.text == "Analyze all"


def test_a_missing_interpreter_is_said(widget, monkeypatch):
    from DaTscanAILib.slicer_adapters import processes

    monkeypatch.setattr(processes.shutil, "which", lambda _name: None)
    widget.ui.loadSampleButton.click()
    widget.ui.registerButton.click()
    assert "PythonSlicer" in widget.ui.statusLabel.text
    assert widget.ui.analyzeButton.enabled


def test_the_batch_runs_from_the_panel_and_opens_its_table(widget, model, tmp_path):
    import slicer

    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "good.dcm").write_bytes(SAMPLE.read_bytes())
    (scans / "broken.nii").write_bytes(b"no scan")
    ui = widget.ui
    widget.parameters.model = model
    widget.parameters.batchReport = False
    ui.batchInputEdit.currentPath = str(scans)
    assert not ui.runBatchButton.enabled
    ui.batchOutputEdit.currentPath = str(tmp_path / "out")
    assert ui.runBatchButton.enabled
    ui.runBatchButton.click()
    assert ui.batchStatusLabel.text == "2 scans, 1 failed."
    assert ui.runBatchButton.text == "Analyze all"
    log = [call[1] for call in ui.logText.calls]
    assert any(line.startswith("[2/2] good: ") for line in log)
    table = slicer.util.getFirstNodeByClassByName("vtkMRMLTableNode", "DaTscan AI results")
    assert table.GetNumberOfRows() == 2


def test_dicom_results_are_offered_for_dicom_alone(widget, monkeypatch, tmp_path):
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "good.dcm").write_bytes(SAMPLE.read_bytes()[:1000])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "scan.nii").write_bytes(b"no DICOM")
    (tmp_path / "list.csv").write_text("scan\ndicom/good.dcm\n")
    asked, ui = [], widget.ui
    monkeypatch.setattr(widget.logic, "processBatch", lambda *_, **options: asked.append(options["dicomResults"]))
    ui.batchOutputEdit.currentPath = str(tmp_path / "out")
    widget.parameters.batchDicom = True
    for name, offered in (("dicom", True), ("other", False), ("list.csv", True), ("nowhere", False)):
        ui.batchInputEdit.currentPath = str(tmp_path / name)
        assert ui.batchDicomCheckBox.enabled is offered
        assert ("Only for DICOM" in ui.batchDicomCheckBox.toolTip) is not offered
        ui.runBatchButton.click()
    assert asked == [True, False, True, False]


def test_settings_change_the_views_once_and_without_moving_them(widget, monkeypatch):
    import slicer

    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = add_input(slicer)
    put_analysis(volume, synthetic_analysis())
    widget.parameters.inputVolume = volume
    shown = []
    monkeypatch.setattr(widget.views, "_show", lambda *args, **options: shown.append((args, options)))
    widget.parameters.threshold = 0.4
    assert shown == [((volume,), {"keep_position": True})]
    widget.parameters.batchReport = False
    assert len(shown) == 1
    assert widget.ui.answerLabel.text == "Reduced"


def test_models_are_listed_and_a_folder_can_be_chosen(widget):
    ui = widget.ui
    names = [call[1] for call in ui.modelSelector.calls if call[0] == "addItem"]
    shipped, folder = 0, len(names) - 1
    assert names[folder] == "Model folder"
    for index in (shipped, folder):
        ui.modelSelector.currentIndex = folder
        ui.modelSelector.currentIndex = index
        assert ui.modelSelector.currentIndex == index
        assert ui.modelFolderEdit.visible == (index == folder)
    ui.modelFolderEdit.currentPath = "some/folder"
    assert widget.parameters.model == "some/folder"
    ui.modelSelector.currentIndex = shipped
    assert widget.parameters.model == names[shipped]
    ui.modelSelector.currentIndex = folder
    assert widget.parameters.model == "some/folder"


def test_closing_the_scene_empties_the_panel(widget):
    import slicer

    widget.ui.loadSampleButton.click()
    slicer.mrmlScene.Clear(False)
    assert widget.parameters is not None
    assert widget.parameters.inputVolume is None
    assert widget.ui.geometryLabel.text == "No scan is selected."
    assert not widget.ui.analyzeButton.enabled


def test_opening_the_module_loads_no_heavy_package():
    """Neither torch nor monai nor matplotlib when the panel is made, entered and a sample is loaded."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from slicer_environment import prepare; slicer = prepare()\n"
        "from fake_ui import Parent, fake_ui; ui = fake_ui()\n"
        "slicer.util.loadUI = lambda _: ui.DaTscanAI; slicer.util.childWidgetVariables = lambda _: ui\n"
        "import DaTscanAI; widget = DaTscanAI.DaTscanAIWidget(Parent()); widget.setup(); widget.enter()\n"
        "heavy = ('torch', 'monai', 'matplotlib', 'scipy', 'SimpleITK', 'pydicom')\n"
        "early = [name for name in heavy if name in sys.modules]\n"
        "ui.loadSampleButton.click(); widget.cleanup()\n"
        "late = [name for name in ('torch', 'monai', 'matplotlib', 'pandas') if name in sys.modules]\n"
        "print('loaded:', early, late)\n"
    )
    folders = [str(MODULE_FOLDER), str(MODULE_FOLDER.parent / "Testing" / "support")]
    done = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, text=True)
    assert "loaded: [] []" in done.stdout, done.stdout + done.stderr


# ---- installation


@pytest.fixture
def asked(monkeypatch):
    """Questions that were asked; `answer` is the number of the button that is clicked, None for Cancel."""
    slicer = prepare()
    from DaTscanAILib.slicer_adapters import installation

    asked = SimpleNamespace(texts=[], buttons=[], answer=0, installed=[], has_torch=False)

    def choose(_title, text, buttons):
        asked.texts.append(text)
        asked.buttons.append(buttons)
        return None if asked.answer is None else buttons[asked.answer]

    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    monkeypatch.setattr(installation, "_choose", choose)
    monkeypatch.setattr(slicer.util, "WaitCursor", contextlib.nullcontext, raising=False)
    monkeypatch.setattr(installation, "has_torch", lambda: asked.has_torch)
    return asked


def give_pytorch_utils(monkeypatch, asked):
    utils = SimpleNamespace(PyTorchUtilsLogic=lambda: SimpleNamespace(installTorch=install))

    def install(**options):
        asked.installed.append(options)
        asked.has_torch = True

    monkeypatch.setitem(sys.modules, "PyTorchUtils", utils)


def test_nothing_is_asked_where_pytorch_is_installed(asked):
    from DaTscanAILib.slicer_adapters.installation import ensure_torch

    asked.has_torch = True
    assert ensure_torch()
    assert asked.texts == []


def test_pytorch_is_installed_by_its_extension_after_one_question(asked, monkeypatch):
    from DaTscanAILib.slicer_adapters.installation import ensure_torch

    give_pytorch_utils(monkeypatch, asked)
    assert ensure_torch()
    (text,) = asked.texts
    assert all(part in text for part in ("need PyTorch", "0.2 GB", "3 GB", "not classified"))
    assert asked.buttons == [["Install PyTorch", "Measure only"]]
    assert asked.installed == [{"askConfirmation": False, "torchVersionRequirement": ">=2.1"}]


@pytest.mark.parametrize(("answer", "goes_on"), [(1, True), (None, False)])
def test_who_declines_still_gets_the_measurement_and_who_cancels_nothing(asked, monkeypatch, answer, goes_on):
    from DaTscanAILib.slicer_adapters.installation import ensure_torch

    give_pytorch_utils(monkeypatch, asked)
    asked.answer = answer
    assert ensure_torch() is goes_on
    assert asked.installed == []


@pytest.mark.parametrize("works", [True, False])
def test_without_the_extension_a_button_installs_it_or_opens_the_extensions_manager(asked, monkeypatch, works):
    """Point 13."""
    import slicer

    from DaTscanAILib.slicer_adapters.installation import ensure_torch

    done = []
    manager = SimpleNamespace(installExtensionFromServer=lambda name: done.append(name) or works)
    monkeypatch.setattr(slicer.app, "extensionsManagerModel", lambda: manager, raising=False)
    monkeypatch.setattr(slicer.app, "openExtensionsManagerDialog", lambda: done.append("opened"), raising=False)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)  # importing it fails
    assert ensure_torch() is False  # Slicer has to be started again
    assert done == ["PyTorch"] + ["opened"] * (not works)
    assert "GB" in asked.texts[0]
    assert asked.buttons == [["Install the extension PyTorch", "Measure only"]]


def test_without_pytorch_the_sentence_stands_once(widget, monkeypatch):
    """Point 13: in the result; the line below the button says where to look."""
    monkeypatch.setitem(sys.modules, "torch", None)
    widget.ui.loadSampleButton.click()
    widget.ui.analyzeButton.click()
    texts = [entry.text for entry in vars(widget.ui).values() if "text" in vars(entry)["_state"]]
    assert sum("PyTorch is not installed, so the scan was measured" in text for text in texts) == 1
    assert widget.ui.statusLabel.text == "DaTscanReduced: not classified; the result says why."
    assert widget.ui.answerLabel.text == "Not classified"
    assert not widget.ui.warningsLabel.visible


# ---- sides


def test_slice_views_name_no_sides_while_they_show_a_scan_of_unknown_ones(widget, composite):
    import slicer

    from DaTscanAILib.slicer_adapters.running import put_analysis

    def letters():
        return view.GetAxisLabel(0) + view.GetAxisLabel(1)

    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode")
    view.SetLayoutName("Red")
    volume, analysis = select_input(widget), synthetic_analysis()
    analysis.result["registration"]["sides_known"] = False
    put_analysis(volume, analysis)
    composite.SetBackgroundVolumeID(volume.GetID())
    assert letters() == "??"
    other = add_input(slicer, "other")
    composite.SetBackgroundVolumeID(other.GetID())
    composite.SetForegroundVolumeID(None)
    assert letters() == "LR"
    composite.SetForegroundVolumeID(volume.GetID())
    assert letters() == "??"
    widget.exit()
    assert letters() == "LR"


# ---- earlier scan


def test_an_earlier_scan_is_compared_and_the_change_is_shown(widget, composite, monkeypatch):
    from DaTscanAILib.slicer_adapters.parameters import Content

    monkeypatch.setattr("DaTscanAILib.slicer_adapters.work.compare_scans", synthetic_comparison)
    ui, prior = widget.ui, select_input(widget, "first")
    select_input(widget, "second")
    assert not ui.compareScansButton.enabled
    widget.parameters.priorVolume, widget.parameters.priorYears = prior, 2.0
    assert ui.compareScansButton.enabled
    ui.compareScansButton.click()
    assert widget.parameters.content is Content.CHANGE
    assert layers(composite) == ["second in MNI space", "second change"]
    table = [call[1] for call in ui.changeTableView.calls if call[0] == "setMRMLTableNode"][-1].GetTable()
    assert [table.GetValue(2, column).ToString() for column in (0, 3, 5)] == [
        "Putamen right",
        "-33 %",
        "beyond the published",
    ]
    assert ui.changeLabel.text.splitlines()[0] == "first - second (2.0 years apart)"
    assert "Look at both." in ui.changeLabel.text
    assert ui.comparisonReportButton.enabled
    hidden = set(ui.priorSelector.sortFilterProxyModel().hiddenNodeIDs)
    assert prior.GetID() not in hidden
    assert widget.parameters.inputVolume.GetID() not in hidden
    assert len(hidden) >= 3


def test_a_comparison_of_a_changed_scan_is_gray_and_shows_nothing(widget, composite, monkeypatch):
    import slicer

    monkeypatch.setattr("DaTscanAILib.slicer_adapters.work.compare_scans", synthetic_comparison)
    ui, prior = widget.ui, select_input(widget, "first")
    select_input(widget, "second")
    widget.parameters.priorVolume = prior
    ui.compareScansButton.click()
    slicer.util.arrayFromVolume(prior)[40, 50, 45] += 1
    slicer.util.arrayFromVolumeModified(prior)
    widget.refresh()
    assert ui.changeLabel.text.startswith("A scan, its registration or its results have changed since")
    assert not ui.changeLabel.enabled
    assert not ui.comparisonReportButton.enabled
    assert "second change" not in layers(composite)
    assert ui.compareScansButton.enabled


def test_a_comparison_that_fails_says_why(widget, monkeypatch):
    def fail(*_):
        raise DaTscanError("first: nothing can be compared: check it.")

    monkeypatch.setattr("DaTscanAILib.slicer_adapters.work.compare_scans", fail)
    prior = select_input(widget, "first")
    select_input(widget, "second")
    widget.parameters.priorVolume = prior
    widget.ui.compareScansButton.click()
    assert widget.ui.statusLabel.text == "second: first: nothing can be compared: check it."
    assert not widget.ui.changeTableView.visible
    assert widget.ui.compareScansButton.text == "Compare"
