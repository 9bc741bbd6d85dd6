"""A batch in one process with a chain of milliseconds: nothing lost, nothing half, nothing of others overwritten."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import batch_stub
import numpy as np
import pytest
from batch_stub import contents, write_scans

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.progress import Progress, summary
from DaTscanAILib.batch import identity, one_case, run
from DaTscanAILib.batch import table as batch_table
from DaTscanAILib.batch.one_case import Outcome, run_case
from DaTscanAILib.batch.options import Options
from DaTscanAILib.batch.run import analyze_batch
from DaTscanAILib.batch.table import TableNotWrittenError
from DaTscanAILib.batch.workers import bound_memory
from DaTscanAILib.cli.main import main
from DaTscanAILib.reading.inputs import Case, collect_cases
from DaTscanAILib.reporting import result_files as results
from DaTscanAILib.reporting.result_files import CASE_FILES, COLUMNS, DICOM_FILES, PAGE_PICTURES, check_replaceable
from DaTscanAILib.reporting.sole_use import sole_use

NAMES = ("a", "b", "c")
WITHOUT_NORMALS = set(CASE_FILES) - {"normals.png", *DICOM_FILES, *PAGE_PICTURES}
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that share the test's state")


@pytest.fixture(autouse=True)
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


def analyze(scans, output, **options):
    return analyze_batch(collect_cases([scans]), Options(output=output, **options))


def in_child(function):
    """Exit status of a fork that runs a function; minus the number of the signal that killed it."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = function() or 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# --- kill -9 and a full disk at every step ----------------------------------------------------------------

_NEEDS_SPACE = ("open", "os.mkdir", "os.rename")
_CHANGES = (*_NEEDS_SPACE, "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree")


def at_step(number, folder, action, events=_CHANGES):
    """Audit hook: `action` just before the n-th thing that changes a file below a folder; counts without action."""
    count = [0]

    def hook(event, arguments):
        if event not in events or not str(arguments[0]).startswith(str(folder)):
            return
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
            return
        count[0] += 1
        if count[0] == number:
            action()

    sys.addaudithook(hook)
    return count


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def no_space():
    raise OSError(errno.ENOSPC, "No space left on device")


def number_of_steps(scans, output, events=_CHANGES):
    """How often a run changes a file of its output."""
    reader, writer = os.pipe()

    def count():
        steps = at_step(-1, output, None, events)
        analyze(scans, output)
        os.write(writer, str(steps[0]).encode())

    assert in_child(count) == 0
    return int(os.read(reader, 20))


@needs_fork
@pytest.mark.fault_injection
@pytest.mark.parametrize("before", ["into an empty folder", "over former results"])
def test_killed_at_any_step_every_case_is_whole_and_resume_does_the_rest(before, scans, undisturbed, tmp_path):
    output = tmp_path / "out"
    if before == "over former results":
        analyze(scans, output, report=False)
    steps = number_of_steps(scans, tmp_path / "count")
    assert steps > 10 * len(NAMES)
    for step in range(1, steps + 1):
        again = tmp_path / f"out{step}"
        if output.exists():
            subprocess.run(["cp", "-r", output, again], check=True)

        def run(step=step, again=again):
            at_step(step, again, kill)
            analyze(scans, again)

        assert in_child(run) in (-signal.SIGKILL, 0)
        for name in NAMES:
            files = {path.name for path in (again / name).iterdir()} if (again / name).exists() else set()
            assert files in (set(), WITHOUT_NORMALS, WITHOUT_NORMALS - {"report.pdf"}), (step, name)
        assert not any(outcome.failed for outcome in analyze(scans, again, resume=True))
        assert contents(again) == undisturbed, step  # nothing half-written is left either


@needs_fork
@pytest.mark.fault_injection
def test_no_space_at_any_step_fails_that_case_alone(scans, undisturbed, tmp_path):
    steps = number_of_steps(scans, tmp_path / "count", _NEEDS_SPACE)
    failed = 0
    for step in range(1, steps + 1):
        output = tmp_path / f"out{step}"

        def run(step=step, output=output):
            at_step(step, output, no_space, _NEEDS_SPACE)
            try:
                return sum(outcome.failed for outcome in analyze(scans, output))
            except DaTscanError as error:
                return 50 if "No space left on device" in str(error) else 60

        status = in_child(run)
        assert status in (0, 1, 50), step
        failed += status == 1
        rows = (output / "results.csv").read_text().splitlines()[1:] if (output / "results.csv").exists() else []
        for row in rows:
            case = row.split(",")[0]
            assert ("No space left on device" in row) == (not (output / case / "result.json").exists()), (step, row)
        analyze(scans, output, resume=True)
        assert contents(output) == undisturbed, step
    assert failed >= 5 * len(NAMES)


@pytest.mark.fault_injection
def test_a_table_that_cannot_be_written_is_said_after_all_cases(scans, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(batch_table, "write_table", lambda *_: no_space())
    assert main(["analyze", str(scans), "--output", str(tmp_path / "out")]) == 1
    assert "error: results.csv cannot be written (No space left on device)" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(NAMES)


@pytest.mark.fault_injection
def test_a_disk_that_is_full_for_a_while_costs_the_table_nothing(scans, tmp_path, monkeypatch, undisturbed):
    attempts, write = [], batch_table.write_table

    def sometimes(*arguments):
        attempts.append(1)
        no_space() if len(attempts) < 3 else write(*arguments)

    monkeypatch.setattr(batch_table, "write_table", sometimes)
    monkeypatch.setattr(batch_table, "_EVERY_S", -1.0)
    assert not any(outcome.failed for outcome in analyze(scans, tmp_path / "out"))
    assert contents(tmp_path / "out") == undisturbed


# --- disturbed in other ways ------------------------------------------------------------------------------


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


# --- what resume keeps ------------------------------------------------------------------------------------


def change_scan(scans, output):
    write_scans(scans, ["x", "y", "z", "a"])  # `a` has another mean now
    for name in "xyz":
        (scans / f"{name}.nii").unlink()


def lose_a_picture(scans, output):
    (output / "a" / "overview.png").unlink()


def break_the_result(scans, output):
    (output / "a" / "result.json").write_text("{")


def nest_the_result(scans, output):
    (output / "a" / "result.json").write_text("[" * 100_000)


@pytest.mark.parametrize("spoil", [change_scan, lose_a_picture, break_the_result, nest_the_result])
def test_resume_does_again_what_no_longer_stands(spoil, scans, tmp_path):
    analyze(scans, tmp_path / "out")
    spoil(scans, tmp_path / "out")
    assert [outcome.resumed for outcome in analyze(scans, tmp_path / "out", resume=True)] == [False, True, True]


@pytest.mark.parametrize(
    "options",
    [{"model": "other"}, {"report": False}, {"keep_identifiers": True}],
    ids=["another model", "no report", "identifiers"],
)
def test_resume_keeps_nothing_of_other_options(options, scans, tmp_path):
    analyze(scans, tmp_path / "out")
    assert not any(outcome.resumed for outcome in analyze(scans, tmp_path / "out", resume=True, **options))


def test_resume_keeps_nothing_of_another_version(scans, tmp_path, monkeypatch):
    analyze(scans, tmp_path / "out")
    monkeypatch.setattr(identity, "VERSION", "99")
    assert not any(outcome.resumed for outcome in analyze(scans, tmp_path / "out", resume=True))


def test_resume_keeps_nothing_of_another_patient_age(scans, tmp_path):
    manifest = scans / "list.csv"
    for age, resumed in ((60, False), (60, True), (61, False)):
        manifest.write_text(f"scan,age\na.nii,{age}\n")
        (outcome,) = analyze_batch(collect_cases([manifest]), Options(output=tmp_path / "out", resume=True))
        assert outcome.resumed is resumed


# --- what is not ours -------------------------------------------------------------------------------------


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


# --- what the user sees -----------------------------------------------------------------------------------


def test_progress_and_summary(tmp_path, capsys):
    scans = write_scans(tmp_path / "scans", ["a", "b", "f"])
    (scans / "e.nii").write_bytes(b"")
    assert main(["analyze", str(scans), "--output", str(tmp_path / "out")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "[1/4] a: normal" in err
    assert "[3/4] e: e.nii is an empty file: copy or export it again." in err
    assert "4/4" in err
    assert "scan/s" in err or "s/scan" in err  # the rate
    assert err.endswith(
        "4 scans: 3 normal, 0 reduced, 0 uncertain, 1 failed. Research use only.\n"
        "  e: e.nii is an empty file: copy or export it again.\n"
    )
    assert main(["analyze", str(scans), "--output", str(tmp_path / "out"), "--resume"]) == 1
    err = capsys.readouterr().err
    assert "4 scans (3 kept from a former run): 3 normal" in err
    assert "a: normal" not in err


def test_a_single_scans_answer_is_told_before_its_files_are_written(tmp_path, capsys, monkeypatch):
    scans, told = write_scans(tmp_path / "scans", ["a", "b"]), []
    monkeypatch.setattr(one_case, "write_case", lambda *_: told.append(capsys.readouterr().err))
    assert main(["analyze", str(scans / "a.nii"), "--output", str(tmp_path / "out")]) == 0
    assert "a: normal (probability of reduced " in told[0]
    assert "[1/1] a: normal" in capsys.readouterr().err
    assert main(["analyze", str(scans), "--output", str(tmp_path / "out")]) == 0
    assert "probability of reduced" not in "".join(told[1:]) + capsys.readouterr().err


def test_the_remaining_time_does_not_count_what_a_former_run_did(capsys):
    class Terminal:
        text = ""

        def isatty(self):
            return True

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    outcomes = [Outcome(str(n), dict.fromkeys(COLUMNS, ""), resumed=n < 90) for n in range(100)]
    terminal = Terminal()
    with Progress(100, terminal) as progress:
        for number, outcome in enumerate(outcomes, 1):
            progress(outcome, number, 100)
        assert progress._bar.n - progress._bar.initial == 10
    assert "100/100" in terminal.text


def test_the_summary_names_twenty_of_many_failures():
    rows = [{**dict.fromkeys(COLUMNS, ""), "error": f"scan {n} is bad."} for n in range(30)]
    lines = summary([Outcome(f"case{n}", row) for n, row in enumerate(rows)]).splitlines()
    assert lines[0] == "30 scans: 0 normal, 0 reduced, 0 uncertain, 30 failed. Research use only."
    assert lines[1] == "  case0: scan 0 is bad."
    assert lines[-1] == "  and 10 more: see the column error of results.csv."
    assert len(lines) == 22


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_thousand_cases_in_constant_memory(tmp_path, monkeypatch):
    scans = write_scans(tmp_path / "scans", ["a"])
    monkeypatch.setattr(results, "_write_volumes", lambda *_: None)
    cases = [Case(f"case{n}", scans / "a.nii") for n in range(1000)]
    sizes = {}

    def remember(outcome, done, total):
        sizes[done] = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    analyze_batch(cases, Options(output=tmp_path / "out"), remember)
    assert sizes[1000] - sizes[200] < 8 * 2**20  # 800 rows of the table are a few hundred kB
    assert len((tmp_path / "out" / "results.csv").read_text().splitlines()) == 1001


def test_an_unusable_model_is_one_error(scans, tmp_path, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(DaTscanError, match="There is no model 'none'"):
        analyze(scans, tmp_path / "out", model="none")
    assert not (tmp_path / "out").exists()


def test_table_not_written_is_the_projects_own_error():
    assert issubclass(TableNotWrittenError, DaTscanError)
