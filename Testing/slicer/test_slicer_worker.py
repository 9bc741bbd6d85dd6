"""The process that does the module's long work: what it prints, what it answers, how it stops."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from slicer_cases import tiny_model

from DaTscanAILib.analysis import measure
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.batch.options import Options
from DaTscanAILib.reading.scan import read_scan
from DaTscanAILib.slicer_adapters import worker
from DaTscanAILib.slicer_adapters.leftovers import new_folder, process_is_alive, remove_leftovers
from DaTscanAILib.slicer_adapters.work import BatchRequest, ScanRequest, unused_name

LIBRARY = Path(__file__).resolve().parents[2] / "DaTscanAI"
SAMPLE = resource_path("Samples", "reduced.dcm")


def start(folder, request):
    """The process as the module starts it."""
    folder.mkdir()
    (folder / worker.REQUEST).write_bytes(pickle.dumps(request))
    command = [sys.executable, "-m", "DaTscanAILib.slicer_adapters.worker", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=LIBRARY)


def events_of(lines):
    return [json.loads(line[len(worker.EVENT) :]) for line in lines if line.startswith(worker.EVENT)]


def test_a_scan_comes_back_as_it_would_here(tmp_path):
    scan = read_scan(SAMPLE)
    process = start(tmp_path / "task", ScanRequest(scan, "case", last_stage="quantification"))
    lines, _ = process.communicate(timeout=400)
    answer = pickle.loads((tmp_path / "task" / worker.ANSWER).read_bytes())
    here = measure(scan, "case")
    assert process.returncode == worker.DONE
    assert [event["stage"] for event in events_of(lines.splitlines())] == ["registration", "quantification"]
    assert answer.result["quantification"] == here.result["quantification"]
    assert answer.result["registration"] == here.result["registration"]
    assert (answer.normalized == here.normalized).all()


def test_what_cannot_be_used_is_one_sentence_and_status_2(tmp_path):
    request = BatchRequest((str(tmp_path / "nowhere"),), Options(tmp_path / "out"))
    process = start(tmp_path / "task", request)
    lines, _ = process.communicate(timeout=400)
    (event,) = events_of(lines.splitlines())
    assert process.returncode == worker.UNUSABLE
    assert "nowhere" in event["error"]
    assert "Traceback" not in lines
    assert not (tmp_path / "task" / worker.ANSWER).exists()


def test_cancel_stops_a_batch_at_once_and_leaves_finished_cases_whole(tmp_path):
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    for index in range(12):
        dataset = dcmread(SAMPLE)  # the same images twice would count once
        dataset.SeriesInstanceUID, dataset.SOPInstanceUID = generate_uid(), generate_uid()
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(scans / f"scan{index:02d}.dcm")
    model = str(tiny_model(tmp_path / "tiny").folder)
    process = start(tmp_path / "task", BatchRequest((str(scans),), Options(out, model=model, report=False)))
    done = 0
    for line in process.stdout:
        done = max([done, *(event["done"] for event in events_of([line]))])
        if done == 1:
            (tmp_path / "task" / worker.STOP).touch()
            break
    process.communicate(timeout=200)
    assert process.returncode == worker.STOPPED
    # A process that does not end by itself within seconds is killed: its table may then be some cases behind, and the
    # case that it was writing lies hidden until the next run removes it.
    finished = sorted(path.name for path in out.iterdir() if path.is_dir() and not path.name.startswith("."))
    assert 1 <= len(finished) < 12
    assert all((out / name / "result.json").stat().st_size > 1000 for name in finished)
    rows = [row.split(",")[0] for row in (out / "results.csv").read_text().splitlines()[1:]]
    assert rows == finished[: len(rows)] != []


def test_the_process_ends_when_its_folder_is_gone(tmp_path):
    folder = tmp_path / "task"
    process = start(folder, BatchRequest((str(tmp_path),), Options(tmp_path / "out")))
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    process.communicate(timeout=200)
    assert process.returncode != worker.DONE


def test_threads_are_set_in_the_process_alone_and_before_numpy_is_loaded(tmp_path):
    """Slicer imports the file too, for its names."""
    code = (
        "import os, sys\n"
        "class Watch:\n"
        "    def find_spec(name, *_):\n"
        "        if name == 'numpy': say('numpy')\n"
        "def say(when): print(when, [os.environ.get(key) for key in ('OPENBLAS_NUM_THREADS', 'OMP_WAIT_POLICY')])\n"
        "sys.meta_path.insert(0, Watch)\n"
        "from DaTscanAILib.slicer_adapters.worker import main; say('imported'); main(sys.argv[1])\n"
    )
    request = BatchRequest((str(tmp_path / "nowhere"),), Options(tmp_path / "out"))
    (tmp_path / worker.REQUEST).write_bytes(pickle.dumps(request))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OPENBLAS", "OMP"))}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=LIBRARY, env=environment
    )
    said = [line for line in done.stdout.splitlines() if not line.startswith(worker.EVENT)]
    assert said == ["imported [None, None]", "numpy ['1', 'passive']"], done.stderr


def test_case_names_are_safe_and_unused():
    assert unused_name("5: DaT/SPECT", []) == "5_DaT_SPECT"
    assert unused_name("scan", [{"case": "Scan"}, {"case": "scan_2"}]) == "scan_3"


# ---- nothing stays behind


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The temporary folder, empty."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


def ended_process():
    """Identifier of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_request_is_gone_as_soon_as_it_is_read(tmp_path):
    """It holds the scan's voxels."""
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "scan.dcm").write_bytes(SAMPLE.read_bytes())
    request = BatchRequest((str(scans),), Options(tmp_path / "out", report=False))
    process = start(tmp_path / "task", request)
    for line in process.stdout:
        if events_of([line]):
            break
    assert not (tmp_path / "task" / worker.REQUEST).exists()
    (tmp_path / "task" / worker.STOP).touch()
    process.communicate(timeout=200)


def test_what_is_written_after_the_folder_was_removed_goes_too(temporary):
    folder = new_folder()
    (folder / "owner").write_text(str(ended_process()))
    leftover = worker._Leftover(folder)
    assert leftover.is_removed()
    (folder / "out").mkdir(parents=True)
    assert leftover.is_removed()
    assert list(temporary.iterdir()) == []


def test_the_process_removes_the_folder_when_slicer_has_died(temporary):
    """Slicer is played by a process that has ended; the request would take long."""
    folder = new_folder()
    (folder / "owner").write_text(str(ended_process()))
    request = BatchRequest((str(folder),), Options(folder / "out"))
    (folder / worker.REQUEST).write_bytes(pickle.dumps(request))
    command = [sys.executable, "-m", "DaTscanAILib.slicer_adapters.worker", str(folder)]
    subprocess.run(command, cwd=LIBRARY, capture_output=True, timeout=200)
    assert list(temporary.iterdir()) == []


def test_left_overs_of_a_crash_go_at_the_next_start_those_of_others_stay(temporary):
    mine, crashed, nameless = new_folder(), new_folder(), new_folder()
    (crashed / "owner").write_text(str(ended_process()))
    (crashed / worker.ANSWER).write_bytes(b"voxels")
    (nameless / "owner").unlink()
    os.utime(nameless, (0, 0))
    (temporary / "somebody else").mkdir()
    remove_leftovers()
    assert {path.name for path in temporary.iterdir()} == {mine.name, "somebody else"}


def test_whether_a_process_lives_is_known():
    assert process_is_alive(os.getpid())
    assert not process_is_alive(ended_process())


def test_slicer_removes_left_overs_when_it_has_started(temporary, monkeypatch):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    from slicer_environment import prepare

    prepare()
    import DaTscanAI

    crashed = new_folder()
    (crashed / "owner").write_text(str(ended_process()))
    nothing = SimpleNamespace(
        registerCustomSampleDataCategory=lambda *_, **__: None, registerCustomSampleDataSource=lambda **_: None
    )
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=nothing))
    slicer.app.connections.clear()
    DaTscanAI.DaTscanAI(SimpleNamespace())
    ((signal, slot),) = slicer.app.connections
    assert signal == "startupCompleted()"
    slot()
    assert not crashed.exists()
