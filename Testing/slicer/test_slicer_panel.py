"""The panel without Qt: every name and signal it uses exists, and its buttons do what they say."""

import contextlib
import json
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from fake_ui import MODULE_FOLDER, Parent, fake_ui
from slicer_cases import add_input, registered_once, synthetic_analysis, tiny_model
from slicer_environment import prepare

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.slicer_adapters import worker

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
    from DaTscanAILib.slicer_adapters import background

    ui = fake_ui()
    monkeypatch.setattr(slicer.util, "loadUI", lambda _path: ui.DaTscanAI, raising=False)
    monkeypatch.setattr(slicer.util, "childWidgetVariables", lambda _widget: ui, raising=False)
    monkeypatch.setattr(slicer.util, "launchConsoleProcess", run_now, raising=False)
    monkeypatch.setattr(background.shutil, "which", lambda name: name)
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, **_: pytest.fail(text), raising=False)
    widget = DaTscanAI.DaTscanAIWidget(Parent())
    widget.setup()
    widget.enter()
    yield widget
    widget.cleanup()


@pytest.fixture
def model(tmp_path):
    return str(tiny_model(tmp_path / "tiny").folder)


def texts(ui):
    return {name: ui.__dict__[name].text for name in ("answerLabel", "statusLabel", "geometryLabel", "votesLabel")}


def test_without_a_scan_only_loading_is_possible(widget):
    enabled = {name for name, entry in vars(widget.ui).items() if name.endswith("Button") and entry.enabled}
    sections = {name for name in enabled if name.endswith("CollapsibleButton")}
    assert enabled - sections == {
        "loadScanButton",
        "loadSampleButton",
        "loadNormalSampleButton",
        "manifestButton",
        "defaultMethodButton",
    }
    assert widget.ui.analyzeButton.toolTip == "Select or load a scan."
    assert widget.ui.answerLabel.text == "No result yet"


def test_a_click_on_load_sample_shows_its_geometry(widget):
    widget.ui.loadSampleButton.click()
    assert widget.parameters.inputVolume.GetName() == "DaTscanReduced"
    assert widget.ui.geometryLabel.text == (
        "128 x 128 x 72 voxels of 3.50 x 3.50 x 3.50 mm; axes run to left, back, foot (LPI)"
    )
    assert widget.ui.analyzeButton.enabled
    widget.ui.flipSuperiorButton.click()
    assert widget.ui.geometryLabel.text.endswith("(LPS)")


def test_analyze_shows_answer_numbers_and_what_ran(widget, model):
    widget.ui.loadSampleButton.click()
    widget.parameters.model = model
    widget.ui.analyzeButton.click()
    result = widget.logic.result(widget.parameters.inputVolume)
    ui = widget.ui
    assert ui.answerLabel.text == result["classification"]["label"].capitalize()
    assert "Probability of reduced uptake: " in ui.answerDetailLabel.text
    assert "quality 0." in ui.answerDetailLabel.text
    assert ui.statusLabel.text == f"Done. {ui.answerLabel.text}"
    assert ui.registrationQualityLabel.text.endswith("GREEN, good")
    assert "trained_on" not in ui.votesLabel.text
    assert "nothing at all" in ui.votesLabel.text
    assert ui.deviceLabel.text == "cpu in the last run"
    assert "Lower putamen: right" in ui.asymmetryLabel.text
    assert result["quantification"]["normals"] is None  # none were asked for
    table = [call[1] for call in ui.sbrTableView.calls if call[0] == "setMRMLTableNode"][-1]
    assert table.GetCellText(1, 0) == "Putamen"
    assert not ui.progressBar.visible
    assert ui.analyzeButton.text == "Analyze"
    log = [call[1] for call in ui.logText.calls if call[0] == "appendPlainText"]
    assert "Registering to the FP-CIT template" in log
    assert "Classifying and explaining" in log


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
    assert widget.ui.statusLabel.text == "Cancelled."
    assert widget.ui.analyzeButton.text == "Analyze"
    assert widget.logic.result(widget.parameters.inputVolume) is None


_ACTIONS = {
    f"{name}Button"
    for names in (
        "loadScan loadSample loadNormalSample flipSuperior flipLeft flipFront analyze register compare adjust",
        "resetRegistration quantify classify showViews report runBatch",
    )
    for name in names.split()
}


def test_each_stage_runs_by_itself(widget):
    widget.ui.loadSampleButton.click()
    widget.ui.registerButton.click()
    assert widget.ui.registrationQualityLabel.text.endswith("GREEN, good")
    assert widget.ui.asymmetryLabel.text == "not measured yet"
    widget.ui.quantifyButton.click()
    assert "Putamen asymmetry" in widget.ui.asymmetryLabel.text
    assert widget.ui.votesLabel.text == "not classified yet"
    assert widget.ui.answerLabel.text == "Not classified"


def test_adjusting_by_hand_is_noticed_used_and_taken_back(widget):
    import slicer

    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case

    ui = widget.ui
    ui.loadSampleButton.click()
    ui.registerButton.click()
    ui.adjustButton.checked = True
    transform = Case.of(widget.parameters.inputVolume).get(TRANSFORM)
    assert ui.rotationSliders.enabled
    ui.translationSliders.move(4)
    assert slicer.util.arrayFromTransformMatrix(transform)[0, 3] == 4
    assert ui.registrationQualityLabel.text.startswith("corrected by hand")
    ui.quantifyButton.click()
    assert widget.logic.result(widget.parameters.inputVolume)["registration"]["manual"] is True
    assert ui.registrationQualityLabel.text == "corrected by hand"
    ui.resetRegistrationButton.click()
    assert ui.registrationQualityLabel.text.endswith("GREEN, good")
    ui.adjustButton.checked = False
    assert not ui.rotationSliders.enabled
    assert ui.registrationQualityLabel.text.endswith("GREEN, good")


def test_the_sliders_move_the_transform_of_the_selected_scan_alone(widget):
    import slicer

    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case, is_by_hand

    ui, transforms = widget.ui, []
    for button in (ui.loadNormalSampleButton, ui.loadSampleButton):
        button.click()
        ui.registerButton.click()
        transforms.append(Case.of(widget.parameters.inputVolume).get(TRANSFORM))
        ui.adjustButton.checked = True
    first, second = transforms
    assert not is_by_hand(first)
    widget.parameters.inputVolume = slicer.util.getNode("DaTscanNormal")
    assert not ui.adjustButton.checked
    ui.resetRegistrationButton.click()
    ui.translationSliders.move(40)
    assert not is_by_hand(second)
    assert not is_by_hand(first)
    ui.adjustButton.checked = True
    ui.translationSliders.move(40)
    assert is_by_hand(first)


def test_the_sliders_stay_disabled_when_adjusting_has_ended(widget):
    ui = widget.ui
    ui.loadSampleButton.click()
    ui.registerButton.click()
    ui.adjustButton.checked = True
    ui.adjustButton.checked = False
    ui.registerButton.click()  # writes the transform anew
    assert not ui.translationSliders.enabled


def test_going_back_while_adjusting_leaves_the_sliders_bound(widget):
    ui = widget.ui
    ui.loadSampleButton.click()
    ui.registerButton.click()
    ui.adjustButton.checked = True
    for _ in range(2):
        ui.translationSliders.move(40)
        assert ui.registrationQualityLabel.text.startswith("corrected by hand")
        ui.resetRegistrationButton.click()
        assert ui.registrationQualityLabel.text.endswith("GREEN, good")


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
    assert widget.ui.statusLabel.text == "The result could not be shown: see the log."
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
    assert widget.ui.statusLabel.text == "The result of the analysis could not be read: see the log."
    assert widget.ui.analyzeButton.text == "Analyze"


def test_progress_that_cannot_be_shown_does_not_stop_the_task(widget, monkeypatch, caplog):
    monkeypatch.setattr(widget, "onProgress", fail)
    widget.ui.loadSampleButton.click()
    widget.ui.quantifyButton.click()
    assert "Putamen asymmetry" in widget.ui.asymmetryLabel.text
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
    assert "nowhere" in widget.ui.statusLabel.text
    assert widget.ui.runBatchButton.text == "Analyze all"


def test_a_missing_interpreter_is_said(widget, monkeypatch):
    from DaTscanAILib.slicer_adapters import background

    monkeypatch.setattr(background.shutil, "which", lambda _name: None)
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
    assert ui.statusLabel.text == "2 scans, 1 failed."
    assert ui.runBatchButton.text == "Analyze all"
    log = [call[1] for call in ui.logText.calls]
    assert any(line.startswith("[2/2] good: ") for line in log)
    table = slicer.util.getFirstNodeByClassByName("vtkMRMLTableNode", "DaTscan AI results")
    assert table.GetNumberOfRows() == 2


def test_settings_change_the_views_once_and_without_moving_them(widget, monkeypatch):
    import slicer

    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = add_input(slicer)
    put_analysis(volume, synthetic_analysis())
    widget.parameters.inputVolume = volume
    shown = []
    monkeypatch.setattr(widget.logic, "show", lambda *args, **options: shown.append((args, options)))
    widget.parameters.threshold = 0.4
    assert shown == [((volume,), {"keepPosition": True})]
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
        assert ui.modelFolderEdit.enabled == (index == folder)
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
    assert widget.ui.geometryLabel.text == "no scan is selected"
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
    """Questions that were asked; `answer` is given to each."""
    slicer = prepare()
    from DaTscanAILib.slicer_adapters import installation

    asked = SimpleNamespace(texts=[], answer=True, installed=[])

    def ask(text, _title):
        asked.texts.append(text)
        return asked.answer

    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", ask, raising=False)
    monkeypatch.setattr(slicer.util, "WaitCursor", contextlib.nullcontext, raising=False)
    monkeypatch.setattr(installation, "has_torch", lambda: False)
    return asked


def give_pytorch_utils(monkeypatch, asked):
    utils = SimpleNamespace(PyTorchUtilsLogic=lambda: SimpleNamespace(installTorch=install))

    def install(**options):
        asked.installed.append(options)

    monkeypatch.setitem(sys.modules, "PyTorchUtils", utils)


def test_nothing_is_asked_where_pytorch_is_installed(asked, monkeypatch):
    from DaTscanAILib.slicer_adapters import installation

    monkeypatch.setattr(installation, "has_torch", lambda: True)
    assert installation.ensure_torch()
    assert asked.texts == []


def test_pytorch_is_installed_by_its_extension_after_one_question(asked, monkeypatch):
    from DaTscanAILib.slicer_adapters.installation import ensure_torch

    give_pytorch_utils(monkeypatch, asked)
    assert ensure_torch()
    (text,) = asked.texts
    assert all(part in text for part in ("networks need PyTorch", "GB", "not classified"))
    assert asked.installed == [{"askConfirmation": False, "torchVersionRequirement": ">=2.1"}]


def test_who_declines_still_gets_the_measurement(asked, monkeypatch):
    from DaTscanAILib.slicer_adapters.installation import ensure_torch

    give_pytorch_utils(monkeypatch, asked)
    asked.answer = False
    assert ensure_torch()
    assert asked.installed == []


@pytest.mark.parametrize("answer", [True, False])
def test_without_the_extension_it_is_named(asked, monkeypatch, answer):
    from DaTscanAILib.slicer_adapters.installation import ensure_torch

    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)  # importing it fails
    asked.answer = answer
    assert ensure_torch() is answer
    assert "extension PyTorch" in asked.texts[0]


def test_training_packages_leave_torch_and_numpy_alone(monkeypatch):
    slicer = prepare()
    from DaTscanAILib.slicer_adapters.installation import ensure_training_packages

    calls = []
    packaging = SimpleNamespace(pip_ensure=lambda *args, **options: calls.append((args, options)))
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    monkeypatch.setattr(slicer, "packaging", packaging, raising=False)
    ensure_training_packages()
    ((requirements,), options) = calls[0]
    assert requirements == ["monai>=1.5", "pytorch-ignite>=0.5"]
    assert {"torch", "numpy"} <= set(options["skip_packages"])
