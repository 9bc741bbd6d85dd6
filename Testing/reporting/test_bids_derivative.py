"""Results of a BIDS dataset as derivatives: names, tables, sidecars, and nothing of anybody else's lost."""

import csv
import errno
import json
import shutil

import batch_stub
import numpy as np
import pytest

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.cli.main import main
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.reading.scan import write_volume
from DaTscanAILib.reporting import bids_derivative


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    batch_stub.install(monkeypatch.setattr)


def image(dataset, name, level):
    subject, *rest = name.split("_")
    folder = dataset.joinpath(subject, *[part for part in rest if part.startswith("ses-")], "pet")
    folder.mkdir(parents=True, exist_ok=True)
    voxels = np.full((20, 20, 20), level, np.float32)
    voxels[0, 0, 0] += 1
    write_volume(folder / f"{name}_pet.nii.gz", voxels, np.diag([3.0, 3, 3, 1]))


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "dataset_description.json").write_text('{"Name": "made up", "BIDSVersion": "1.9.0"}')
    (folder / "participants.tsv").write_text("participant_id\tage\tsex\nsub-01\t60\tM\nsub-02\t71\tF\n")
    image(folder, "sub-01_trc-FPCIT", 2)
    image(folder, "sub-02_ses-1_trc-FPCIT", 3)
    image(folder, "sub-02_ses-2_trc-FPCIT", 8)
    image(folder, "sub-03_trc-FPCIT_run-1", 3)
    image(folder, "sub-03_trc-FPCIT_run-2", 3)
    return folder


def analyze(dataset, output, *more):
    return main(["analyze", str(dataset), "--output", str(output), "--bids", *more])


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_a_dataset_of_derivatives_is_written(dataset, tmp_path, capsys):
    output = dataset / "derivatives" / "datscanai"
    assert analyze(dataset, output) == 1  # sub-03 has two runs
    folder = output / "bids"
    description = json.loads((folder / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "DaTscanAI"
    assert description["DatasetLinks"] == {"raw": "../../.."}
    assert (folder / description["DatasetLinks"]["raw"]).resolve() == dataset
    images = {path.relative_to(folder).as_posix() for path in folder.rglob("*.nii.gz")}
    assert images == {
        f"{place}/pet/{stem}_trc-FPCIT_space-MNIColin27_{kind}.nii.gz"
        for place, stem in (("sub-01", "sub-01"), ("sub-02/ses-1", "sub-02_ses-1"), ("sub-02/ses-2", "sub-02_ses-2"))
        for kind in ("desc-normalized_pet", "stat-relevance_statmap")
    }
    first = folder / "sub-01" / "pet" / "sub-01_trc-FPCIT_space-MNIColin27_desc-normalized_pet"
    assert first.with_suffix(".nii.gz").read_bytes() == (output / "sub-01" / "normalized.nii.gz").read_bytes()
    sidecar = json.loads(first.with_suffix(".json").read_text())
    assert sidecar["Sources"] == ["bids:raw:sub-01/pet/sub-01_trc-FPCIT_pet.nii.gz"]
    assert sidecar["Classification"]["label"] == "normal"
    assert sidecar["Quantification"]["sbr"]["putamen_left"] == pytest.approx(2, abs=1e-3)
    assert "Research use only" in sidecar["ResearchUse"]


def test_the_tables_have_a_row_a_participant_and_one_a_session(dataset, tmp_path):
    analyze(dataset, tmp_path / "out")
    folder = tmp_path / "out" / "bids"
    rows = {row["participant_id"]: row for row in table(folder / "participants.tsv")}
    assert set(rows) == {"sub-01", "sub-02", "sub-03"}
    assert (rows["sub-01"]["age"], rows["sub-01"]["sex"], rows["sub-01"]["label"]) == ("60", "M", "normal")
    assert float(rows["sub-01"]["sbr_putamen_left"]) == pytest.approx(2, abs=1e-3)
    assert (rows["sub-02"]["sex"], rows["sub-02"]["label"]) == ("F", "n/a")
    assert rows["sub-03"]["label"] == "n/a"
    assert "2 FP-CIT scans in one session" in rows["sub-03"]["error"]
    sessions = table(folder / "sub-02" / "sub-02_sessions.tsv")
    assert [(row["session_id"], row["label"]) for row in sessions] == [("ses-1", "normal"), ("ses-2", "reduced")]
    for path in folder.rglob("*.tsv"):
        explained = json.loads(path.with_suffix(".json").read_text())
        assert list(explained) == list(table(path)[0])
        assert all(entry["Description"] for entry in explained.values())


def test_derivatives_are_replaced_whole_and_are_no_input(dataset, tmp_path, monkeypatch, capsys):
    analyze(dataset, tmp_path / "out")
    folder = tmp_path / "out" / "bids"
    (folder / "sub-01" / "pet" / "old.json").write_text("{}")
    before = batch_stub.contents(folder)
    with monkeypatch.context() as patch:
        patch.setattr(bids_derivative, "_write_tables", no_space)
        assert analyze(dataset, tmp_path / "out", "--resume") == 1
    assert "error: bids cannot be written (No space left on device)" in capsys.readouterr().err
    assert batch_stub.contents(folder) == before
    analyze(dataset, tmp_path / "out", "--resume")
    assert {**batch_stub.contents(folder), "sub-01/pet/old.json": before["sub-01/pet/old.json"]} == before
    assert not list((tmp_path / "out").glob(".*"))
    with pytest.raises(DaTscanError, match="bids is a BIDS dataset of derivatives"):
        collect_cases([folder])


def no_space(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_not_ours_is_not_replaced(dataset, tmp_path, capsys):
    (tmp_path / "out" / "bids").mkdir(parents=True)
    (tmp_path / "out" / "bids" / "mine.txt").write_text("kept")
    assert analyze(dataset, tmp_path / "out") == 2
    assert "bids in the output is no BIDS dataset of DaTscanAI and would be lost" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["bids", "mine.txt"]  # nothing was begun


def test_only_a_dataset_has_derivatives(dataset, tmp_path, capsys):
    shutil.copytree(dataset / "sub-01", tmp_path / "plain")
    assert main(["analyze", str(tmp_path / "plain"), "--output", str(tmp_path / "out"), "--bids"]) == 2
    assert "--bids needs one BIDS dataset as input" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
