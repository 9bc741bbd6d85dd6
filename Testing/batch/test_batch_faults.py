"""Batches that are killed or find the disk full at any step."""

import os
import signal
import subprocess
import sys

import pytest
from batch_runs import NAMES, analyze, in_child, needs_fork, no_space
from batch_stub import contents

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.batch import table as batch_table
from DaTscanAILib.cli.main import main
from DaTscanAILib.reporting.result_files import CASE_FILES, DICOM_FILES, PAGE_PICTURES

pytestmark = pytest.mark.usefixtures("stub")

WITHOUT_NORMALS = set(CASE_FILES) - {"normals.png", *DICOM_FILES, *PAGE_PICTURES}
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
