"""A batch on several processes, of this machine and of a dask cluster, some of which are killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import batch_stub
import pytest
from batch_stub import analyze_command, contents, environment, installed_everywhere, write_scans
from model_factory import write_tiny_model
from patience import PATIENCE_S, wait_for

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.batch.options import Options
from DaTscanAILib.batch.run import analyze_batch
from DaTscanAILib.batch.workers import cluster
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.reporting.result_files import CASE_FILES, DICOM_FILES

pytestmark = [
    pytest.mark.fault_injection,
    pytest.mark.skipif(sys.platform == "win32", reason="kills processes as only POSIX systems can"),
]


@pytest.fixture
def scans(tmp_path):
    return write_scans(tmp_path / "scans", [f"scan{n}" for n in range(6)])


def undisturbed(scans, folder, monkeypatch):
    with monkeypatch.context() as patch:
        batch_stub.install(patch.setattr)
        analyze_batch(collect_cases([scans]), Options(output=folder))
    return contents(folder)


def run(folder, *arguments, **options):
    """`analyze` with the stub in every process: (exit status, standard error)."""
    done = subprocess.run(
        analyze_command(*arguments),
        env=installed_everywhere(folder, DATSCANAI_STUB_LOG=str(folder / "log")),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        **options,
    )
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def began(folder):
    """`{case: how often it was begun}` and the processes that did it."""
    lines = log_of(folder)
    return Counter(case for case, *_ in lines), {int(process) for _, process, _ in lines}


def log_of(folder):
    """(case, process, its setting of OMP_NUM_THREADS) of each time a case was begun."""
    return [line.split() for line in (folder / "log").read_text().splitlines()]


# --- processes of this machine ----------------------------------------------------------------------------


def test_any_number_of_workers_gives_the_same_files(scans, tmp_path, monkeypatch):
    expected = undisturbed(scans, tmp_path / "one", monkeypatch)
    status, _ = run(tmp_path, scans, "--output", tmp_path / "three", "--workers", 3)
    assert status == 0
    assert contents(tmp_path / "three") == expected
    assert set(began(tmp_path)[0].values()) == {1}


def test_the_whole_chain_gives_the_same_files_with_one_worker_and_two(tmp_path):
    """The real one, with the bound on a worker's memory and with four threads where there is no worker."""
    model = write_tiny_model(tmp_path / "tiny", members=1).folder
    arguments = (resource_path("Samples"), "--model", model, "--device", "cpu", "--no-report")
    for workers in (1, 2):
        subprocess.run(
            analyze_command(*arguments, "--output", tmp_path / f"out{workers}", "--workers", workers),
            env={**environment(), "OMP_NUM_THREADS": "4"},
            capture_output=True,
            check=True,
        )
    assert set(contents(tmp_path / "out1")) == {
        "index.html",
        "results.csv",
        *(
            f"{case}/{file}"
            for case in ("normal", "reduced")
            for file in CASE_FILES
            if file not in ("normals.png", "report.pdf", *DICOM_FILES)
        ),
    }
    assert contents(tmp_path / "out2") == contents(tmp_path / "out1")


def test_workers_are_several_processes_of_one_thread_each(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    scans = write_scans(tmp_path / "scans", [f"slow{n}" for n in range(6)])
    assert run(tmp_path, scans, "--output", tmp_path / "out", "--workers", 2)[0] == 0
    assert len(began(tmp_path)[1]) == 2
    assert {threads for *_, threads in log_of(tmp_path)} == {"1"}


def test_a_killed_worker_costs_no_case_and_a_case_that_kills_fails_alone(tmp_path, monkeypatch):
    names = ["a", "b", "crash-always", "crash-once", "x", "y"]
    scans = write_scans(tmp_path / "scans", names)
    status, err = run(tmp_path, scans, "--output", tmp_path / "out", "--workers", 2)
    rows = dict(line.split(",", 1) for line in (tmp_path / "out" / "results.csv").read_text().splitlines()[1:])
    assert status == 1
    assert list(rows) == names
    assert [name for name in names if "was killed each time (out of memory?)" in rows[name]] == ["crash-always"]
    assert "6 scans" in err
    assert "1 failed" in err
    assert not (tmp_path / "out" / "crash-always").exists()
    (scans / "crash-always.nii").unlink()
    expected = undisturbed(scans, tmp_path / "one", monkeypatch)
    found = contents(tmp_path / "out")
    for of_all in ("results.csv", "index.html"):  # they name the failed case
        expected.pop(of_all)
        found.pop(of_all)
    assert found == expected


def test_the_run_killed_midway_is_finished_by_resume(tmp_path, monkeypatch):
    """Kill -9 of the main process; its workers are left to themselves."""
    scans = write_scans(tmp_path / "scans", ["a", "b", "wait", "x", "y"])
    environment = installed_everywhere(tmp_path, DATSCANAI_STUB_LOG=str(tmp_path / "log"))
    command = analyze_command(scans, "--output", tmp_path / "out", "--workers", 2)
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            wait_for((scans / ".wait.nii.seen").exists)
            wait_for((tmp_path / "out" / "b").exists)
        finally:
            process.kill()
    finished = contents(tmp_path / "out" / "b")
    status, _ = run(tmp_path, scans, "--output", tmp_path / "out", "--workers", 2, "--resume")
    for worker in began(tmp_path)[1]:  # the one that waits has nobody left to stop it
        with_mercy(worker)
    assert status == 0
    assert contents(tmp_path / "out" / "b") == finished
    assert contents(tmp_path / "out") == undisturbed(scans, tmp_path / "one", monkeypatch)
    assert began(tmp_path)[0]["b"] == 1


def test_a_terminated_run_takes_its_workers_along(tmp_path):
    scans = write_scans(tmp_path / "scans", ["wait", "x"])
    environment = installed_everywhere(tmp_path, DATSCANAI_STUB_LOG=str(tmp_path / "log"))
    command = analyze_command(scans, "--output", tmp_path / "out", "--workers", 2)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_for((scans / ".wait.nii.seen").exists)
        waiting = next(int(worker) for case, worker, _ in log_of(tmp_path) if case == "wait")
        process.terminate()
        err = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 1
    assert "Stopped. Finished cases are complete" in err
    with pytest.raises(ProcessLookupError):
        os.kill(waiting, 0)


def with_mercy(process):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_files_that_do_not_fit_fail_their_case_and_fit_after_space_was_made(scans, tmp_path, monkeypatch):
    """As a full disk: no file may be larger than 20 kB."""

    def small_files():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    arguments = (scans, "--output", tmp_path / "out", "--workers", 2)
    status, err = run(tmp_path, *arguments, preexec_fn=small_files)
    assert status == 1
    assert "scan0.nii: the case could not be finished (File too large): free space or memory" in err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"results.csv"}
    assert run(tmp_path, *arguments, "--resume")[0] == 0
    assert contents(tmp_path / "out") == undisturbed(scans, tmp_path / "one", monkeypatch)


# --- a dask cluster ---------------------------------------------------------------------------------------


class LocalCluster:
    """A scheduler and workers, each a process of its own that nothing starts again."""

    def __init__(self, folder, environment):
        self.folder, self.environment, self.processes = folder, environment, []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        port = self.address.rsplit(":", 1)[1]
        self.start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-show")

    def start(self, kind, *options):
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", kind, *options],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def start_worker(self, threads=1):
        options = ("--no-nanny", "--no-dashboard", "--nthreads", str(threads), "--local-directory", str(self.folder))
        return self.start("worker", self.address, *options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def local_cluster(tmp_path):
    pytest.importorskip("distributed")
    environment = installed_everywhere(tmp_path, DATSCANAI_STUB_LOG=str(tmp_path / "log"))
    with LocalCluster(tmp_path, environment) as found:
        yield found


def test_on_a_cluster_whose_worker_is_killed_every_case_is_done_once(local_cluster, tmp_path, monkeypatch):
    names = ["a", "b", "wait", "w", "x", "y", "z"]
    scans = write_scans(tmp_path / "scans", names)
    workers = {worker.pid: worker for worker in (local_cluster.start_worker(), local_cluster.start_worker())}
    command = analyze_command(scans, "--output", tmp_path / "out", "--scheduler", local_cluster.address)
    with subprocess.Popen(command, env=local_cluster.environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for((scans / ".wait.nii.seen").exists)
            waiting = next(int(process) for case, process, _ in log_of(tmp_path) if case == "wait")
            workers[waiting].kill()
            err = process.communicate(timeout=PATIENCE_S)[1]
        finally:
            process.kill()
    assert process.returncode == 0, err
    times, processes = began(tmp_path)
    assert processes == set(workers)
    assert times == {**dict.fromkeys(names, 1), "wait": 2}  # begun twice, finished once
    assert "7 scans" in err
    assert contents(tmp_path / "out") == undisturbed(scans, tmp_path / "one", monkeypatch)


def test_on_a_cluster_a_case_that_kills_every_worker_fails_alone(local_cluster, tmp_path):
    scans = write_scans(tmp_path / "scans", ["a", "b", "crash-always", "x", "y"])
    for _ in range(3):
        local_cluster.start_worker()
    status, err = run(tmp_path, scans, "--output", tmp_path / "out", "--scheduler", local_cluster.address)
    assert status == 1, err
    rows = (tmp_path / "out" / "results.csv").read_text().splitlines()[1:]
    assert ["was killed each time" in row for row in rows] == [False, False, True, False, False]


def test_a_worker_of_several_threads_takes_one_case_at_a_time(local_cluster, tmp_path, monkeypatch):
    scans = write_scans(tmp_path / "scans", [f"slow{n}" for n in range(4)])
    local_cluster.start_worker(threads=4)
    assert run(tmp_path, scans, "--output", tmp_path / "out", "--scheduler", local_cluster.address)[0] == 0
    assert contents(tmp_path / "out") == undisturbed(scans, tmp_path / "one", monkeypatch)


def test_a_scheduler_that_is_not_there(scans, tmp_path):
    pytest.importorskip("distributed")
    pool = cluster("tcp://127.0.0.1:9", patience=1)
    with pytest.raises(DaTscanError, match=r"No dask scheduler answers at tcp://127\.0\.0\.1:9"), pool():
        pass


def test_a_scheduler_without_dask(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(DaTscanError, match="needs the packages dask and distributed"), cluster("tcp://127.0.0.1:9")():
        pass


def test_dask_is_not_imported_without_a_scheduler(scans, tmp_path):
    code = (
        "import sys; from DaTscanAILib.cli.main import main; "
        f"main(['analyze', {str(scans)!r}, '--output', {str(tmp_path / 'out')!r}]); "
        "print([name for name in ('dask', 'distributed', 'joblib') if name in sys.modules])"
    )
    environment = installed_everywhere(tmp_path)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_installed_stub_is_this_one():
    assert Path(batch_stub.__file__).parent == batch_stub.TESTING
