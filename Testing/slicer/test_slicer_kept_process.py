"""The process that is kept for the scans of a session: started once, ended by Cancel and with Slicer."""

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from model_factory import write_tiny_model
from slicer_environment import prepare

from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.reading.scan import read_scan
from DaTscanAILib.slicer_adapters import work, worker
from DaTscanAILib.slicer_adapters.work import ScanRequest

LIBRARY = Path(__file__).resolve().parents[2] / "DaTscanAI"
SAMPLE = resource_path("Samples", "reduced.dcm")


class RealProcesses:
    """As `slicer.util.launchConsoleProcess`, with real processes whose lines are passed on when a test waits."""

    def __init__(self):
        self.running, self.lines = None, []

    def __call__(self, arguments, logCallback, completedCallback, **_options):
        command = [sys.executable, *arguments[1:]]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.running = (process, logCallback, completedCallback)

    def next_line(self):
        process, on_line, on_end = self.running
        line = process.stdout.readline().rstrip("\n")
        if line:
            self.lines.append(line)
            on_line(line)
        else:
            on_end(process.wait())
        return line

    def wait_until(self, is_so):
        while not is_so():
            self.next_line()

    @property
    def answered(self):
        events = [json.loads(line[len(worker.EVENT) :]) for line in self.lines if line.startswith(worker.EVENT)]
        return [event for event in events if "answered" in event]


@pytest.fixture
def launches(monkeypatch, tmp_path):
    slicer, real = prepare(), RealProcesses()
    from DaTscanAILib.slicer_adapters import processes

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(processes.shutil, "which", lambda name: name)
    monkeypatch.setattr(slicer.util, "launchConsoleProcess", real, raising=False)
    return real


class Waiting:
    """How a request ended."""

    def __init__(self, kept, request):
        self.status = self.answer = None
        self.printed = []
        kept.start(pickle.dumps(request), self.printed.append, self.end)

    def end(self, status, answer):
        self.status, self.answer = status, answer and pickle.loads(answer)

    def has_ended(self):
        return self.status is not None


def test_one_process_serves_all_until_cancel_and_then_another(launches, tmp_path):
    """Requests are measured, not classified, to save the test torch's import."""
    from DaTscanAILib.slicer_adapters.processes import KeptProcess

    kept, request = KeptProcess(), ScanRequest(read_scan(SAMPLE), "case", last_stage="quantification")
    answers = []
    for _ in range(2):
        waiting = Waiting(kept, request)
        assert kept.is_busy
        launches.wait_until(waiting.has_ended)
        answers.append(waiting.answer.result)
        assert waiting.status == worker.DONE
        assert not kept.is_busy
    first, second = launches.answered
    assert first["process"] == second["process"] == launches.running[0].pid != os.getpid()
    assert (first["number"], second["number"]) == (1, 2)
    assert first["loaded"] > 100
    assert second["loaded"] == 0  # no import is repeated
    assert answers[0]["quantification"] == answers[1]["quantification"]
    assert answers[0]["registration"] == answers[1]["registration"]
    (folder,) = tmp_path.iterdir()
    assert {path.name for path in folder.iterdir()} == {"owner"}  # no voxels stay

    waiting = Waiting(kept, request)
    launches.wait_until(lambda: waiting.printed)  # it is at work
    kept.stop()
    launches.wait_until(waiting.has_ended)
    assert (waiting.status, waiting.answer) == (worker.STOPPED, None)
    assert launches.running[0].returncode == worker.STOPPED
    assert list(tmp_path.iterdir()) == []

    waiting = Waiting(kept, request)
    launches.wait_until(waiting.has_ended)
    assert waiting.answer.result["quantification"] == answers[0]["quantification"]
    assert launches.answered[-1]["process"] == launches.running[0].pid != first["process"]
    assert launches.answered[-1]["number"] == 1
    kept.abandon()
    assert launches.running[0].wait(200) == worker.STOPPED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_it_ends_when_slicer_is_killed(tmp_path):
    """Slicer is played by a Python that starts it and is killed; both hold the pipe that the test reads."""
    code = (
        "import subprocess, sys, time\n"
        "from DaTscanAILib.slicer_adapters.leftovers import new_folder\n"
        "folder = new_folder()\n"
        "subprocess.Popen([sys.executable, '-m', 'DaTscanAILib.slicer_adapters.worker', str(folder), 'kept'])\n"
        "print('started', flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=LIBRARY, env=environment, text=True
    )
    assert parent.stdout.readline() == "started\n"
    assert len(list(tmp_path.iterdir())) == 1
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert parent.stdout.read() == ""  # returns when the last process that holds the pipe has ended
    assert list(tmp_path.iterdir()) == []


# ---- what needs no process


@pytest.fixture
def launched(launches, monkeypatch):
    """What would be started: `(folder, completed)` each."""
    import slicer

    found = []

    def launch(arguments, completedCallback, **_options):
        found.append((Path(arguments[-1]), completedCallback))

    monkeypatch.setattr(slicer.util, "launchConsoleProcess", launch)
    return found


def test_a_request_that_comes_as_it_ends_by_itself_gets_a_new_one(launched):
    from DaTscanAILib.slicer_adapters.processes import KeptProcess

    kept = KeptProcess()
    kept.prepare()
    waiting = Waiting(kept, "request")
    assert len(launched) == 1
    launched[0][1](worker.DONE)
    assert len(launched) == 2
    assert pickle.loads((launched[1][0] / worker.REQUEST).read_bytes()) == "request"
    assert waiting.status is None
    assert not launched[0][0].exists()
    launched[1][1](worker.DONE)  # what never reads a request is not started for ever
    assert (len(launched), waiting.status, waiting.answer) == (2, worker.DONE, None)


def test_after_a_crash_the_next_request_starts_it_and_after_cancel_it_is_there_at_once(launched):
    from DaTscanAILib.slicer_adapters.processes import KeptProcess

    kept = KeptProcess()
    kept.prepare()
    waiting = Waiting(kept, "first")
    (launched[0][0] / worker.REQUEST).unlink()  # it was read
    launched[0][1](worker.FAILED)
    assert (waiting.status, waiting.answer) == (worker.FAILED, None)
    assert len(launched) == 1  # what crashes at its start is not started for ever
    waiting = Waiting(kept, "second")
    kept.stop()
    assert (launched[1][0] / worker.STOP).exists()
    launched[1][1](worker.STOPPED)
    assert waiting.status == worker.STOPPED
    assert len(launched) == 3
    assert not (launched[2][0] / worker.STOP).exists()


def test_who_fails_to_take_an_answer_does_not_silence_the_process(launches, caplog):
    """Slicer stops polling a process where a callback raises."""
    import slicer

    from DaTscanAILib.slicer_adapters.processes import KeptProcess

    lines = []
    slicer.util.launchConsoleProcess = lambda _arguments, logCallback, **_options: lines.append(logCallback)
    kept = KeptProcess()
    kept.start(b"request", print, lambda status, answer: [][status])
    lines[0](f'{worker.EVENT} {{"answered": 0}}')
    assert "could not be told" in caplog.text
    assert not kept.is_busy
    kept.abandon()


def test_a_second_task_at_the_same_time_gets_its_own_process(launched):
    from DaTscanAILib.slicer_adapters import processes
    from DaTscanAILib.slicer_adapters.background import Task

    tasks = [Task("request", print, print).start() for _ in range(2)]
    assert tasks[0]._process is processes.SESSION
    assert isinstance(tasks[1]._process, processes.OneProcess)
    for task in tasks:
        task.abandon()
    assert not processes.SESSION.is_busy


def test_the_warm_up_gives_way_to_a_request(monkeypatch, tmp_path):
    monkeypatch.setattr("DaTscanAILib.analysis.register", lambda _scan: pytest.fail("the sample is analyzed"))
    (tmp_path / worker.REQUEST).write_bytes(b"")
    worker._warm_up(tmp_path)


def test_a_model_that_has_changed_is_read_again(tmp_path):
    folder = tmp_path / "model"
    choices = (str(write_tiny_model(folder, members=1).folder), "cpu", None)
    first = work._analyzer(*choices)
    assert work._analyzer(*choices) is first
    write_tiny_model(folder, seed=1, members=1)
    second = work._analyzer(*choices)
    assert second is not first
    assert second.model.weights != first.model.weights
    assert work._analyzer(*choices) is second
