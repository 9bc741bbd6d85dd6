"""The panel without Qt: while something runs, when it ends, and when it fails."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_cases import SAMPLE
from slicer_panel import fail, layers, run_now, select_input

from DaTscanAILib.slicer_adapters import worker


def run_in_process(arguments, logCallback, completedCallback, blocking, useStartupEnvironment, updateEnvironment):
    """As `slicer.util.launchConsoleProcess`, but at once and with this interpreter."""
    assert (blocking, useStartupEnvironment, arguments[0]) == (False, False, "PythonSlicer")
    assert updateEnvironment == {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, *arguments[1:]], capture_output=True, text=True)
    for line in (done.stdout + done.stderr).splitlines():
        logCallback(line)
    completedCallback(done.returncode)


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
