"""The whole way: a DICOM scan arrives, is analyzed, and report, pictures and page reach the archive."""

import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from arriving_factory import QUIET_S, Place, archive

from DaTscanAILib.arriving.door import Door
from DaTscanAILib.arriving.send import Sender, Target
from DaTscanAILib.arriving.worker import work_on
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.batch.options import Options
from DaTscanAILib.cli.main import main
from DaTscanAILib.reading.scan import write_volume
from DaTscanAILib.reporting.result_files import read_result

pynetdicom = pytest.importorskip("pynetdicom")
highdicom = pytest.importorskip("highdicom")
pytest.importorskip("torch")

# Comprehensive SR, secondary captures, encapsulated PDF.
CLASSES = ("1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.104.1")


def whole(event):
    """The data set as it came, ready to be saved."""
    dataset = event.dataset
    dataset.file_meta = event.file_meta
    return dataset


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """(folder of the case, what the archive has got, names of the files in each association)."""
    root = tmp_path_factory.mktemp("service")
    with archive(CLASSES, keep=whole) as (port, got):
        options = Options(root / "out", resume=True, device="cpu", dicom_results=True)
        sender = Sender(Target("ARCHIVE", "127.0.0.1", port), Door(0, "DATSCANAI"))
        place = Place(root, run=lambda case: work_on(case, options), send=sender)
        shutil.copy(resource_path("Samples", "reduced.dcm"), place.inbox / "scan.dcm")
        place.arrive(QUIET_S + 1)
        (case,) = place.rows()
        assert place.rows()[case]["error"] == ""
        assert place.ledger.counts()["unsent"] == 0
    return place.output / case, got, place.sends


def test_all_kinds_arrive_once_and_whole(sent):
    folder, got, sends = sent
    names = {one.SOPInstanceUID: path.name for path in folder.glob("*.dcm") for one in [pydicom.dcmread(path)]}
    assert sorted(names[one.SOPInstanceUID] for one in got) == sorted(names.values())
    assert len(got) == 4
    assert len(sends) == 1
    assert {one.SOPClassUID for one in got} == set(CLASSES)
    for one in got:
        written = pydicom.dcmread(folder / names[one.SOPInstanceUID])
        written.remove_private_tags()
        assert one == written


def test_what_arrives_is_the_answer_that_lies_in_the_folder(sent):
    folder, got, _ = sent
    result = read_result(folder)
    (report,) = (one for one in got if one.Modality == "SR")
    content = highdicom.sr.ComprehensiveSR.from_dataset(report).content
    groups = {group.tracking_identifier: group for group in content.get_image_measurement_groups()}
    (probability,) = groups["answer"].get_measurements()
    assert probability.value == result["classification"]["probability_reduced"]
    (answer,) = groups["answer"].get_qualitative_evaluations()
    assert answer.value.value == result["classification"]["label"].upper() == "REDUCED"
    (sbr,) = groups["putamen_right"].get_measurements()
    assert sbr.value == result["quantification"]["sbr"]["putamen_right"]


def test_resuming_keeps_it_until_the_patient_is_another(sent, tmp_path):
    """A corrected Patient ID is another identity: results with the old one may not be kept."""
    from DaTscanAILib.batch.one_case import finished_before
    from DaTscanAILib.reading.inputs import Case

    folder, _, _ = sent
    scan = tmp_path / "scan.dcm"
    shutil.copy(resource_path("Samples", "reduced.dcm"), scan)
    options = Options(folder.parent, device="cpu", dicom_results=True)
    case = Case(folder.name, scan, source="scan.dcm")
    assert finished_before(case, options) is not None
    assert finished_before(case, replace(options, dicom_results=False)) is None
    changed = pydicom.dcmread(scan)
    changed.PatientID = "SOMEBODY-ELSE"
    changed.save_as(scan)
    assert finished_before(case, options) is None


def test_the_command_refuses_what_is_no_dicom(tmp_path, capsys):
    write_volume(tmp_path / "scan.nii", np.arange(8000, dtype=np.float32).reshape(20, 20, 20), np.eye(4) * 3)
    output = tmp_path / "out"
    assert main(["analyze", str(tmp_path / "scan.nii"), "--output", str(output), "--dicom-results"]) == 1
    assert "scan.nii is no DICOM file, and DICOM results belong to a DICOM study" in capsys.readouterr().err
    assert not (output / "scan").exists()


def test_the_options_say_that_identifiers_stay(capsys):
    for command in ("analyze", "watch", "listen"):
        assert main([command, "--help"]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "--dicom-results" in said
        assert "the patient's name and numbers stay in them" in said
