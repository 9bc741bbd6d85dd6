"""Scans of a batch, and the results of a run that nothing disturbs."""

import batch_stub
import pytest
from batch_runs import NAMES, analyze
from batch_stub import contents, write_scans


@pytest.fixture
def stub(monkeypatch):
    batch_stub.install(monkeypatch.setattr)


@pytest.fixture
def scans(tmp_path):
    return write_scans(tmp_path / "scans", NAMES)


@pytest.fixture
def undisturbed(scans, tmp_path):
    """Content of the results folder of a run that nothing disturbs."""
    analyze(scans, tmp_path / "undisturbed")
    return contents(tmp_path / "undisturbed")
