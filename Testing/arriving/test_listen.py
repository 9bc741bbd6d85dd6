"""A DICOM receiver on the loopback: a study in, results out, and everybody who may not or does not behave."""

import contextlib
import errno
import json
import logging
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import batch_stub
import dicom_factory as factory
import pytest
from arriving_factory import SLICES, Place, archive, save_study, study
from patience import PATIENCE_S, wait_for

from DaTscanAILib.arriving import receive
from DaTscanAILib.arriving.door import Door, Peer
from DaTscanAILib.arriving.receive import Receiver
from DaTscanAILib.arriving.send import Sender, Target
from DaTscanAILib.base.errors import DaTscanError

pynetdicom = pytest.importorskip("pynetdicom")
TITLE = "DATSCANAI"
STORED, NO_ROOM, NOT_ALLOWED = 0x0000, 0xA700, 0x0124
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    batch_stub.install(monkeypatch.setattr)


@contextlib.contextmanager
def listening(folder, **options):
    receiver = Receiver(Door(0, TITLE, **{"least_free": 0, **options}), folder, logging.getLogger("listen"))
    try:
        yield receiver
    finally:
        receiver.close()


def associate(port, title="PACS1", called=TITLE, classes=(factory.NM_CLASS,), **options):
    entity = pynetdicom.AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = PATIENCE_S
    for kind in classes:
        entity.add_requested_context(kind)
    return entity.associate("127.0.0.1", port, ae_title=called, **options)


def send(port, datasets, **options):
    """Statuses of a study sent in one association that ends as it should."""
    association = associate(port, **options)
    assert association.is_established
    statuses = [association.send_c_store(dataset).get("Status") for dataset in datasets]
    association.release()
    return statuses


def received(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


# --- a study in, results out ------------------------------------------------------------------------------


def test_a_study_sent_is_analyzed_when_its_association_ends(tmp_path):
    place = Place(tmp_path, keep=False)
    with listening(place.inbox) as receiver:
        assert send(receiver.port, study(8)) == [STORED] * SLICES
        place.completed = wait_for(receiver.completed)
    place.step()  # no quiet time passes
    (row,) = place.rows().values()
    assert (row["label"], row["error"]) == ("reduced", "")
    assert received(place.inbox) == []  # nothing of a patient is left
    assert list(place.inbox.iterdir()) == []


def test_what_is_sent_again_is_not_analyzed_again(tmp_path):
    place, slices = Place(tmp_path, keep=False), study(8)
    with listening(place.inbox) as receiver:
        for _ in range(2):
            send(receiver.port, slices)
            place.completed = wait_for(receiver.completed)
            place.step()
    written = [path.stat().st_mtime_ns for path in place.output.glob("*/result.json")]
    assert len(written) == len(place.rows()) == 1


def test_an_association_cut_in_the_middle_is_completed_by_the_next(tmp_path):
    place, slices = Place(tmp_path), study(8)
    with listening(place.inbox) as receiver:
        association = associate(receiver.port)
        for dataset in slices[:7]:
            association.send_c_store(dataset)
        association.abort()
        wait_for(lambda: len(received(place.inbox)) == 7)
        place.step()
        assert (receiver.completed(), place.runs) == ([], [])
        send(receiver.port, slices)
        place.completed = wait_for(receiver.completed)
    place.step()
    assert [row["label"] for row in place.rows().values()] == ["reduced"]


def test_a_connection_cut_within_an_object_leaves_no_half_of_it(tmp_path):
    with listening(tmp_path / "in") as receiver:
        association = associate(receiver.port)
        connection = association.dul.socket
        whole = connection.send

        def half(data):
            whole(data[: len(data) // 2])
            connection.socket.shutdown(socket.SHUT_RDWR)

        connection.send = half
        with contextlib.suppress(RuntimeError):
            association.send_c_store(study(8, multiframe=True)[0])
        association.abort()
        time.sleep(0.2)
        assert received(tmp_path / "in") == []
        assert send(receiver.port, study(8)[:1]) == [STORED]  # it goes on


@pytest.mark.fault_injection
def test_on_a_full_disk_the_sender_is_told_and_nothing_half_is_left(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    slices = study(8)
    with listening(tmp_path / "in") as receiver:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            assert send(receiver.port, slices[:3]) == [NO_ROOM] * 3
        assert received(tmp_path / "in") == []
        assert send(receiver.port, slices) == [STORED] * SLICES
    with listening(tmp_path / "in2", least_free=2**62) as receiver:
        assert send(receiver.port, slices[:1]) == [NO_ROOM]


def test_what_is_acknowledged_is_on_the_disk_whole(tmp_path):
    (dataset,) = study(8, multiframe=True)
    with listening(tmp_path / "in") as receiver:
        send(receiver.port, [dataset])
        (path,) = received(tmp_path / "in")
    again = factory.pydicom.dcmread(path)
    assert again.SOPInstanceUID == dataset.SOPInstanceUID
    assert again.PixelData == dataset.PixelData


def test_names_on_the_disk_and_in_the_log_are_hashes(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    named = {
        "PatientName": "Zqxlast^Zqxfirst",
        "PatientID": "ZQX4711",
        "SeriesInstanceUID": "1.2.826.777777777.222",
    }
    with listening(tmp_path / "in") as receiver:
        send(receiver.port, study(8, **named)[:2])
        paths = received(tmp_path / "in")
    assert len(paths) == 2
    said = caplog.text + "".join(str(path.relative_to(tmp_path)) for path in paths)
    assert "zqx" not in said.lower()
    assert "777777777" not in said  # three sevens may stand in a hash by chance, nine do not


def resident_bytes():
    """Of this process, where the system tells it; else 0."""
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if path.exists() else 0


@pytest.mark.fault_injection
def test_two_hundred_studies_in_a_row_in_flat_memory(tmp_path):
    (dataset,) = study(8, multiframe=True)
    with listening(tmp_path / "in", most_per_minute=1000) as receiver:
        threads, sizes = threading.active_count(), []
        for number in range(200):
            factory.set_identity(dataset)
            dataset.SeriesInstanceUID = f"1.2.3.{number}"
            assert send(receiver.port, [dataset]) == [STORED]
            sizes.append(resident_bytes())
        wait_for(lambda: threading.active_count() <= threads + 1)
        assert len(wait_for(receiver.completed)) + len(receiver.completed()) == 200
        assert receiver._arrivals == {}
        assert sizes[-1] - sizes[40] < 10 * 2**20  # of sender and receiver together
    assert len(received(tmp_path / "in")) == 200


# --- who may, and how much --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "title", "let_in"),
    [
        ("PACS1", "PACS1", True),
        ("PACS1", "OTHER", False),
        ("PACS1@127.0.0.1", "PACS1", True),
        ("PACS1@10.0.0.5", "PACS1", False),
        ("@127.0.0.1", "ANYBODY", True),
        ("@10.0.0.5", "ANYBODY", False),
    ],
)
def test_only_those_named_may_send(allowed, title, let_in, tmp_path):
    with listening(tmp_path / "in", peers=(Peer.parsed(allowed),)) as receiver:
        association = associate(receiver.port, title)
        assert association.is_established is let_in
        if let_in:
            association.release()
    assert received(tmp_path / "in") == []


def test_a_title_at_anothers_address_may_not_send(tmp_path):
    """PACS1 sits at 10.0.0.5; who calls itself PACS1 at an address that another title may use is not it."""
    peers = (Peer.parsed("PACS1@10.0.0.5"), Peer.parsed("PACS2@127.0.0.1"))
    with listening(tmp_path / "in", peers=peers) as receiver:
        assert send(receiver.port, study(8)[:1], title="PACS1") == [NOT_ALLOWED]
        assert send(receiver.port, study(8)[:1], title="PACS2") == [STORED]


def test_who_calls_another_title_is_refused(tmp_path):
    with listening(tmp_path / "in") as receiver:
        assert not associate(receiver.port, called="SOMEBODY").is_established


def test_other_modalities_are_not_even_offered(tmp_path):
    with listening(tmp_path / "in") as receiver:
        association = associate(receiver.port, classes=(factory.NM_CLASS, CT_CLASS))
        assert [context.abstract_syntax for context in association.accepted_contexts] == [factory.NM_CLASS]
        association.release()


def test_an_object_that_is_too_large_ends_its_association_and_costs_no_memory(tmp_path):
    dataset = factory.nm_dataset(shape=(128, 128, 128))  # 4 MiB
    with listening(tmp_path / "in", most_bytes=2**20) as receiver:
        association = associate(receiver.port)
        with contextlib.suppress(RuntimeError):
            assert association.send_c_store(dataset).get("Status") is None
        wait_for(lambda: not association.is_established)
        assert received(tmp_path / "in") == []
        assert send(receiver.port, study(8)[:1]) == [STORED]


def test_who_knocks_too_often_is_turned_away(tmp_path):
    with listening(tmp_path / "in", most_per_minute=3) as receiver:
        tries = [associate(receiver.port) for _ in range(5)]
        assert [association.is_established for association in tries] == [True] * 3 + [False] * 2
        for association in tries[:3]:
            association.release()


@pytest.mark.parametrize(
    "noise", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\xff\xff\xff\xff" + bytes(100), os.urandom(4000)]
)
def test_who_speaks_no_dicom_keeps_nobody_out(noise, tmp_path):
    with listening(tmp_path / "in") as receiver, socket.create_connection(("127.0.0.1", receiver.port)) as stranger:
        stranger.sendall(noise)
        assert send(receiver.port, study(8)[:1]) == [STORED]


def test_beyond_this_machine_senders_have_to_be_named(tmp_path):
    for door, sentence in (
        (Door(0, TITLE, address="0.0.0.0"), r"Anybody who reaches 0\.0\.0\.0 could send"),
        (Door(0, "A" * 17), "is no AE title"),
        (Door(0, "A\\B"), "is no AE title"),
    ):
        with pytest.raises(DaTscanError, match=sentence):
            Receiver(door, tmp_path / "in", logging.getLogger("listen"))
    for text in ("", "@", "A" * 17):
        with pytest.raises(DaTscanError, match="names no sender"):
            Peer.parsed(text)


def test_a_port_that_is_taken_is_one_sentence(tmp_path):
    with (
        listening(tmp_path / "in") as receiver,
        pytest.raises(DaTscanError, match=f"Port {receiver.port} cannot be used"),
    ):
        Receiver(Door(receiver.port, TITLE), tmp_path / "other", logging.getLogger("listen"))


# --- TLS --------------------------------------------------------------------------------------------------


def certificate(folder, name):
    """A self-signed certificate that is its own authority: (certificate, key)."""
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    try:
        subprocess.run([*command, "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the command openssl")
    return paths


def test_with_tls_only_holders_of_the_authoritys_certificate_are_heard(tmp_path):
    ours, others = certificate(tmp_path, "ours"), certificate(tmp_path, "others")
    tls = {"certificate": ours[0], "key": ours[1], "authority": ours[0]}
    file = save_study(study(8, multiframe=True), tmp_path / "made")
    with listening(tmp_path / "in", **tls) as receiver:
        target = Target("DATSCANAI", "127.0.0.1", receiver.port)
        silent = socket.create_connection(("127.0.0.1", receiver.port))  # does not keep others out
        assert Sender(target, Door(0, "PACS1"), secure=False)(file) == file
        wrong = Door(0, "PACS1", certificate=others[0], key=others[1], authority=ours[0])
        assert Sender(target, wrong, secure=True)(file) == file
        assert Sender(target, Door(0, "PACS1", **tls), secure=True)(file) == []
        silent.close()
    assert len(received(tmp_path / "in")) == 1


def test_files_for_tls_that_cannot_be_used(tmp_path):
    (tmp_path / "bad.pem").write_text("no certificate")
    for files in ({"certificate": tmp_path / "bad.pem"}, {"authority": tmp_path / "bad.pem"}):
        with pytest.raises(DaTscanError, match="The files for TLS cannot be used"):
            Receiver(Door(0, TITLE, **files), tmp_path / "in", logging.getLogger("listen"))


# --- sending on -------------------------------------------------------------------------------------------


def results_of_a_case(folder):
    """A report and a capture, as other rooms make them."""
    report = factory.nm_dataset(shape=(20, 20, 20), modality="SR", sop_class="1.2.840.10008.5.1.4.1.1.88.33")
    report.remove_private_tags()
    for keyword in ("PixelData", "Rows", "Columns", "NumberOfFrames"):
        del report[keyword]
    capture = factory.nm_dataset(shape=(20, 20, 1), modality="OT", sop_class=factory.CAPTURE_CLASS[:-2])
    return save_study([report, capture], folder, "RESULT")


def test_report_and_capture_reach_the_archive(tmp_path):
    files = results_of_a_case(tmp_path / "case")
    classes = ["1.2.840.10008.5.1.4.1.1.88.33", factory.CAPTURE_CLASS[:-2]]
    with archive(classes) as (port, got):
        assert Sender(Target("ARCHIVE", "127.0.0.1", port), Door(0, TITLE))(files) == []
    assert sorted(got) == sorted(classes)


def test_what_the_archive_does_not_take_stays_for_later(tmp_path):
    files = results_of_a_case(tmp_path / "case")
    with archive([factory.CAPTURE_CLASS[:-2]]) as (port, got):
        target = Target("ARCHIVE", "127.0.0.1", port)
        assert Sender(target, Door(0, TITLE))(files) == files[:1]
        assert len(got) == 1
    assert Sender(target, Door(0, TITLE))(files) == files  # nobody is there now
    with archive([factory.CAPTURE_CLASS[:-2]], status=NO_ROOM) as (port, _):
        assert Sender(Target("ARCHIVE", "127.0.0.1", port), Door(0, TITLE))(files) == files


@pytest.mark.parametrize("text", ["ARCHIVE", "ARCHIVE@host", "@host:104", "ARCHIVE@host:99999", "A" * 17 + "@h:1"])
def test_receivers_that_are_none(text):
    with pytest.raises(DaTscanError, match="names no receiver"):
        Target.parsed(text)


def test_receivers_that_are():
    assert Target.parsed("ARCHIVE@pacs.local:104") == Target("ARCHIVE", "pacs.local", 104)
    assert Target.parsed("A@[::1]:11112") == Target("A", "::1", 11112)


# --- the command ------------------------------------------------------------------------------------------


@pytest.mark.fault_injection
def test_the_command_takes_a_study_sends_results_on_and_ends_cleanly(tmp_path):
    """Of the command's own process: SIGTERM, exit status 0, a status that says so, nothing of the patient left."""
    environment = batch_stub.installed_everywhere(tmp_path)
    with archive([factory.NM_CLASS]) as (port, got):
        command = [
            *batch_stub.command("listen"),
            "--port",
            "0",
            "--output",
            str(tmp_path / "out"),
            "--min-free-mib",
            "0",
        ]
        command += ["--every-seconds", "0.1", "--dicom-results", "--send-to", f"ARCHIVE@127.0.0.1:{port}"]
        command += ["--allow", "PACS1@127.0.0.1"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            try:
                own_port = int(wait_for(lambda: port_in(tmp_path / "out" / "service.log")))
                assert not associate(own_port, "FOREIGN").is_established
                assert send(own_port, study(8)) == [STORED] * SLICES
                wait_for(lambda: ": 1 sent, 0 left" in (tmp_path / "out" / "service.log").read_text())
                process.terminate()
                err = process.communicate(timeout=PATIENCE_S)[1]
            finally:
                process.kill()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert len(got) == 1
    status = json.loads((tmp_path / "out" / "status.json").read_text())
    assert (status["service"], status["state"], status["done"], status["unsent"]) == ("listen", "stopped", 1, 0)
    assert "reduced" in (tmp_path / "out" / "results.csv").read_text()
    assert received(tmp_path / "out" / "received") == []


def port_in(log):
    text = log.read_text() if log.exists() else ""
    return text.split("listening on port ")[1].split()[0] if "listening on port " in text and "\n" in text else None


def test_nothing_of_this_room_is_imported_without_its_commands():
    assert Path(receive.__file__).parent.name == "arriving"
