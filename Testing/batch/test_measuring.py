"""Scans measured for a database of normals: which are left out, and why."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from DaTscanAILib.batch import measuring
from DaTscanAILib.reading.inputs import Case


@pytest.mark.parametrize("smoothness", [None, 12.0])
def test_a_scan_of_unknown_sides_is_no_normal(smoothness, monkeypatch):
    registration = {"accepted": True, "quality": 0.9, "sides_known": False}
    analysis = SimpleNamespace(error=None, result={"registration": registration})
    monkeypatch.setattr(measuring, "scan_of_case", lambda _case: None)
    monkeypatch.setattr(measuring, "measure", lambda _scan, _name: analysis)
    found = measuring.measure_case(Case("one", Path("one.dcm")), smoothness)
    assert found.error == "one.dcm: left and right are unknown, and normals have them"
    assert found.values is None
