"""The examination beside the image: stated, from DICOM or empty, and never another patient's."""

import dataclasses
import json

import numpy as np
import pytest
from pydicom.dataset import Dataset

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.clinical import Clinical, clinical_of, with_clinical, with_prior_scans
from DaTscanAILib.reading.dicom_injection import injection_of
from DaTscanAILib.reading.inputs import Case, collect_cases
from DaTscanAILib.reading.manifest import read_manifest
from DaTscanAILib.reading.scan import Camera, Injection, Scan

SCAN = Scan(np.zeros((2, 2, 2), np.float32), np.eye(4), path=None, format="NIfTI")


def scan_with(tmp_path, **changes):
    return dataclasses.replace(SCAN, path=tmp_path / "scan.nii", **changes)


def header(item=None, **elements):
    """A dataset with one item of radiopharmaceutical information."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    if item is not None:
        inner = Dataset()
        for keyword, value in item.items():
            setattr(inner, keyword, value)
        dataset.RadiopharmaceuticalInformationSequence = [inner]
    return dataset


@pytest.mark.parametrize(
    ("stated", "dose"),
    [
        ("185", 185.0),
        ("185.3", 185.3),
        ("185000000", 185.0),
        ("5", None),
        ("0", None),
        ("-185", None),
        ("185000", None),
    ],
)
def test_a_dose_is_in_mbq_or_in_bq_or_unknown(stated, dose):
    """C.8.4.10.1.7 asks for MBq; programs that write Bq are told by the number, mCi and nonsense are nothing."""
    assert injection_of(header({"RadionuclideTotalDose": stated})).dose_mbq == dose


SCAN_TIME = {"AcquisitionDate": "20260105", "AcquisitionTime": "133015.25"}


@pytest.mark.parametrize(
    ("item", "minutes"),
    [
        ({"RadiopharmaceuticalStartTime": "100000"}, 210.2),
        ({"RadiopharmaceuticalStartTime": "1000"}, 210.2),
        ({"RadiopharmaceuticalStartDateTime": "20260105100000.000000+0100"}, 210.2),
        ({"RadiopharmaceuticalStartDateTime": "20260104133015"}, 1440.0),
        ({"RadiopharmaceuticalStartTime": "140000"}, None),  # after the scan
        ({"RadiopharmaceuticalStartDateTime": "20260101100000"}, None),  # four days
        ({}, None),
    ],
)
def test_the_time_to_the_scan(item, minutes):
    assert injection_of(header(item, **SCAN_TIME)).to_scan_min == minutes


def test_a_header_that_says_nothing_gives_nothing():
    assert injection_of(header()) == Injection()
    assert injection_of(header({"RadiopharmaceuticalStartTime": "100000"})) == Injection()


def test_what_a_person_states_goes_before_the_header_and_the_rest_is_empty(tmp_path):
    scan = scan_with(tmp_path, camera=Camera(radiopharmaceutical="ioflupane"), injection=Injection(185.0, 210.0))
    assert clinical_of(scan) == Clinical(
        tracer="ioflupane",
        dose_mbq=185.0,
        injection_to_scan_min=210.0,
        from_dicom=("tracer", "dose_mbq", "injection_to_scan_min"),
    )
    stated = {"indication": "tremor", "dose_mbq": "180,5", "drugs": " ", "center": "A"}
    found = clinical_of(scan, stated)
    assert (found.indication, found.dose_mbq, found.drugs) == ("tremor", 180.5, None)
    assert found.from_dicom == ("tracer", "injection_to_scan_min")
    assert clinical_of(scan_with(tmp_path)) == Clinical()


@pytest.fixture
def manifest(tmp_path):
    def write(text):
        for name in ("a", "b", "c"):
            (tmp_path / f"{name}.nii").write_bytes(b"x")
        path = tmp_path / "list.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_manifests_columns_reach_the_case_and_bad_numbers_are_the_rows_error(manifest):
    path = manifest("scan;indication;dose_mbq\na.nii;tremor;183,5\nb.nii;;much\nc.nii;;0\n")
    first, second, third = read_manifest(path)
    assert first.other["indication"] == "tremor"
    assert second.error == 'list.csv row 3 has the dose "much": give MBq as a number, or leave it empty.'
    assert 'has the dose "0"' in third.error


def test_the_scan_before_is_found_by_patient_and_date(manifest):
    path = manifest(
        "scan,case,patient,date\na.nii,one,p1,2024-01-10\nb.nii,two,p1,2026-01-10\nc.nii,three,p2,2025-01-01\n"
    )
    first, second, third = with_prior_scans(collect_cases([path]))
    assert (second.other["prior_case"], second.other["prior_years"]) == ("one", "2.00")
    assert "prior_case" not in {**first.other, **third.other}
    assert not any("prior_case" in case.other for case in with_prior_scans([Case("x", None), Case("y", None)]))


def clinical_file(tmp_path, content):
    path = tmp_path / "clinical.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


ONE, TWO = Case("one", None), Case("two", None, other={"drugs": "none"})


def test_a_file_is_of_the_one_scan_or_names_its_cases(tmp_path):
    (case,) = with_clinical([ONE], clinical_file(tmp_path, {"indication": "tremor", "dose_mbq": 185}))
    assert case.other == {"indication": "tremor", "dose_mbq": "185"}
    one, two = with_clinical([ONE, TWO], clinical_file(tmp_path, {"two": {"indication": "falls", "tracer": None}}))
    assert one == ONE
    assert two.other == {"drugs": "none", "indication": "falls", "tracer": ""}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"indication": "tremor"}, "clinical.json is of one patient, and there are 2 scans"),
        ({"three": {"indication": "tremor"}}, "names the case 'three', which is not there"),
        ({"one": {"name": "Doe"}}, "clinical.json: 'name' is no entry: use indication"),
        ({"one": {"dose_mbq": "much"}}, 'clinical.json, one has the dose "much": give MBq'),
        ({"one": {"injection_to_scan_min": 9999}}, 'has the time from injection to scan "9999": give minutes'),
        ("[1]", "clinical.json is no object in JSON"),
        ("{", "clinical.json is no object in JSON"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path, content, message):
    with pytest.raises(DaTscanError) as caught:
        with_clinical([ONE, TWO], clinical_file(tmp_path, content))
    assert message in str(caught.value)
