"""Slicer's scene, the module's logic and panel for the tests of this folder; Slicer is imported when asked for."""

from types import SimpleNamespace

import pytest


@pytest.fixture
def slicer(monkeypatch):
    """An empty scene; a scan that several tests register is registered once."""
    from slicer_cases import registered_once
    from slicer_environment import prepare

    monkeypatch.setattr("DaTscanAILib.analysis.register", registered_once)
    return prepare()


@pytest.fixture
def logic(slicer):
    from DaTscanAI import DaTscanAILogic

    return DaTscanAILogic()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Folder of a small untrained model."""
    from slicer_cases import tiny_model

    return str(tiny_model(tmp_path_factory.mktemp("models") / "tiny").folder)


@pytest.fixture
def widget(slicer, monkeypatch):
    """The module's widget, entered."""
    from fake_ui import Parent, fake_ui
    from slicer_panel import run_now

    import DaTscanAI
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
def quick(monkeypatch):
    """Every run gives the synthetic analysis up to its stage; the registrations that it found can be set."""
    from slicer_cases import analysis_up_to

    from DaTscanAILib.slicer_adapters.state import STAGES

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
