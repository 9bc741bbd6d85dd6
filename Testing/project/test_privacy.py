"""Nothing that identifies a patient reaches an output, unless asked: names are planted and every byte is searched."""

import gzip
import json
import logging
import re
import zlib
from pathlib import Path

import pydicom
import pytest
from model_factory import write_tiny_model

from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.batch import one_case
from DaTscanAILib.cli.main import main

FOLDER = "Zqxfolder"  # above the scan; a folder may be named after the patient
PLANTED = {
    "PatientName": "Zqxlast^Zqxfirst",
    "PatientID": "ZQX-4711",
    "PatientBirthDate": "19110203",
    "AccessionNumber": "ZQXACC0815",
    "PatientBirthName": "Zqxborn",
    "PatientMotherBirthName": "Zqxmother",
    "OtherPatientIDs": "ZQX-OTHER",
    "OtherPatientNames": "Zqxalias",
    "PatientAddress": "Zqxstreet 5",
    "PatientTelephoneNumbers": "0815-777123",
    "PatientComments": "Zqxcomment",
    "AdditionalPatientHistory": "Zqxhistory",
    "Occupation": "Zqxjob",
    "StudyID": "ZQXSTUDY",
    "StudyInstanceUID": "1.2.826.777.111",
    "SeriesInstanceUID": "1.2.826.777.222",
    "StudyDescription": "Zqxstudydescription",
    "SeriesDescription": "Zqxseriesdescription",
    "ImageComments": "Zqximagecomment",
    "ReferringPhysicianName": "Zqxreferrer",
    "OperatorsName": "Zqxoperator",
    "InstitutionName": "Zqxhospital",
    "InstitutionAddress": "Zqxtown",
    "StationName": "ZQXSTATION",
    "DeviceSerialNumber": "ZQXSERIAL",
    "StudyDate": "20190807",
    "StudyTime": "112233.77",
}
# In small letters; none so short that random bytes hold it by chance.
_PARTS = {part.lower() for value in PLANTED.values() for part in value.split("^")}
SECRETS = sorted(_PARTS | {"zqxfolder", "zqxprivate"})
KEPT = {"name": "Zqxlast^Zqxfirst", "id": "ZQX-4711", "birth_date": "19110203", "accession_number": "ZQXACC0815"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_tiny_model(tmp_path_factory.mktemp("models") / "tiny", members=1).folder)


def plant(folder, name="scan.dcm", values=PLANTED, **elements) -> Path:
    """The bundled sample with names everywhere."""
    dataset = pydicom.dcmread(resource_path("Samples", "reduced.dcm"))
    for keyword, value in {**values, "PatientAge": "066Y", **elements}.items():
        setattr(dataset, keyword, value)
    block = dataset.private_block(0x0099, "ZQXPRIVATE", create=True)
    block.add_new(0x01, "LO", "Zqxprivate")
    folder = folder / FOLDER
    folder.mkdir(exist_ok=True)
    dataset.save_as(folder / name)
    return folder / name


def run(capsys, *arguments):
    """`analyze` in this process: exit status and all that was said."""
    status = main(["analyze", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert out == ""
    return status, err


def unpacked(path) -> bytes:
    """A file's bytes, and again those inside its compressed parts."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        return data + gzip.decompress(data)
    parts = [data]
    if path.suffix == ".pdf":
        for found in re.finditer(rb"stream\r?\n", data):
            try:
                parts.append(zlib.decompressobj().decompress(data[found.end() :]))
            except zlib.error:
                continue
    if path.suffix == ".png":
        kinds = re.findall(rb"IHDR|IDAT|IEND|tEXt|zTXt|iTXt|eXIf|tIME", data)
        assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}
    return b"".join(parts)


def assert_nothing_leaks(output):
    for path in output.rglob("*"):
        assert not any(secret in path.name.lower() for secret in SECRETS), path
        if path.is_file():
            data = unpacked(path).lower()
            for encoding in ("ascii", "utf-16-le", "utf-16-be"):
                assert [secret for secret in SECRETS if secret.encode(encoding) in data] == [], path


def comparable(output):
    """`{path: content}`; timings left out, and the digits of hashes that tell the series from others."""
    content = {}
    for path in sorted(path for path in output.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if path.name == "result.json":
            result = json.loads(data)
            del result["timing_s"]
            data = json.dumps(result).encode()
        if path.suffix in (".json", ".csv", ".html"):
            data = re.sub(rb"(scan\.dcm, series 1, )[0-9a-f]{8}(\W)", rb"\1\2", data)
            data = re.sub(rb'("inputs_sha256": ")[0-9a-f]{64}"', rb'\1"', data)
            data = re.sub(rb'("stamp":")[0-9a-f]{12}"', rb'\1"', data)
        content[path.relative_to(output).as_posix()] = data
    return content


@pytest.fixture(scope="module")
def analyzed(model, tmp_path_factory):
    """Folder of the results of a scan full of names, by a second run with the names of another patient too."""
    folder = tmp_path_factory.mktemp("privacy")
    other = {
        keyword: "20000101" if keyword.endswith("Date") else "1.2.3" if keyword.endswith("UID") else "07"
        for keyword in PLANTED
    }
    for name, values in (("one", PLANTED), ("other", other)):
        made = folder / name
        made.mkdir()
        path = plant(made, values=values)
        assert main(["analyze", str(path), "--output", str(made / "out"), "--model", model, "--device", "cpu"]) == 0
    return folder


def test_no_byte_of_any_output_holds_what_identifies(analyzed):
    output = analyzed / "one" / "out"
    assert len(list((output / "scan").iterdir())) == 8
    assert_nothing_leaks(output)


def test_another_patients_names_give_the_same_bytes(analyzed):
    """So none of them is painted into the picture or the report either."""
    assert comparable(analyzed / "one" / "out") == comparable(analyzed / "other" / "out")


def test_kept_identifiers_stand_in_the_json_and_the_report_alone(analyzed, model, tmp_path, capsys):
    path = plant(tmp_path)
    status, err = run(
        capsys, path, "--output", tmp_path / "out", "--model", model, "--device", "cpu", "--keep-identifiers"
    )
    assert status == 0
    folders = tmp_path / "out", analyzed / "one" / "out"
    kept, plain = map(comparable, folders)
    result = json.loads(kept.pop("scan/result.json"))
    expected = json.loads(plain.pop("scan/result.json"))
    assert result.pop("identifiers") == KEPT
    hashes = [json.loads((folder / "scan" / "result.json").read_text())["inputs_sha256"] for folder in folders]
    assert hashes[0] != hashes[1]  # `--resume` tells the two apart
    assert result == expected
    report, other = kept.pop("scan/report.pdf"), plain.pop("scan/report.pdf")
    assert b"Zqxlast, Zqxfirst, ID ZQX-4711, born 1911-02-03, accession number ZQXACC0815" in report
    assert b"Zqx" not in other
    assert kept == plain
    assert not any(secret in err.lower() for secret in SECRETS)


REFUSED = {
    "CT": {"Modality": "CT"},
    "projections": {"ImageType": ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]},
    "name for a number": {"RescaleSlope": "0"},
    "several energy windows": {"EnergyWindowVector": [1, 2]},
}


@pytest.mark.parametrize("elements", REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_names_the_file_and_nobody(elements, model, tmp_path, capsys, caplog, recwarn):
    caplog.set_level(logging.DEBUG)
    path = plant(tmp_path, **elements)
    caplog.clear()
    status, err = run(capsys, path, "--output", tmp_path / "out", "--model", model)
    assert status == 1
    assert "scan: scan.dcm " in err
    said = (err + caplog.text + "".join(str(warning.message) for warning in recwarn)).lower()
    assert not any(secret in said for secret in SECRETS)
    assert_nothing_leaks(tmp_path / "out")


def test_a_defect_quotes_nothing(model, tmp_path, capsys, monkeypatch):
    """What other libraries say of a value may be the value."""

    def fail(*_):
        raise ValueError(f"could not convert string to float: {PLANTED['PatientName']!r}")

    monkeypatch.setattr(one_case, "scan_of_case", fail)
    status, err = run(capsys, plant(tmp_path), "--output", tmp_path / "out", "--model", model)
    assert status == 1
    assert "internal error ValueError (batch/one_case.py line" in err
    assert not any(secret in err.lower() for secret in SECRETS)
    assert_nothing_leaks(tmp_path / "out")


def test_the_search_would_find_them(tmp_path):
    """Against a search that went blind."""
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"...ZQX-4711..."))
    with pytest.raises(AssertionError):
        assert_nothing_leaks(tmp_path)
    (tmp_path / "a.nii.gz").unlink()
    (tmp_path / "report.pdf").write_bytes(b"stream\n" + zlib.compress("Zqxlast".encode("utf-16-be")))
    with pytest.raises(AssertionError):
        assert_nothing_leaks(tmp_path)
    assert min(map(len, SECRETS)) > 5
