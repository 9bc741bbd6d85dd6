"""From files, folders and manifests to cases: which, under which name, and what is wrong with the others."""

import hashlib
import os
from pathlib import Path

import dicom_factory as factory
import numpy as np
import pytest
from volume_factory import affine_of, marker_volume

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.inputs import Case, collect_cases, safe_name, survey
from DaTscanAILib.reading.scan import read_scan, write_volume

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not part of the repository")
SAMPLE_NAMES = [f"sample{number:02d}" for number in range(1, 11)]


# --- files and folders ------------------------------------------------------------------------------------


@needs_samples
def test_the_samples_folder_gives_ten_scans_and_not_its_manifest():
    cases = collect_cases([SAMPLES])
    assert names_of(cases) == SAMPLE_NAMES
    assert {case.error for case in cases} == {None}
    assert all(read_scan(case.path, case.series).voxels.shape[:2] == (128, 128) for case in cases)


@needs_samples
def test_the_samples_manifest_gives_what_is_known_of_them():
    cases = collect_cases([SAMPLES / "manifest.csv"])
    assert names_of(cases) == SAMPLE_NAMES
    assert cases[4] == Case("sample05", SAMPLES / "sample05.dcm", label="reduced", age=60.1, sex="M")
    assert [case.label for case in cases].count("normal") == 4


def test_a_file_is_one_case_named_after_it(tmp_path):
    for name in ("one.nii.gz", "two.nrrd", "three.nii"):
        volume(tmp_path / name)
    factory.save(factory.nm_dataset(), tmp_path / "four.dcm")
    cases = collect_cases([tmp_path / name for name in ("two.nrrd", "one.nii.gz", "four.dcm", "three.nii")])
    assert names_of(cases) == ["two", "one", "four", "three"]


def test_a_folder_of_slices_is_one_case_named_after_the_folder_and_its_series(tmp_path):
    slices(tmp_path / "Recon 1")
    (case,) = collect_cases([tmp_path / "Recon 1"])
    assert (case.name, case.path) == (f"Recon_1_{hash_of(case.series)}", tmp_path / "Recon 1")
    assert read_scan(case.path, case.series).voxels.shape == factory.SHAPE


def test_two_series_in_one_folder_are_two_cases(tmp_path):
    slices(tmp_path / "both", slices(tmp_path / "both"))
    cases = collect_cases([tmp_path])
    assert names_of(cases) == [f"both_{hash_of(case.series)}" for case in cases]
    assert cases[0].series != cases[1].series
    spacings = sorted(read_scan(case.path, case.series).affine[2, 2] for case in cases)
    assert spacings == pytest.approx([3.0, 3.8])
    assert sorted(len(read_scan(case.path, files=case.files).voxels[0, 0]) for case in cases) == [30, 36]


def test_everything_below_a_folder_is_found_and_other_files_are_not(tmp_path):
    volume(tmp_path / "a" / "scan.nii.gz")
    volume(tmp_path / "b" / "c" / "scan.NRRD")
    factory.save(factory.nm_dataset(), made(tmp_path / "d") / "1.2.840.4711")
    slices(tmp_path / "e")
    for name in ("manifest.csv", "README.md", "a/scan.json", "a/picture.png", "d/DICOMDIR.txt", "x.raw"):
        (tmp_path / name).write_text("not a scan")
    volume(tmp_path / ".hidden.nii.gz")
    volume(tmp_path / ".cache" / "scan.nii.gz")
    (tmp_path / "a" / "._scan.nii.gz").write_bytes(b"a Macintosh's leavings")
    factory.save(factory.nm_dataset(sop_class="1.2.840.10008.1.3.10"), tmp_path / "DICOMDIR")
    cases = collect_cases([tmp_path])
    assert names_of(cases) == ["a_scan", "b_c_scan", "d_1.2.840.4711", f"e_{hash_of(cases[3].series)}"]


def test_ppmis_deep_layout(tmp_path):
    """PPMI/<subject>/Reconstructed_DaTSCAN/<date>/<image>/<one file>, often of the same name."""
    for subject, date in (("3000", "2011-01-20_12_38_32.0"), ("3001", "2011-03-01_09_10_00.0")):
        folder = made(tmp_path / "PPMI" / subject / "Reconstructed_DaTSCAN" / date / f"I{subject}")
        factory.save(factory.nm_dataset(), folder / "scan.dcm")
        (folder / "PPMI_meta.xml").write_text("<xml/>")
    assert names_of(collect_cases([tmp_path / "PPMI"])) == [
        "3000_Reconstructed_DaTSCAN_2011-01-20_12_38_32.0_I3000_scan",
        "3001_Reconstructed_DaTSCAN_2011-03-01_09_10_00.0_I3001_scan",
    ]


def test_an_unreadable_dicom_file_becomes_a_case_that_fails(tmp_path):
    volume(tmp_path / "good.nii.gz")
    (tmp_path / "bad.dcm").write_bytes(b"")
    cases = collect_cases([tmp_path])
    assert names_of(cases) == ["bad", "good"]
    with pytest.raises(DaTscanError, match=r"bad\.dcm is an empty file"):
        read_scan(cases[0].path)


def test_other_series_of_a_study_are_left_out_beside_its_reconstruction(tmp_path):
    scan = factory.nm_dataset()
    study = {"StudyInstanceUID": scan.StudyInstanceUID}
    factory.save(factory.nm_dataset(modality="CT", **study), made(tmp_path / "CT") / "1.dcm")
    factory.save(projections(**study), made(tmp_path / "TOMO") / "2.dcm")
    factory.save(scan, made(tmp_path / "RECON") / "3.dcm")
    found = survey([tmp_path])
    assert names_of(found.cases) == ["RECON_3"]
    assert found.passed_over() == "Passed over: 2 files, 2 of DICOM series that are no reconstruction."


def test_a_study_without_reconstruction_is_a_case_that_says_why(tmp_path):
    factory.save(factory.nm_dataset(), tmp_path / "good.dcm")
    factory.save(projections(), tmp_path / "other_patient.dcm")
    cases = collect_cases([tmp_path])
    assert names_of(cases) == ["good", "other_patient"]
    with pytest.raises(DaTscanError, match="projections, not a reconstruction"):
        read_scan(cases[1].path)


def test_results_below_the_scans_are_no_scans(tmp_path):
    volume(tmp_path / "scan.nii.gz")
    volume(tmp_path / "out" / "scan" / "normalized.nii.gz")
    volume(tmp_path / "out" / "scan" / "relevance.nii.gz")
    (tmp_path / "out" / "scan" / "result.json").write_text("{}")
    assert names_of(collect_cases([tmp_path])) == ["scan"]


def test_the_same_file_twice_is_one_case(tmp_path):
    volume(tmp_path / "scan.nii.gz")
    assert len(collect_cases([tmp_path, tmp_path / "scan.nii.gz", tmp_path / "." / "scan.nii.gz"])) == 1


def test_two_links_to_a_scan_are_two_cases(tmp_path):
    path = volume(tmp_path / "store" / "scan.nii.gz")
    for name in ("a.nii.gz", "b.nii.gz"):
        (made(tmp_path / "data") / name).symlink_to(path)
    assert names_of(collect_cases([tmp_path / "data"])) == ["a", "b"]


def test_a_single_path_will_do(tmp_path):
    volume(tmp_path / "scan.nii.gz")
    assert names_of(collect_cases(str(tmp_path / "scan.nii.gz"))) == ["scan"]


def test_a_broken_link_is_said_and_a_circle_and_a_pipe_do_no_harm(tmp_path):
    volume(tmp_path / "scan.nii.gz")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.dcm")
    cases = collect_cases([tmp_path])
    assert names_of(cases) == ["link", "scan"]
    with pytest.raises(DaTscanError, match=r"^link is a link to a file that is gone"):
        read_scan(cases[0].path)


def test_missing_input_and_empty_folder(tmp_path):
    with pytest.raises(DaTscanError, match=r"^gone\.nii cannot be opened \(No such file or directory\)"):
        collect_cases([tmp_path / "gone.nii"])
    with pytest.raises(DaTscanError, match=r"^empty holds no scan: give"):
        collect_cases([made(tmp_path / "empty")])


# --- names ------------------------------------------------------------------------------------------------


def test_equal_names_take_on_those_of_their_folders(tmp_path):
    for folder in ("anna/1", "bert/1", "Bert/2"):
        volume(tmp_path / folder / "scan.nii.gz")
    names = names_of(collect_cases([tmp_path]))
    assert sorted(names) == ["Bert_2_scan", "anna_1_scan", "bert_1_scan"]


def test_names_differ_even_where_letter_case_does_not_count(tmp_path):
    for folder, name in (("a", "Scan.nii"), ("A", "scan.nii"), ("b", "other.nii"), ("b", "OTHER.nrrd")):
        volume(tmp_path / folder / name)
    names = names_of(collect_cases([tmp_path]))
    assert len({name.casefold() for name in names}) == 4


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("=1+2", "1_2"),
        ("+cmd", "cmd"),
        ("-rf", "rf"),
        ("@SUM(A1)", "SUM_A1"),
        ("../../etc/passwd", "etc_passwd"),
        ("a/b\\c:d", "a_b_c_d"),
        ("CON", "CON_"),
        ("nul.txt", "nul.txt_"),
        ("results.csv", "results.csv_"),
        ("index.html", "index.html_"),
        ("Müller 3", "Müller_3"),
        ("line\nbreak", "line_break"),
        ("...", "case"),
        ("", "case"),
        ("x" * 300, "x" * 100),
    ],
)
def test_safe_names(text, name):
    assert safe_name(text) == name


# --- manifests --------------------------------------------------------------------------------------------

WRITTEN = {
    "plain": "scan,case,label,age,sex,site\nscan.nii,p1,reduced,65.9,F,Berlin\n",
    "byte order mark": "\ufeffscan,case,label,age,sex,site\nscan.nii,p1,reduced,65.9,F,Berlin\n",
    "bars": "scan|case|label|age|sex|site\nscan.nii|p1|reduced|65.9|F|Berlin\n",
    "semicolons and decimal comma": "scan;case;label;age;sex;site\nscan.nii;p1;reduced;65,9;F;Berlin\n",
    "tabs": "scan\tcase\tlabel\tage\tsex\tsite\nscan.nii\tp1\treduced\t65.9\tF\tBerlin\n",
    "quoted": '"scan","case","label","age","sex","site"\n"scan.nii","p1","reduced","65,9","F","Berlin"\n',
    "other order and columns": "x,site,sex,age,label,case,scan\n=1+1,Berlin,F,65.9,reduced,p1,scan.nii\n",
    "capitals and blanks": " Scan ,CASE ,Label,Age,Sex,Site\n scan.nii ,p1 , Reduced,65.9 ,female, Berlin\n",
    "Excel's separator line": "\ufeffsep=;\r\nscan;case;label;age;sex;site\r\nscan.nii;p1;reduced;65,9;F;Berlin\r\n",
    "a separator line for commas": 'SEP=,\nscan,case,label,age,sex,site\nscan.nii,p1,reduced,"65,9",F,Berlin\n',
    "a separator line, quoted": '"sep=;"\nscan;case;label;age;sex;site\nscan.nii;p1;reduced;65,9;F;Berlin\n',
    "a separator line, filled up": "sep=;;;;;\nscan;case;label;age;sex;site\nscan.nii;p1;reduced;65.9;F;Berlin\n",
    "Windows line ends": "scan,case,label,age,sex,site\r\nscan.nii,p1,reduced,65.9,F,Berlin\r\n",
    "blank lines": "\n\nscan,case,label,age,sex,site\n\nscan.nii,p1,reduced,65.9,F,Berlin\n,,,,,\n\n",
    "empty cells at the end": "scan,case,label,age,sex,site\nscan.nii,p1,reduced,65.9,F,Berlin,,\n",
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN.keys())
def test_ways_to_write_a_manifest(text, tmp_path):
    path = volume(tmp_path / "scan.nii")
    other = {"x": "=1+1"} if text.startswith("x,") else {}
    assert collect_cases([manifest(tmp_path, text)]) == [
        Case("p1", path, label="reduced", age=65.9, sex="F", site="Berlin", other=other)
    ]


def test_only_the_scan_is_needed(tmp_path):
    path = volume(tmp_path / "deep" / "scan.nii.gz")
    for text in (
        "scan\ndeep/scan.nii.gz\n",
        "scan\ndeep\\scan.nii.gz\n",
        f"scan\n{path}\n",
        "scan,case\ndeep/scan.nii.gz\n",
    ):
        assert collect_cases([manifest(tmp_path, text)]) == [Case("deep_scan", path)]


def test_a_row_may_name_the_folder_of_a_scan(tmp_path):
    slices(tmp_path / "series")
    (case,) = collect_cases([manifest(tmp_path, "scan,case\nseries,p7\n")])
    assert (case.name, read_scan(case.path, case.series).voxels.shape) == ("p7", factory.SHAPE)


def test_the_same_scan_may_stand_in_two_rows(tmp_path):
    volume(tmp_path / "scan.nii")
    assert names_of(collect_cases([manifest(tmp_path, "scan\nscan.nii\nscan.nii\n")])) == ["scan", "scan_2"]


UNUSABLE = {
    "no column scan": (b"file,label\nscan.nii,normal\n", "has no column scan"),
    "no header": (b"scan.nii,normal\n", "has no column scan"),
    "empty": (b"", "has no column scan"),
    "header alone": (b"scan,label\n\n", "lists no scans"),
    "a column twice": (b"scan,Age,age\nscan.nii,1,2\n", "has the column age twice"),
    "Latin-1": ("scan,site\nscan.nii,Köln\n".encode("latin-1"), "is not UTF-8 text"),
    "UTF-16": ("scan,site\nscan.nii,x\n".encode("utf-16"), "is not UTF-8 text"),
    "a spreadsheet": (b"PK\x03\x04\x14\0\x06\0scan", "is not UTF-8 text"),
    "an open quote": (b'scan,site\nscan.nii,x\nscan.nii,"y\nscan.nii,z\n', "is no CSV after row 2"),
    "an endless cell": (b"scan\n" + b"x" * 200_000 + b"\n", "is no CSV after row 1"),
}


@pytest.mark.parametrize(("data", "sentence"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_manifests(data, sentence, tmp_path):
    volume(tmp_path / "scan.nii")
    (tmp_path / "list.csv").write_bytes(data)
    with pytest.raises(DaTscanError) as caught:
        collect_cases([tmp_path / "list.csv"])
    assert str(caught.value).startswith("list.csv ")
    assert sentence in str(caught.value)


def test_a_manifest_that_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "list.csv")
    with pytest.raises(DaTscanError, match=r"^list\.csv is neither a file nor a folder"):
        collect_cases([tmp_path / "list.csv"])


def test_a_manifest_that_is_not_there(tmp_path):
    with pytest.raises(DaTscanError, match=r"^gone\.csv cannot be opened"):
        collect_cases([tmp_path / "gone.csv"])


BAD_ROWS = {
    "path climbs out": ("../scan.nii,p2,,,", "leads out of the manifest's folder"),
    "path climbs out by a detour": ("sub/../../scan.nii,p2,,,", "leads out of the manifest's folder"),
    "path climbs out the Windows way": ("..\\scan.nii,p2,,,", "leads out of the manifest's folder"),
    "full path outside": ("/etc/passwd,p2,,,", "leads out of the manifest's folder"),
    "scan is not there": ("gone.nii,p2,,,", "names a scan that is not there (gone.nii)"),
    "name too long for the system": ("x" * 5000 + ",p2,,,", "names a scan that is not there"),
    "no scan": (",p2,normal,,", "names no scan"),
    "unknown label": ("scan.nii,p2,maybe,,", 'has the unknown label "maybe"'),
    "formula for a label": ('scan.nii,p2,"=HYPERLINK(""x"")",,', 'has the unknown label "=HYPERLINK("x")"'),
    "age in words": ("scan.nii,p2,,old,", 'has the age "old"'),
    "age below zero": ("scan.nii,p2,,-3,", 'has the age "-3"'),
    "age of 200": ("scan.nii,p2,,200,", 'has the age "200"'),
    "age not a number": ("scan.nii,p2,,nan,", 'has the age "nan"'),
    "unknown sex": ("scan.nii,p2,,,X", 'has the sex "X"'),
    "more cells than columns": ("scan.nii,p2,,,F,extra", "has more cells than the header"),
    "the same case again": ("scan.nii,P1,,,", "repeats the case of row 2"),
}


@pytest.mark.parametrize(("row", "sentence"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_its_own_error_and_the_others_go_on(row, sentence, tmp_path):
    path = volume(made(tmp_path / "data") / "scan.nii")
    volume(tmp_path / "scan.nii")  # what a path that climbs out would find
    text = f"scan,case,label,age,sex\nscan.nii,p1,normal,70,M\n{row}\nscan.nii,p3,,,\n"
    good, bad, last = collect_cases([manifest(tmp_path / "data", text)])
    assert good == Case("p1", path, label="normal", age=70.0, sex="M")
    assert (last.name, last.error) == ("p3", None)
    assert (bad.path, bad.label, bad.age) == (None, None, None)
    assert bad.error.startswith("list.csv row 3 ")
    assert sentence in bad.error
    assert bad.error.endswith(".")
    assert bad.name.casefold() not in ("p1", "p3")
    assert str(tmp_path) not in bad.error


def test_rows_are_counted_as_a_spreadsheet_counts_them(tmp_path):
    volume(tmp_path / "scan.nii")
    text = 'scan,site\nscan.nii,"two\nlines"\n\ngone.nii,x\n'
    cases = collect_cases([manifest(tmp_path, text)])
    assert cases[1].error.startswith("list.csv row 4 ")
    assert cases[1].name == "row4"
    assert [case.row for case in cases] == [2, 4]


def test_rows_are_counted_without_excels_separator_line_and_with_blank_ones(tmp_path):
    volume(tmp_path / "scan.nii")
    text = "sep=;\nscan;site\n\nscan.nii;a\n\n\nscan.nii;b\n"
    assert [(case.row, case.site) for case in collect_cases([manifest(tmp_path, text)])] == [(3, "a"), (6, "b")]
    assert [case.row for case in collect_cases([tmp_path / "scan.nii"])] == [None]


def test_a_link_inside_the_folder_may_lead_elsewhere(tmp_path):
    """The folder's owner set the link, not the manifest."""
    volume(tmp_path / "store" / "scan.nii")
    made(tmp_path / "data")
    (tmp_path / "data" / "scan.nii").symlink_to(tmp_path / "store" / "scan.nii")
    assert collect_cases([manifest(tmp_path / "data", "scan\nscan.nii\n")])[0].error is None


# --- helpers ----------------------------------------------------------------------------------------------


def hash_of(series):
    """What the name of a case takes of its series."""
    return hashlib.sha256(series.encode()).hexdigest()[:8]


def names_of(cases):
    return [case.name for case in cases]


def made(folder) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def volume(path) -> Path:
    """A scan in the format of the name; `.NRRD` in capitals too."""
    lower = made(path.parent) / path.name.lower()
    write_volume(lower, marker_volume(affine_of()), affine_of())
    return lower.rename(path)


def slices(folder, after=0) -> int:
    """A series of single slices, a second one with another spacing; gives the number of files so far."""
    options = {"slice_spacing": 3.0, "count": 30} if after else {"count": 36}
    for index, dataset in enumerate(factory.nm_slices(**options)):
        factory.save(dataset, made(folder) / f"IM{after + index:04d}.dcm")
    return after + options["count"]


def projections(**elements):
    return factory.nm_dataset(image_type=("ORIGINAL", "PRIMARY", "TOMO", "EMISSION"), **elements)


def manifest(folder, text) -> Path:
    path = made(folder) / "list.csv"
    path.write_bytes(text.encode())
    return path


def test_the_marker_of_the_helpers_is_no_constant():
    assert np.ptp(marker_volume(affine_of())) > 1000
