"""Scans measured for a database of normals: which are left out, and why."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from DaTscanAILib.batch import measuring, normals_building
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


def test_rows_of_normals_are_those_that_a_spreadsheet_shows(tmp_path, monkeypatch):
    """Excel's line `sep=` is not counted, blank lines and scans that are left out are."""

    def measured(cases, *_):
        return [measuring.MeasuredScan(case, voxels_sha256=case.name) for case in cases]

    monkeypatch.setattr(normals_building, "measure_cases", measured)
    names = [f"scan{number}.nii" for number in range(21)]
    for name in names:
        (tmp_path / name).touch()
    lines = ["sep=;", "scan;label", names[0], "", f"{names[1]};reduced", *names[2:]]
    manifest = tmp_path / "normals.csv"
    manifest.write_text("\n".join(lines) + "\n")
    assert [scan.row for scan in normals_building.usable_normals(manifest)] == [2, *range(5, 24)]
