"""A watched folder, its clock in the test's hand: complete series only, nothing twice, nothing lost, nobody named."""

import errno
import json
import logging
import os
import shutil
import sys
from pathlib import Path

import batch_stub
import dicom_factory as factory
import pytest
from arriving_factory import QUIET_S, SLICES, Place, save_study, save_volume, study

from DaTscanAILib.arriving.service import LEDGER_FILE
from DaTscanAILib.arriving.watch import MOST_ATTEMPTS
from DaTscanAILib.arriving.worker import Killed
from DaTscanAILib.reporting import result_files


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    batch_stub.install(monkeypatch.setattr)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def labels(place):
    return {case: row["label"] for case, row in place.rows().items()}


# --- when a scan is complete ------------------------------------------------------------------------------


def test_a_file_is_analyzed_when_it_has_been_quiet_and_not_before(place):
    path = save_volume(place.inbox / "scan.nii", 8)
    place.step().step(QUIET_S - 1)
    assert place.runs == []
    path.write_bytes(path.read_bytes() + b"more")
    place.step(2).step(QUIET_S - 3)
    assert place.runs == []
    place.step(4)
    assert labels(place) == {"scan": "reduced"}
    assert (place.output / "scan" / "result.json").is_file()
    assert path.is_file()


def test_a_series_is_analyzed_once_when_its_last_slice_has_come(place):
    slices = study(8)
    for start in range(0, SLICES, 5):
        save_study(slices[start : start + 5], place.inbox, f"PART{start}_")
        place.step(QUIET_S - 5)
    assert place.runs == []
    place.step(QUIET_S + 1)
    assert list(labels(place).values()) == ["reduced"]
    assert len(place.runs) == 1


def test_slices_that_come_late_are_added_and_the_case_keeps_its_name(place):
    slices = study(8)
    save_study(slices[:15], place.inbox / "a")
    place.arrive()
    (row,) = place.rows().values()
    assert "too few slices" in row["error"]
    save_study(slices[15:], place.inbox / "a", "LATE")
    place.arrive()
    (again,) = place.rows().values()
    assert (again["case"], again["label"], again["error"]) == (row["case"], "reduced", "")
    assert place.runs == [row["case"]] * 2


def test_the_sender_may_say_that_this_is_all(place):
    save_study(study(8), place.inbox / "series")
    place.completed = [place.inbox / "series"]
    place.step()
    assert list(labels(place).values()) == ["reduced"]


def test_scans_of_several_patients_in_one_folder(place):
    for number, level in enumerate((8, 2, 9)):
        save_study(study(level), place.inbox, f"P{number}_")
    save_volume(place.inbox / "other.nii", 3)
    place.arrive()
    assert sorted(labels(place).values()) == ["normal", "normal", "reduced", "reduced"]
    assert len(place.runs) == 4


def test_everything_beside_the_scan_is_passed_over_and_counted(place):
    slices = study(8)
    both = {"StudyInstanceUID": slices[0].StudyInstanceUID}
    save_study(slices, place.inbox / "study")
    save_study([factory.nm_dataset(modality="CT", **both)], place.inbox / "study", "CT")
    save_study(
        [factory.nm_dataset(image_type=("ORIGINAL", "PRIMARY", "TOMO"), **both)], place.inbox / "study", "TOMO"
    )
    (place.inbox / "notes.txt").write_text("hello")
    place.arrive()
    assert list(labels(place).values()) == ["reduced"]
    assert json.loads((place.output / "status.json").read_text())["files_passed_over"] == 1


def test_a_study_without_reconstruction_says_so_until_one_comes(place):
    tomo = factory.nm_dataset(image_type=("ORIGINAL", "PRIMARY", "TOMO"), shape=(24, 24, 20))
    save_study([tomo], place.inbox / "study", "TOMO")
    place.arrive()
    (row,) = place.rows().values()
    assert "projections, not a reconstruction" in row["error"]
    save_study(study(8, StudyInstanceUID=tomo.StudyInstanceUID), place.inbox / "study")
    place.arrive()
    assert list(labels(place).values()) == ["reduced"]


def test_results_inside_the_watched_folder_are_nobodys_scans(tmp_path):
    place = Place(tmp_path, output=tmp_path / "in" / "results")
    save_volume(place.inbox / "scan.nii", 8)
    for _ in range(4):
        place.arrive()
    assert place.runs == ["scan"]
    assert labels(place) == {"scan": "reduced"}


# --- nothing twice, nothing lost --------------------------------------------------------------------------


def test_after_a_restart_nothing_is_done_again(place):
    save_volume(place.inbox / "scan.nii", 8)
    save_study(study(2), place.inbox / "series")
    before = place.arrive().rows()
    place.start()
    place.arrive().arrive()
    assert len(place.runs) == 2
    assert place.rows() == before


def test_the_same_scan_sent_again_is_kept_as_it_is(place):
    slices = study(8)
    save_study(slices, place.inbox / "series")
    place.arrive()
    result = next(place.output.glob("*/result.json"))
    written = result.stat().st_mtime_ns
    for path in (place.inbox / "series").iterdir():
        os.utime(path, ns=(1, 1))
    place.arrive()
    assert result.stat().st_mtime_ns == written
    assert len(place.rows()) == 1


def killed_before_the_note(place):
    """What arrives is worked on, and the process ends between the folder of results and the ledger's note of it."""
    whole = place.ledger.finish
    place.ledger.finish = lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        place.arrive()
    place.ledger.finish = whole


def test_a_scan_whose_service_ended_after_its_results_were_written_is_taken_over(place):
    """Killed between the folder of results and the ledger's note of it."""
    save_volume(place.inbox / "scan.nii", 8)
    killed_before_the_note(place)
    written = (place.output / "scan" / "result.json").stat().st_mtime_ns
    place.start()
    place.arrive()
    assert (place.output / "scan" / "result.json").stat().st_mtime_ns == written
    assert labels(place) == {"scan": "reduced"}


def test_a_scan_that_was_begun_when_the_service_was_stopped_is_done_at_the_next_start(tmp_path):
    def stopped(case):
        raise KeyboardInterrupt

    place = Place(tmp_path, run=stopped)
    save_volume(place.inbox / "scan.nii", 8)
    for _ in range(MOST_ATTEMPTS + 2):  # stopping is no failure of the scan
        with pytest.raises(KeyboardInterrupt):
            place.arrive()
    place._run = None
    place.start()
    assert labels(place.arrive()) == {"scan": "reduced"}


def test_what_ends_the_worker_each_time_is_given_up_and_the_others_are_done(tmp_path):
    def run(case):
        if case.name == "bad":
            raise Killed
        return real(case)

    place = Place(tmp_path)
    real = lambda case: batch_work(case, place)  # noqa: E731
    place._run = run
    save_volume(place.inbox / "bad.nii", 8)
    save_volume(place.inbox / "good.nii", 8)
    place.arrive()
    for _ in range(MOST_ATTEMPTS + 1):
        place.step(4000)
    assert place.runs.count("bad") == MOST_ATTEMPTS
    assert labels(place)["good"] == "reduced"
    assert "the process that analyzed it ended each time" in place.rows()["bad"]["error"]


def batch_work(case, place):
    from DaTscanAILib.arriving.worker import work_on

    return work_on(case, place.options)


def test_a_share_that_is_away_for_a_while_costs_nothing(place):
    save_volume(place.inbox / "scan.nii", 8)
    before = place.arrive().rows()
    place.inbox.rename(place.root / "away")
    place.step(10)
    assert json.loads((place.output / "status.json").read_text())["state"] == "folder cannot be read"
    (place.root / "away").rename(place.inbox)
    place.arrive()
    assert place.rows() == before
    written = (place.output / "scan" / "result.json").read_text()
    assert json.loads(written)["classification"]["label"] == "reduced"


# --- space and limits -------------------------------------------------------------------------------------


@pytest.mark.fault_injection
def test_on_a_full_disk_a_scan_waits_and_is_done_when_there_is_room(place, monkeypatch):
    save_volume(place.inbox / "scan.nii", 8)
    with monkeypatch.context() as patch:
        patch.setattr(result_files, "_write_volumes", lambda *_: no_space())
        place.arrive()
        assert place.runs == ["scan"]
        place.step(10)
        assert place.runs == ["scan"]  # it is not tried again and again
    assert not (place.output / "results.csv").exists() or labels(place) == {}
    place.step(4000)
    assert labels(place) == {"scan": "reduced"}
    left = {path.name for path in place.output.glob("*")}
    assert left == {"scan", "results.csv", "index.html", "status.json", LEDGER_FILE}


def no_space():
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.fault_injection
def test_with_little_space_nothing_is_begun(tmp_path, monkeypatch):
    place = Place(tmp_path, least_free=10**9)
    free = [0]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 0, free[0]))
    save_volume(place.inbox / "scan.nii", 8)
    place.arrive()
    assert place.runs == []
    assert json.loads((place.output / "status.json").read_text())["state"] == "waiting for space"
    free[0] = 2 * 10**9
    assert labels(place.step(1)) == {"scan": "reduced"}


def test_more_files_or_bytes_than_a_scan_has_are_refused_unread(tmp_path):
    place = Place(tmp_path, most_files=SLICES - 1, most_bytes=50_000)
    save_study(study(8), place.inbox / "series")
    save_volume(place.inbox / "large.nii", 8).write_bytes(bytes(50_001))
    place.arrive()
    errors = sorted(row["error"] for row in place.rows().values())
    assert "more than 19 files arrived for one scan" in errors[0]
    assert "a file of more than 0 MiB arrived" in errors[1]


def test_names_that_would_be_equal_are_told_apart(place):
    save_volume(place.inbox / "a_b.nii", 8)
    save_volume(place.inbox / "a" / "b.nii", 2)
    place.arrive()
    assert sorted(labels(place).values()) == ["normal", "reduced"]
    assert len(set(place.runs)) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_hundred_studies_in_flat_memory(place, monkeypatch):
    monkeypatch.setattr(result_files, "_write_volumes", lambda *_: None)
    sizes = []
    template = save_study(study(8, multiframe=True), place.root / "made")[0]
    dataset = factory.pydicom.dcmread(template)
    for number in range(200):
        factory.set_identity(dataset)
        dataset.SeriesInstanceUID = dataset.StudyInstanceUID = f"1.2.3.{number}"
        save_study([dataset], place.inbox / f"study{number}")
        if number % 10 == 9:
            place.arrive()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            sizes.append(pages * os.sysconf("SC_PAGE_SIZE"))
    assert len(place.rows()) == len(place.runs) == 200
    assert sizes[-1] - sizes[3] < 10 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all names are Unicode")
def test_a_name_that_is_no_utf_8_is_a_name_all_the_same(place):
    """CDs burnt under old Windows; such a file ended the service."""
    folder = place.inbox / os.fsdecode(b"M\xfcller")
    scan = save_volume(place.inbox / "scan.nii", 8)
    folder.mkdir()
    for name in (b"K\xf6ln.nii", b"K\xe4ln.nii"):
        shutil.copy(scan, folder / os.fsdecode(name))
    place.arrive()
    assert [row["label"] for row in place.rows().values()] == ["reduced"] * 3
    assert len(set(place.runs)) == 3
    place.start()
    place.arrive()
    assert len(place.runs) == 3


# --- results sent on --------------------------------------------------------------------------------------


def with_results(place):
    """Whatever makes DICOM results, here they are: two files in a folder of the case."""

    def run(case):
        outcome = batch_work(case, place)
        save_study(study(1, multiframe=True), place.output / case.name / "dicom", "SR")
        (place.output / case.name / "dicom" / "no.txt").write_text("no DICOM")
        return outcome

    place._run = run
    return place


def test_the_dicom_files_of_the_results_are_sent_once(tmp_path):
    place = with_results(Place(tmp_path, send=lambda files: []))
    save_volume(place.inbox / "scan.nii", 8)
    place.arrive().arrive()
    assert place.sends == [["SR0000.dcm"]]
    os.utime(place.inbox / "scan.nii", ns=(1, 1))
    place._run = None
    place.arrive()
    assert len(place.sends) == 1


def test_results_that_were_written_and_not_noted_are_sent_all_the_same(tmp_path):
    """Killed between the folder of results and the ledger: the next process keeps the results, and sends them."""
    place = with_results(Place(tmp_path, send=lambda files: []))
    save_volume(place.inbox / "scan.nii", 8)
    killed_before_the_note(place)
    assert place.sends == []
    place.start()
    place._run = None  # what is there is kept
    place.arrive().arrive()
    assert place.sends == [["SR0000.dcm"]]


def test_what_could_not_be_sent_is_sent_later_also_by_the_next_process(tmp_path):
    place = with_results(Place(tmp_path, send=lambda files: files))
    save_volume(place.inbox / "scan.nii", 8)
    place.arrive()
    place.step(1)
    assert len(place.sends) == 1  # not again and again
    assert json.loads((place.output / "status.json").read_text())["unsent"] == 1
    place.start()
    place._send = lambda files: []
    place.step(4000)
    place.step(4000)
    assert place.sends == [["SR0000.dcm"]] * 2
    assert json.loads((place.output / "status.json").read_text())["unsent"] == 0


# --- nobody is named --------------------------------------------------------------------------------------


def test_log_and_status_name_neither_patient_nor_file(tmp_path, caplog):
    place = Place(tmp_path)
    place.log = place.watcher._log = logging.getLogger("watched")
    caplog.set_level(logging.DEBUG)
    named = {"PatientName": "Zqxlast^Zqxfirst", "PatientID": "ZQX4711", "SeriesDescription": "Zqxseries"}
    save_study(study(8, **named), place.inbox / "Zqxfolder", "Zqxfile")
    save_study(study(8, **named)[:7], place.inbox / "Zqxfolder2", "Zqxfile")
    (place.inbox / "Zqxempty.dcm").write_bytes(b"")
    place.arrive()
    assert len(place.runs) == 3
    said = caplog.text + (place.output / "status.json").read_text()
    assert "reduced after" in said
    assert "zqx" not in said.lower()


def test_the_ledger_is_for_its_owner_alone(tmp_path):
    from DaTscanAILib.arriving.service import _keep_to_ourselves

    _keep_to_ourselves(tmp_path)
    assert (tmp_path / LEDGER_FILE).stat().st_mode & 0o777 == 0o600
