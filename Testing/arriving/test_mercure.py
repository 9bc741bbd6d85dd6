"""A task of the router mercure in this process: which files reach it, what it takes of its settings, what it says."""

import json

import batch_stub
import pytest
from arriving_factory import save_study, study

from DaTscanAILib.arriving import mercure
from DaTscanAILib.arriving.mercure import run_task
from DaTscanAILib.base.errors import DaTscanError


@pytest.fixture
def folders(tmp_path, monkeypatch):
    batch_stub.install(monkeypatch.setattr)
    monkeypatch.setattr(mercure, "check_options", lambda options: None)
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    return {"MERCURE_IN_DIR": str(tmp_path / "in"), "MERCURE_OUT_DIR": str(tmp_path / "out")}


def test_dicom_results_are_handed_over_under_their_identifiers(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("DATSCANAI_STUB_DICOM", "1")
    save_study(study(8, multiframe=True), tmp_path / "in", "1.2#")
    (outcome,) = run_task(folders)
    assert outcome.row["label"] == "reduced"
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names[-1] == "result.json"
    (dicom,) = names[:-1]
    series, image = dicom.removesuffix(".dcm").split("#")
    import pydicom

    dataset = pydicom.dcmread(tmp_path / "out" / dicom)
    assert (dataset.SeriesInstanceUID, dataset.SOPInstanceUID) == (series, image)


def test_a_study_of_two_scans_and_one_that_fails(folders, tmp_path):
    save_study(study(8), tmp_path / "in", "A")
    save_study(study(2, multiframe=True), tmp_path / "in", "B")
    save_study(study(2)[:9], tmp_path / "in", "C")
    outcomes = run_task(folders)
    assert sorted(outcome.row["label"] for outcome in outcomes) == ["", "normal", "reduced"]
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert [scan["case"] for scan in result["scans"]] == ["scan1", "scan2", "scan3"]
    assert result["__mercure_notification"]["requested"] is True
    assert "too few slices" in result["__mercure_notification"]["text"]


SETTINGS = {
    "known": ({"process": {"settings": {"model": "m", "device": "cpu"}}}, {"model": "m", "device": "cpu"}),
    "DICOM results": ({"process": {"settings": {"dicom_results": True}}}, {"dicom_results": True}),
    "a text for a switch": ({"process": {"settings": {"dicom_results": "false"}}}, {"dicom_results": False}),
    "unknown ones": ({"process": {"settings": {"output": "/etc", "keep_identifiers": True}}}, {}),
    "none": ({"process": {"settings": None}}, {}),
    "of the first of several modules": ({"process": [{"settings": {"device": "cpu"}}, {}]}, {"device": "cpu"}),
}


@pytest.mark.parametrize(("task", "expected"), SETTINGS.values(), ids=SETTINGS.keys())
def test_settings_that_concern_this_module(task, expected, tmp_path):
    (tmp_path / "task.json").write_text(json.dumps(task))
    assert mercure._settings(tmp_path / "task.json") == expected


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"process": 5}', '{"process": {"settings": 5}}', "[" * 100_000, "\0"]
)
def test_tasks_that_are_none(text, folders, tmp_path):
    (tmp_path / "in" / "task.json").write_text(text)
    with pytest.raises(DaTscanError, match=r"task\.json holds no settings of a module"):
        run_task(folders)


def test_without_its_folders_it_says_for_whom_it_is():
    with pytest.raises(DaTscanError, match="MERCURE_IN_DIR names no folder: this command is for mercure"):
        run_task({})
