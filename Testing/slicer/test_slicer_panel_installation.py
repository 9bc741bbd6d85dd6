"""The panel without Qt: PyTorch is offered, installed, or done without."""

import contextlib
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_environment import prepare


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
