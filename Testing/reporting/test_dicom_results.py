"""DICOM results: valid by dciodvfy, with the numbers of `result.json`, in the scan's study, only when asked for."""

import copy
import io
import json
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import dicom_factory as factory
import numpy as np
import pytest
from picture_factory import blob
from PIL import Image

from DaTscanAILib.analysis import Analysis, measure
from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.quantification.measures import KEYS
from DaTscanAILib.reading.dicom_source import read_dicom_source
from DaTscanAILib.reading.inputs import survey
from DaTscanAILib.reading.scan import read_scan, write_volume
from DaTscanAILib.reporting.dicom_results import write
from DaTscanAILib.reporting.result_files import CASE_FILES, DICOM_FILES, finished_result, write_case

pydicom = factory.pydicom
highdicom = pytest.importorskip("highdicom")
Z = {key: round(-3 + 0.37 * number, 2) for number, key in enumerate(KEYS)}
WRITTEN = {"dicom_sr.dcm", "dicom_overview.dcm", "dicom_map.dcm", "dicom_report.dcm"}


def sample():
    return resource_path("Samples", "reduced.dcm")


@pytest.fixture(scope="module")
def analysis():
    """The bundled scan, measured; z-scores and answer are set here, so that no network is needed."""
    found = measure(read_scan(sample()), "sample")
    found.result["quantification"]["z"] = dict(Z)
    found.result["classification"] = {"label": "reduced", "probability_reduced": 0.9731, "model": "compact"}
    found.result["warnings"].append("The head is cut.")
    assert found.result["quantification"]["z"]["asymmetry_putamen"] < 0
    return replace(found, relevance=blob((27.0, -10.0, 0.0)))


@pytest.fixture(scope="module")
def folder(analysis, tmp_path_factory):
    path = tmp_path_factory.mktemp("results") / "sample"
    write_case(path, analysis, dicom_source=read_dicom_source(sample()))
    return path


def with_result(analysis, pictures=False, **changes):
    """The same measurement with other entries in its result; without pictures there is the report alone."""
    volumes = (analysis.normalized, analysis.relevance) if pictures else (None, None)
    return Analysis({**copy.deepcopy(analysis.result), **changes}, *volumes, None)


def dicom_of(folder):
    return {path.name: pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))}


def items(dataset):
    """All content items of a report."""
    for item in dataset.get("ContentSequence", ()):
        yield item
        yield from items(item)


def texts(report):
    return [item.TextValue for item in items(report) if item.ValueType == "TEXT"]


def groups(path):
    """{tracking identifier: (region, side, {code: value}, {code: answer's code})} as highdicom reads a report."""
    found = {}
    for group in highdicom.sr.srread(path).content.get_image_measurement_groups():
        (site,) = group.finding_sites
        numbers = {one.name.value: one.value for one in group.get_measurements()}
        answers = {one.name.value: one.value.value for one in group.get_qualitative_evaluations()}
        side = site.laterality.meaning if site.laterality else None
        found[group.tracking_identifier] = (site.value.meaning, side, numbers, answers)
    return found


# --- valid, and of the right patient ----------------------------------------------------------------------


def dciodvfy(path):
    try:
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs the command dciodvfy (Debian's dicom3tools)")
    return (said.stdout + said.stderr).splitlines()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dicom_sr.dcm", "ComprehensiveSR"),
        ("dicom_overview.dcm", "SCImage"),
        ("dicom_map.dcm", "SCImage"),
        ("dicom_report.dcm", "EncapsulatedPDF"),
    ],
)
def test_the_standard_is_kept(name, kind, folder):
    lines = dciodvfy(folder / name)
    assert kind in lines
    assert [line for line in lines if line.startswith("Error")] == []
    others = [line for line in lines if line.startswith("Warning") and "99DATSCANAI" not in line]
    assert others == []


def test_three_kinds_in_three_new_series_of_the_scans_study(folder):
    source, found = pydicom.dcmread(sample(), stop_before_pixels=True), dicom_of(folder)
    assert set(found) == WRITTEN
    assert [one.SOPClassUID.name for one in found.values()] == [
        "Secondary Capture Image Storage",
        "Secondary Capture Image Storage",
        "Encapsulated PDF Storage",
        "Comprehensive SR Storage",
    ]
    assert len({one.SOPInstanceUID for one in found.values()}) == len(WRITTEN)
    series = {one.SeriesInstanceUID for one in found.values()}
    assert len(series) == 3
    assert source.SeriesInstanceUID not in series
    for one in found.values():
        for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "PatientSex", "StudyDate", "StudyID"):
            assert one[keyword].value == source[keyword].value, keyword
        assert one.ContentQualification == "RESEARCH"
        assert "research use only" in one.SeriesDescription
        assert one.SoftwareVersions.startswith("DaTscanAI ")


def test_each_refers_to_the_scan(folder):
    source, found = pydicom.dcmread(sample(), stop_before_pixels=True), dicom_of(folder)
    report = found["dicom_sr.dcm"]
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert evidence.SeriesInstanceUID == source.SeriesInstanceUID
    references = [
        evidence.ReferencedSOPSequence,
        found["dicom_overview.dcm"].SourceImageSequence,
        found["dicom_map.dcm"].SourceImageSequence,
        found["dicom_report.dcm"].SourceInstanceSequence,
    ]
    for sequence in references:
        assert [item.ReferencedSOPInstanceUID for item in sequence] == [source.SOPInstanceUID]
    frames = [item.UID for item in items(report) if item.ConceptNameCodeSequence[0].CodeValue == "112227"]
    assert frames == [source.FrameOfReferenceUID]


# --- what they say ----------------------------------------------------------------------------------------


def test_the_report_read_back_has_the_numbers_of_the_result(folder):
    result = json.loads((folder / "result.json").read_text())
    quantification, found = result["quantification"], groups(folder / "dicom_sr.dcm")
    regions = {"putamen": "Putamen", "caudate": "Caudate nucleus", "striatum": "Corpus striatum"}
    for side in ("left", "right"):
        for nucleus, region in regions.items():
            key = f"{nucleus}_{side}"
            assert found.pop(key) == (
                region,
                side.capitalize(),
                {"SBR": quantification["sbr"][key], "121416": Z[key]},
                {},
            )
        key = f"caudate_putamen_ratio_{side}"
        numbers = {"CPR": quantification["caudate_putamen_ratio"][side], "121416": Z[key]}
        assert found.pop(key) == ("Corpus striatum", side.capitalize(), numbers, {})
    for nucleus in ("putamen", "caudate"):
        key = f"asymmetry_{nucleus}"
        numbers = {"ASYM": quantification["asymmetry_percent"][nucleus], "121416": abs(Z[key])}
        assert found.pop(key) == (regions[nucleus], "Right and left", numbers, {})
    answer, registration = found.pop("answer"), found.pop("registration")
    assert answer[2:] == ({"PREDUCED": 0.9731}, {"ANSWER": "REDUCED"})
    assert registration[2:] == ({"REGQ": result["registration"]["quality"]}, {"REGOK": "373066001"})
    assert found == {}


def test_the_report_is_preliminary_and_says_what_it_is_not_for(folder):
    report = dicom_of(folder)["dicom_sr.dcm"]
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    said = texts(report)
    assert "Research use only. Not for diagnosis. Not a medical device." in said
    assert "The head is cut." in said


def test_pictures_and_pages_are_those_of_the_folder(folder):
    found = dicom_of(folder)
    with Image.open(folder / "overview.png") as picture:
        assert np.array_equal(found["dicom_overview.dcm"].pixel_array, np.asarray(picture.convert("RGB")))
    shown = found["dicom_map.dcm"].pixel_array.astype(int)
    colored = np.abs(shown - shown.mean(axis=-1, keepdims=True)).max(axis=-1) > 60
    rows, columns = np.nonzero(colored[:, :1400])  # beside the bar
    assert rows.size > 1000
    assert set(columns // 352) <= {0, 1, 2, 3}
    document = found["dicom_report.dcm"]
    pdf = (folder / "report.pdf").read_bytes()
    assert document.EncapsulatedDocument[: document.EncapsulatedDocumentLength] == pdf
    assert "Not for diagnosis" in document.DocumentTitle


def test_what_is_not_available_is_left_out(analysis, tmp_path):
    result = copy.deepcopy(analysis.result)
    result["quantification"]["z"] = None
    result["quantification"]["sbr"]["putamen_left"] = None
    result["classification"] = {"label": None, "probability_reduced": None, "model": None}
    result["error"] = "PyTorch is not installed."
    write_case(tmp_path / "case", with_result(analysis, True, **result), False, read_dicom_source(sample()))
    found = groups(tmp_path / "case" / "dicom_sr.dcm")
    assert "putamen_left" not in found
    assert list(found["putamen_right"][2]) == ["SBR"]
    assert found["answer"][2:] == ({}, {"ANSWER": "NOANSWER"})
    assert "PyTorch is not installed." in texts(pydicom.dcmread(tmp_path / "case" / "dicom_sr.dcm"))
    assert not (tmp_path / "case" / "dicom_report.dcm").exists()  # there is no report


def test_a_scan_that_was_refused_has_a_report_with_the_reason_and_without_numbers(analysis, tmp_path):
    refused = with_result(analysis, True, refused=True, error="The field of view cuts the striatum.")
    write_case(tmp_path / "case", refused, dicom_source=read_dicom_source(sample()))
    found = dicom_of(tmp_path / "case")
    assert set(found) == {"dicom_sr.dcm"}
    assert {kind: values for kind, (_, _, numbers, values) in groups(tmp_path / "case" / "dicom_sr.dcm").items()} == {
        "answer": {"ANSWER": "NOANSWER"},
        "registration": {"REGOK": "373066001"},
    }
    report = found["dicom_sr.dcm"]
    assert "The field of view cuts the striatum." in texts(report)
    library = {"110910", "110911"}  # rows and columns of the scan
    names = {item.ConceptNameCodeSequence[0].CodeValue for item in items(report) if item.ValueType == "NUM"}
    assert names <= library
    assert [line for line in dciodvfy(tmp_path / "case" / "dicom_sr.dcm") if line.startswith("Error")] == []


# --- the same again ---------------------------------------------------------------------------------------


def test_the_same_result_gives_the_same_objects_and_another_gives_others(analysis, folder, tmp_path):
    source = read_dicom_source(sample())
    later = with_result(analysis, True, timing_s={"total": 99.0}, inputs_sha256="00")
    write_case(tmp_path / "again", later, dicom_source=source)
    first, again = dicom_of(folder), dicom_of(tmp_path / "again")
    for name in WRITTEN:
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
            assert first[name][keyword] == again[name][keyword]
    result = copy.deepcopy(analysis.result)
    result["quantification"]["sbr"]["putamen_left"] += 0.01
    write_case(tmp_path / "other", with_result(analysis, **result), dicom_source=source)
    (other,) = dicom_of(tmp_path / "other").values()
    assert other.SOPInstanceUID not in {one.SOPInstanceUID for one in first.values()}
    assert other.SeriesInstanceUID not in {one.SeriesInstanceUID for one in first.values()}


# --- only when asked, only of DICOM, whole or not at all --------------------------------------------------


def test_nothing_is_written_without_being_asked_for(analysis, tmp_path):
    write_case(tmp_path / "case", with_result(analysis))
    assert list(tmp_path.rglob("*.dcm")) == []


def test_cleaning_and_resuming_know_the_files(analysis, folder, tmp_path):
    assert set(DICOM_FILES) <= set(CASE_FILES)
    case = tmp_path / "case"
    shutil.copytree(folder, case)
    assert finished_result(case) is not None
    (case / "dicom_sr.dcm").unlink()
    assert finished_result(case) is None
    write_case(case, with_result(analysis))  # replaces them
    assert list(case.glob("*.dcm")) == []


@pytest.mark.parametrize("kind", ["NIfTI", "zip without DICOM"])
def test_scans_of_other_formats_are_refused(kind, tmp_path):
    path = tmp_path / "scan.nii"
    write_volume(path, np.ones((20, 20, 20), np.float32), np.eye(4))
    if kind != "NIfTI":
        with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
            archive.write(path, "scan.nii")
        path = tmp_path / "scan.zip"
    with pytest.raises(DaTscanError, match=r"is no DICOM file, and DICOM results belong to a DICOM study"):
        read_dicom_source(path)


def test_a_full_disk_leaves_nothing_half(analysis, tmp_path, monkeypatch):
    saved = []

    def full(dataset, path):
        saved.append(path)
        if len(saved) == 2:
            raise OSError(28, "No space left on device")
        path.write_bytes(b"half")

    monkeypatch.setattr(write, "_save", full)
    with pytest.raises(OSError, match="No space"):
        write_case(tmp_path / "case", analysis, dicom_source=read_dicom_source(sample()))
    assert list(tmp_path.iterdir()) == []


def test_without_highdicom_one_sentence(monkeypatch):
    monkeypatch.setattr(write, "find_spec", lambda name: None)
    with pytest.raises(DaTscanError, match="need the Python package highdicom"):
        write.check_available()


def test_the_results_are_no_scans(folder, tmp_path):
    shutil.copy(sample(), tmp_path)
    for name in WRITTEN:
        shutil.copy(folder / name, tmp_path)
    found = survey([tmp_path])
    assert [case.path.name for case in found.cases] == ["reduced.dcm"]
    assert len(found.other_series) == len(WRITTEN)


# --- headers in any state ---------------------------------------------------------------------------------


def report_of(source, analysis, tmp_path):
    write_case(tmp_path / "case", with_result(analysis), dicom_source=source)
    return pydicom.dcmread(tmp_path / "case" / "dicom_sr.dcm")


def test_every_slice_of_a_series_is_referred_to(analysis, tmp_path):
    slices = factory.nm_slices(count=12)
    files = [factory.save(dataset, tmp_path / f"{number}.dcm") for number, dataset in enumerate(slices)]
    report = report_of(read_dicom_source(tmp_path, files=files), analysis, tmp_path)
    (series,) = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == [
        dataset.SOPInstanceUID for dataset in slices
    ]


def test_a_zipped_scan_keeps_its_patient(tmp_path):
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        archive.write(sample(), "reduced.dcm")
    assert read_dicom_source(tmp_path / "scan.zip").values == read_dicom_source(sample()).values


def saved(tmp_path, **elements):
    return factory.save(factory.nm_dataset(shape=(24, 24, 20), **elements), tmp_path / "scan.dcm")


def test_names_of_any_script_stay(analysis, tmp_path):
    path = saved(tmp_path, SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Zoë", PatientID="Ä-1")
    report = report_of(read_dicom_source(path), analysis, tmp_path)
    assert (str(report.PatientName), report.PatientID) == ("Müller^Zoë", "Ä-1")
    assert report.SpecificCharacterSet == "ISO_IR 192"


@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.1.5", "1.2.3.4.5"])
def test_a_scan_of_a_class_that_highdicom_does_not_know(sop_class, analysis, tmp_path):
    report = report_of(read_dicom_source(saved(tmp_path, sop_class=sop_class)), analysis, tmp_path)
    (series,) = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert series.ReferencedSOPSequence[0].ReferencedSOPClassUID == sop_class


@pytest.mark.parametrize(
    "elements",
    [
        {"StudyDate": None, "PatientBirthDate": None, "PatientSex": None, "AccessionNumber": None},
        {"StudyDate": "", "PatientName": "", "PatientSex": "female", "PatientAge": "71"},
        {"PatientID": None, "PatientName": None, "StudyTime": "noon", "StudyDate": "20210231"},
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_missing_and_wrong_elements_are_empty(elements, analysis, tmp_path):
    path = saved(tmp_path, **elements)
    shown = with_result(analysis, "PatientName" in elements)
    write_case(tmp_path / "case", shown, dicom_source=read_dicom_source(path))
    for name, dataset in dicom_of(tmp_path / "case").items():
        for keyword, value in elements.items():
            if value != "" and keyword != "PatientAge":
                assert not dataset[keyword].value, (name, keyword)
        errors = [line for line in dciodvfy(tmp_path / "case" / name) if line.startswith("Error")]
        assert errors == []


@pytest.mark.parametrize(
    ("elements", "sentence"),
    [
        ({"PatientID": "x" * 65}, "PatientID in its header breaks the DICOM standard"),
        ({"PatientID": "A\\B"}, "PatientID in its header breaks the DICOM standard"),
        ({"PatientName": "Q" * 70}, "PatientName in its header breaks the DICOM standard"),
        ({"StudyInstanceUID": None}, "has no usable StudyInstanceUID"),
        ({"SeriesInstanceUID": "1.2.x"}, "has no usable SeriesInstanceUID"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_identity_that_cannot_be_taken_over_is_refused_and_not_quoted(elements, sentence, tmp_path):
    path = saved(tmp_path, **elements)
    with pytest.raises(DaTscanError, match=sentence) as refused:
        read_dicom_source(path)
    assert not any(value and value in str(refused.value) for value in elements.values())
    assert "QQQ" not in repr(refused.value)


def test_the_source_is_not_shown_by_accident():
    shown = io.StringIO()
    print(read_dicom_source(sample()), file=shown)
    assert "SIM" not in shown.getvalue()


def test_paths_of_the_files_stay_short():
    """They lie beside the others, under names that say nothing of the patient."""
    assert all(Path(name).parent == Path() for name in DICOM_FILES)
