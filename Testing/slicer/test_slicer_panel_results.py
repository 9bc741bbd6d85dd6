"""The panel without Qt: answers, numbers and reports, and when they are outdated."""

from dataclasses import replace

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_cases import SAMPLE, add_input, synthetic_analysis
from slicer_panel import layers, select_input


def log_of(widget):
    return [call[1] for call in widget.ui.logText.calls if call[0] == "appendPlainText"]


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
