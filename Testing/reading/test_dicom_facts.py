"""What a DICOM header tells of patient, camera and study, and that nothing identifying leaves it."""

import logging
import warnings

import dicom_factory as factory
import pytest
from pydicom.uid import (
    RLELossless,
)
from scan_oracles import refusal

from DaTscanAILib.reading.scan import read_scan


def test_patient_camera_and_identifiers(tmp_path):
    nuclide = factory.item_of(
        Radiopharmaceutical="I-123 ioflupane", RadionuclideCodeSequence=factory.code("C-114B1", "I^123^")
    )
    dataset = factory.nm_dataset(
        RadiopharmaceuticalInformationSequence=[nuclide],
        CorrectedImage=["ATTN", "SCAT"],
        ReconstructionMethod="OSEM 8i10s",
        ConvolutionKernel="Butterworth",
    )
    scan = read_scan(factory.save(dataset, tmp_path / "scan.dcm"))
    assert (scan.patient.age, scan.patient.sex) == (71.0, "F")
    camera = scan.camera
    assert (camera.manufacturer, camera.model, camera.collimator) == (
        "Test Camera Works",
        "Twin Head",
        "PARA",
    )
    assert (camera.radiopharmaceutical, camera.radionuclide) == ("I-123 ioflupane", "I^123^")
    assert (camera.corrections, camera.reconstruction) == (("ATTN", "SCAT"), "OSEM 8i10s")
    assert camera.filter == "Butterworth"
    person = scan.identifiers
    assert (person.name, person.id, person.birth_date, person.accession_number) == (
        "Doe^Jane",
        "MRN-4711",
        "19500203",
        "ACC-0815",
    )
    for secret in ("Doe", "4711", "1950", "0815"):
        assert secret not in repr(scan)
        assert secret not in repr(person)


@pytest.mark.parametrize(("stated", "sex"), [("M", "M"), ("f", "F"), ("O", None), ("", None), (None, None)])
def test_sex(stated, sex, tmp_path):
    with warnings.catch_warnings(action="ignore"):
        path = factory.save(factory.nm_dataset(PatientSex=stated), tmp_path / "scan.dcm")
    assert read_scan(path).patient.sex == sex


@pytest.mark.parametrize(
    ("elements", "age"),
    [
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientAge": None}, 71.1),  # born 1950-02-03, scanned 2021-03-04
        ({"PatientAge": "", "PatientBirthDate": ""}, None),
        ({"PatientAge": "old", "PatientBirthDate": "20300101"}, None),
    ],
    ids=["months", "from the dates", "unknown", "nonsense"],
)
def test_age(elements, age, tmp_path):
    with warnings.catch_warnings(action="ignore"):
        dataset = factory.nm_dataset(**elements)
        path = factory.save(dataset, tmp_path / "scan.dcm")
    assert read_scan(path).patient.age == age


def test_no_identifier_reaches_a_sentence_warning_or_log(tmp_path, caplog, recwarn):
    caplog.set_level(logging.DEBUG)
    name = "Doe^Jane" * 20  # too long for its type: pydicom quotes it in a warning
    with warnings.catch_warnings(action="ignore"):
        dataset = factory.nm_dataset(PatientID=name, AccessionNumber=name, StudyInstanceUID="Doe", modality="CT")
        path = factory.save(dataset, tmp_path / "file.dcm")
    caplog.clear()
    sentence = refusal(path)
    everything = sentence + caplog.text + "".join(str(warning.message) for warning in recwarn)
    assert "Doe" not in everything


def test_a_decoder_that_fails_says_nothing_but_our_sentence(tmp_path, caplog):
    """pydicom's decoders log through loggers of their own."""
    dataset = factory.nm_dataset()
    path = factory.save(dataset, tmp_path / "file.dcm", RLELossless)
    path.write_bytes(path.read_bytes().replace(dataset.PixelData[-400:], bytes(400)))
    caplog.clear()
    assert "truncated or damaged" in refusal(path)
    assert caplog.records == []
