"""Slicer's scene and the module's logic for the tests of this folder."""

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
