"""The whole way through processes of their own: a sender, `listen` with the real chain, another system's receiver."""

import json
import signal
import subprocess
import sys

import pydicom
import pytest
from arriving_factory import archive
from batch_stub import command, environment
from patience import PATIENCE_S, wait_for

from DaTscanAILib.base.resources import resource_path

pynetdicom = pytest.importorskip("pynetdicom")
pytest.importorskip("highdicom")
pytest.importorskip("torch")

pytestmark = pytest.mark.slow
CLASSES = ("1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.104.1")


def log_of(output):
    path = output / "service.log"
    return path.read_text() if path.exists() else ""


def port_in(text):
    lines = [line for line in text.splitlines(keepends=True) if "listening on port " in line and line.endswith("\n")]
    return lines and int(lines[0].split("listening on port ")[1])


def store(port, path, title):
    """Exit status of pynetdicom's own storescu."""
    call = [sys.executable, "-m", "pynetdicom", "storescu", "127.0.0.1", str(port), str(path)]
    call += ["-aet", title, "-aec", "DATSCANAI"]
    return subprocess.run(call, capture_output=True, text=True, timeout=PATIENCE_S).returncode


def test_a_scan_sent_by_storescu_comes_back_as_report_pictures_and_page(tmp_path):
    """Killed (-9) when all is received and before it is sent on; the next process sends it, once."""
    scan, output = resource_path("Samples", "reduced.dcm"), tmp_path / "out"
    with archive(CLASSES, keep=lambda event: event.dataset) as (port, got):
        listen = command("listen", "--port", "0", "--output", output, "--min-free-mib", "0", "--every-seconds", "0.2")
        listen += ["--quiet-seconds", "5", "--device", "cpu", "--dicom-results"]
        listen += ["--allow", "PACS1@127.0.0.1", "--send-to", f"ARCHIVE@127.0.0.1:{port}"]
        process = subprocess.Popen(listen, env=environment(), stderr=subprocess.PIPE, text=True)
        try:
            own = wait_for(lambda: port_in(log_of(output)))
            assert store(own, scan, "FOREIGN") != 0
            assert store(own, scan, "PACS1") == 0
            wait_for(lambda: "an association has brought 1 series" in log_of(output))
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert got == []
        process = subprocess.Popen(listen, env=environment(), stderr=subprocess.PIPE, text=True)
        try:
            wait_for(lambda: ": 4 sent, 0 left" in log_of(output))
            process.terminate()
            said = process.communicate(timeout=PATIENCE_S)[1]
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    (folder,) = [path.parent for path in output.glob("*/result.json")]
    assert json.loads((folder / "result.json").read_text())["classification"]["label"] == "reduced"
    patient = pydicom.dcmread(scan, stop_before_pixels=True)
    assert sorted(one.SOPClassUID for one in got) == sorted([*CLASSES, CLASSES[1]])  # two pictures
    assert {one.StudyInstanceUID for one in got} == {patient.StudyInstanceUID}
    assert len({one.SOPInstanceUID for one in got}) == len(got)
    status = json.loads((output / "status.json").read_text())
    assert (status["state"], status["done"], status["unsent"]) == ("stopped", 1, 0)
    assert [path for path in (output / "received").rglob("*") if path.is_file()] == []
    assert str(patient.PatientID) not in log_of(output)
