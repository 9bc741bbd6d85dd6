"""The service as a process: killed at any moment, its worker killed, stopped; in the end each scan is done once."""

import csv
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import batch_stub
import pytest
from arriving_factory import save_volume
from patience import PATIENCE_S, wait_for

from DaTscanAILib.arriving.service import LEDGER_FILE
from DaTscanAILib.cli.main import main

pytestmark = [
    pytest.mark.fault_injection,
    pytest.mark.skipif(sys.platform == "win32", reason="kills processes as only POSIX systems can"),
]
QUICK = ("--quiet-seconds", "0", "--every-seconds", "0.05", "--min-free-mib", "0")


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def arguments(root, *more):
    return ["watch", str(root / "in"), "--output", str(root / "out"), *QUICK, *more]


def environment(root):
    return batch_stub.installed_everywhere(root, DATSCANAI_STUB_LOG=str(root / "log"))


def started(root, *more):
    return subprocess.Popen(
        batch_stub.command(*arguments(root, *more)),
        env=environment(root),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run_once(root):
    """Until nothing is left to do."""
    command = batch_stub.command(*arguments(root, "--once"))
    done = subprocess.run(command, env=environment(root), capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def rows(root):
    with (root / "out" / "results.csv").open(newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def begun(root):
    return [line.split()[0] for line in (root / "log").read_text().splitlines()]


def status(root):
    return json.loads((root / "out" / "status.json").read_text())


def test_killed_again_and_again_each_scan_is_done_and_none_twice(tmp_path, inbox):
    """Kill -9 of the service and its worker at moments that a seeded generator draws."""
    names = [f"slow{n}" for n in range(12)]
    for number, name in enumerate(names):
        save_volume(inbox / f"{name}.nii", 1 + number % 9)
    generator = random.Random(7)
    for _ in range(4):
        process = started(tmp_path)
        wait_for((tmp_path / "out" / LEDGER_FILE).exists)
        time.sleep(generator.uniform(0.5, 3.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    run_once(tmp_path)
    assert sorted(rows(tmp_path)) == sorted(names)
    assert {row["error"] for row in rows(tmp_path).values()} == {""}
    assert len(begun(tmp_path)) <= len(names) + 4  # the one that was being worked on, at most
    before = begun(tmp_path)
    run_once(tmp_path)
    assert begun(tmp_path) == before
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {*names, "results.csv", "index.html", "status.json", "service.log", LEDGER_FILE}


def test_a_worker_that_is_killed_costs_no_other_scan(tmp_path, inbox, monkeypatch):
    for name in ("a", "crash-once", "z"):
        save_volume(inbox / f"{name}.nii", 8)
    process = started(tmp_path)
    wait_for(lambda: (tmp_path / "out" / "results.csv").exists() and {"a", "z"} <= set(rows(tmp_path)))
    log = (tmp_path / "out" / "service.log").read_text()
    assert "the process was ended, again in 30 s" in log
    process.terminate()
    process.communicate(timeout=PATIENCE_S)
    with sqlite3.connect(tmp_path / "out" / LEDGER_FILE) as ledger:  # half a minute later
        ledger.execute("UPDATE units SET not_before = 0")
    run_once(tmp_path)
    assert set(rows(tmp_path)) == {"a", "crash-once", "z"}
    assert {row["label"] for row in rows(tmp_path).values()} == {"reduced"}


def test_told_to_stop_it_ends_at_once_and_cleanly(tmp_path, inbox):
    save_volume(inbox / "a.nii", 8)
    save_volume(inbox / "wait.nii", 8)
    process = started(tmp_path)
    wait_for((inbox / ".wait.nii.seen").exists)
    assert status(tmp_path)["state"] == "analyzing"
    process.terminate()
    err = process.communicate(timeout=30)[1]
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert (status(tmp_path)["state"], status(tmp_path)["waiting"], status(tmp_path)["done"]) == ("stopped", 1, 1)
    assert set(rows(tmp_path)) == {"a"}
    run_once(tmp_path)
    assert set(rows(tmp_path)) == {"a", "wait"}
    assert begun(tmp_path) == ["a", "wait", "wait"]


def test_the_worker_ends_with_a_service_that_was_killed(tmp_path, inbox):
    save_volume(inbox / "slow.nii", 8)
    process = started(tmp_path)
    worker = wait_for(lambda: (tmp_path / "log").exists() and (tmp_path / "log").read_text().split()[1:2])[0]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not os.path.exists(f"/proc/{worker}") or "Z" in state_of(worker))  # noqa: PTH110


def state_of(process):
    try:
        with open(f"/proc/{process}/stat") as file:  # noqa: PTH123
            return file.read().split()[2]
    except OSError:
        return "Z"


def test_two_services_do_not_share_an_output(tmp_path, inbox):
    process = started(tmp_path)
    try:
        wait_for((tmp_path / "out" / "status.json").exists)
        done = subprocess.run(
            batch_stub.command(*arguments(tmp_path)), env=environment(tmp_path), capture_output=True, text=True
        )
        assert (done.returncode, "another run is writing its results" in done.stderr) == (2, True)
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_files_that_do_not_fit_wait_for_space_and_fit_then(tmp_path, inbox):
    """As a full disk: no file may be larger than 100 kB, which the ledger is not."""
    import resource

    save_volume(inbox / "large.nii", 8)
    command = batch_stub.command(*arguments(tmp_path))
    process = subprocess.Popen(
        command,
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY)),
    )
    wait_for(lambda: "no space or memory, again in 30 s" in log_of(tmp_path))
    process.terminate()
    assert process.wait(timeout=60) == 0
    with sqlite3.connect(tmp_path / "out" / LEDGER_FILE) as ledger:
        ledger.execute("UPDATE units SET not_before = 0")
    run_once(tmp_path)
    assert [row["label"] for row in rows(tmp_path).values()] == ["reduced"]


def log_of(root):
    path = root / "out" / "service.log"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["watch", "gone", "--output", "out"], "gone is no folder that can be watched"),
        (["watch", ".", "--output", "out", "--send-to", "PACS"], "'PACS' names no receiver"),
        (["watch", ".", "--output", "out", "--send-to", "PACS@h:104"], "nothing to send without --dicom-results"),
        (["listen", "--port", "0", "--bind", "0.0.0.0", "--output", "out"], "Anybody who reaches 0.0.0.0 could send"),
    ],
)
def test_unusable_arguments_exit_with_2(more, sentence, tmp_path, monkeypatch, capsys):
    batch_stub.install(monkeypatch.setattr)
    monkeypatch.chdir(tmp_path)
    assert main(more) == 2
    assert sentence in capsys.readouterr().err
