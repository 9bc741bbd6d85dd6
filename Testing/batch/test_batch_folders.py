"""Folders and files that are not a batch's own, or that cannot be written."""

import os

import pytest
from batch_runs import NAMES, analyze, in_child, needs_fork, no_space
from batch_stub import contents, write_scans

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.batch import run
from DaTscanAILib.batch import table as batch_table
from DaTscanAILib.batch.one_case import run_case
from DaTscanAILib.batch.options import Options
from DaTscanAILib.batch.run import analyze_batch
from DaTscanAILib.cli.main import main
from DaTscanAILib.reading.inputs import Case, collect_cases
from DaTscanAILib.reporting.result_files import check_replaceable
from DaTscanAILib.reporting.sole_use import sole_use

pytestmark = pytest.mark.usefixtures("stub")


def test_a_folder_of_scans_is_not_replaced_by_results(tmp_path):
    """The results of the DICOM folder `Recon` would take its own place."""
    scans = write_scans(tmp_path / "Recon", ["a"])
    case = Case("Recon", scans / "a.nii")
    outcome = run_case(case, Options(output=tmp_path))
    assert outcome.row["error"] == (
        "Recon: the folder of this case in the output holds other files, which would be lost: choose another folder "
        "with --output."
    )
    assert (scans / "a.nii").exists()


def test_only_folders_of_results_may_be_replaced(scans, tmp_path):
    analyze(scans, tmp_path / "out")
    check_replaceable(tmp_path / "out" / "a")
    check_replaceable(tmp_path / "out" / "not there")
    (tmp_path / "empty").mkdir()
    check_replaceable(tmp_path / "empty")
    (tmp_path / "out" / "a" / "my notes.txt").write_text("kept")
    for folder in (tmp_path / "out" / "a", scans, scans / "a.nii"):
        with pytest.raises(DaTscanError, match="holds other files, which would be lost"):
            check_replaceable(folder)


def test_another_results_csv_is_not_overwritten(scans, tmp_path):
    manifest = scans / "results.csv"
    manifest.write_text("scan,label\na.nii,normal\n")
    with pytest.raises(DaTscanError, match=r"scans holds a results\.csv that is no table of results"):
        analyze_batch(collect_cases([manifest]), Options(output=scans))
    assert manifest.read_text() == "scan,label\na.nii,normal\n"


def test_another_web_page_is_not_overwritten(scans, tmp_path):
    (tmp_path / "out").mkdir()
    page = tmp_path / "out" / "index.html"
    page.write_text("<!DOCTYPE html><title>My ward</title>")
    with pytest.raises(DaTscanError, match=r"out holds an index\.html that is no page of results"):
        analyze(scans, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.html"]
    page.unlink()
    analyze(scans, tmp_path / "out")
    assert page.read_bytes().startswith(b"<!DOCTYPE html>")
    analyze(scans, tmp_path / "out", resume=True)


@pytest.mark.fault_injection
def test_a_page_that_cannot_be_written_is_said_and_costs_nothing_else(scans, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(batch_table.Page, "write", lambda *_: no_space())
    assert main(["analyze", str(scans), "--output", str(tmp_path / "out")]) == 1
    assert "error: index.html cannot be written (No space left on device)" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*NAMES, "results.csv"}


def test_a_run_that_cannot_begin_leaves_the_former_table(scans, tmp_path, monkeypatch):
    analyze(scans, tmp_path / "out")
    before = contents(tmp_path / "out")

    def nobody_answers(address):
        raise DaTscanError(f"No dask scheduler answers at {address}.")

    monkeypatch.setattr(run, "cluster", nobody_answers)
    with pytest.raises(DaTscanError, match="No dask scheduler"):
        analyze(scans, tmp_path / "out", scheduler="tcp://127.0.0.1:9")
    assert contents(tmp_path / "out") == before


def test_two_runs_at_a_time_into_one_folder_are_refused(scans, tmp_path):
    pytest.importorskip("fcntl")
    (tmp_path / "out").mkdir()
    with (
        sole_use(tmp_path / "out"),
        pytest.raises(DaTscanError, match="out: another run is writing its results"),
    ):
        analyze(scans, tmp_path / "out")
    analyze(scans, tmp_path / "out")


@needs_fork
@pytest.mark.fault_injection
def test_an_output_folder_that_is_read_only(scans, tmp_path):
    """As a user without permission: root may write everywhere."""
    (tmp_path / "out").mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and parent.name.startswith("pytest"):
            parent.chmod(0o755)
    cases = collect_cases([scans])

    def unprivileged():
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
            analyze_batch(cases, Options(output=tmp_path / "out"))
        except DaTscanError as error:
            return 7 if str(error).startswith("out: results cannot be written here (Permission denied)") else 8

    assert in_child(unprivileged) == 7


def test_a_file_in_the_place_of_the_output_folder(scans, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DaTscanError, match=r"^out: results cannot be written here \(File exists\)"):
        analyze(scans, tmp_path / "out")
