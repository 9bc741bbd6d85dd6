"""Batches disturbed in other ways: scans that go, defects, memory that runs out."""

import sys

import numpy as np
import pytest
from batch_runs import analyze, in_child, needs_fork
from batch_stub import contents, write_scans

from DaTscanAILib.batch.options import Options
from DaTscanAILib.batch.run import analyze_batch
from DaTscanAILib.batch.workers import bound_memory
from DaTscanAILib.reading.inputs import collect_cases

pytestmark = pytest.mark.usefixtures("stub")


@pytest.mark.fault_injection
def test_a_scan_deleted_midway_fails_alone_and_is_done_when_it_is_back(scans, undisturbed, tmp_path):
    content = (scans / "b.nii").read_bytes()

    def delete(outcome, done, total):
        (scans / "b.nii").unlink(missing_ok=True)

    outcomes = analyze_batch(collect_cases([scans]), Options(output=tmp_path / "out"), delete)
    assert [outcome.failed for outcome in outcomes] == [False, True, False]
    assert outcomes[1].row["error"] == (
        "b.nii cannot be opened (No such file or directory): check the path and its permissions."
    )
    assert not (tmp_path / "out" / "b").exists()
    (scans / "b.nii").write_bytes(content)
    outcomes = analyze(scans, tmp_path / "out", resume=True)
    assert [outcome.resumed for outcome in outcomes] == [True, False, True]
    assert contents(tmp_path / "out") == undisturbed


@pytest.mark.fault_injection
def test_a_scan_deleted_after_it_was_done_keeps_its_results(scans, tmp_path):
    (scans / "list.csv").write_text("scan\na.nii\nb.nii\n")
    cases = collect_cases([scans / "list.csv"])
    analyze_batch(cases, Options(output=tmp_path / "out"))
    before = contents(tmp_path / "out" / "a")
    (scans / "a.nii").unlink()
    (outcome, _) = analyze_batch(cases, Options(output=tmp_path / "out", resume=True))
    assert outcome.row["error"].startswith("a.nii cannot be opened")
    assert contents(tmp_path / "out" / "a") == before


@pytest.mark.fault_injection
def test_stopped_by_hand_the_table_has_what_is_done(scans, undisturbed, tmp_path):
    def stop(outcome, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyze_batch(collect_cases([scans]), Options(output=tmp_path / "out"), stop)
    assert [line.split(",")[0] for line in (tmp_path / "out" / "results.csv").read_text().splitlines()] == [
        "case",
        "a",
        "b",
    ]
    analyze(scans, tmp_path / "out", resume=True)
    assert contents(tmp_path / "out") == undisturbed


def test_the_order_of_the_scans_does_not_matter(scans, undisturbed, tmp_path):
    cases = collect_cases([scans])
    analyze_batch(cases[::-1], Options(output=tmp_path / "out"))
    backwards = contents(tmp_path / "out")
    in_order = {"results.csv", "index.html"}
    assert {path: text for path, text in backwards.items() if path not in in_order} == {
        path: text for path, text in undisturbed.items() if path not in in_order
    }
    rows = [(tmp_path / folder / "results.csv").read_text().splitlines() for folder in ("out", "undisturbed")]
    assert rows[0][1:][::-1] == rows[1][1:]


def test_a_defect_in_one_case_says_where_but_quotes_nothing(tmp_path):
    scans = write_scans(tmp_path / "scans", ["a", "defect", "z"])
    outcomes = analyze(scans, tmp_path / "out")
    assert [outcome.failed for outcome in outcomes] == [False, True, False]
    assert "defect.nii: internal error KeyError (batch/one_case.py line " in outcomes[1].row["error"]
    assert "Doe" not in (tmp_path / "out" / "results.csv").read_text()


@pytest.mark.fault_injection
def test_memory_that_runs_out_fails_that_case_alone(tmp_path):
    scans = write_scans(tmp_path / "scans", ["a", "hungry", "z"])
    outcomes = analyze(scans, tmp_path / "out")
    assert [outcome.failed for outcome in outcomes] == [False, True, False]
    assert outcomes[1].row["error"] == (
        "hungry.nii: the case could not be finished (out of memory): free space or memory and run again with "
        "--resume."
    )


@needs_fork
@pytest.mark.skipif(sys.platform != "linux", reason="limits on memory are Linux's")
def test_a_worker_has_a_bound_on_its_memory():
    def allocate():
        np.ones(3 * 2**30, np.uint8).sum()  # more than the 2 GiB that a worker has at least
        return 0

    def bounded():
        bound_memory(10**6)
        try:
            return allocate()
        except MemoryError:
            return 7

    assert in_child(bounded) == 7
