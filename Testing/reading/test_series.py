"""Which slices make up a scan and what it is called: names that stay, slices over folders, images held twice."""

import dicom_factory as factory
import numpy as np
import pytest
from volume_factory import affine_of, marker_volume

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.case_names import safe_name
from DaTscanAILib.reading.inputs import collect_cases, survey
from DaTscanAILib.reading.scan import read_scan, write_volume

COUNT = 24
SHAPE = (*factory.SHAPE[:2], COUNT)


def small_slices(**options):
    return factory.nm_slices(count=COUNT, **{"StudyID": "1", **options})


def save_all(datasets, folder, prefix="IM"):
    folder.mkdir(parents=True, exist_ok=True)
    return [factory.save(dataset, folder / f"{prefix}{n:04d}.dcm") for n, dataset in enumerate(datasets)]


def volume(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(path, marker_volume(affine_of()), affine_of())
    return path


def the_scan(folder):
    """The one scan of a folder, wherever the marker must be, and the survey."""
    found = survey([folder])
    (case,) = found.cases
    scan = read_scan(case.path, case.series, case.files)
    np.testing.assert_allclose(factory.marker_place(scan.voxels, scan.affine), factory.MARKER_RAS, atol=0.01)
    assert len(scan.voxels[0, 0]) == COUNT
    return scan, found


def names_by_series(folder):
    return {case.series: case.name for case in collect_cases([folder])}


# --- names that stay --------------------------------------------------------------------------------------


def test_a_series_keeps_its_name_when_others_come_and_go(tmp_path):
    """The Series Instance UIDs are in the opposite order of the files' names."""
    first, second = small_slices(SeriesInstanceUID="1.2.3.9"), small_slices(SeriesInstanceUID="1.2.3.1")
    files = save_all(first, tmp_path / "scans", "A")
    alone = names_by_series(tmp_path / "scans")
    save_all(second, tmp_path / "scans", "B")
    both = names_by_series(tmp_path / "scans")
    assert len(set(both.values())) == 2
    assert both["1.2.3.9"] == alone["1.2.3.9"]
    for file in files:
        file.unlink()
    assert names_by_series(tmp_path / "scans") == {"1.2.3.1": both["1.2.3.1"]}


def test_a_series_keeps_its_name_when_its_first_slice_is_copied_later(tmp_path):
    slices = save_all(small_slices(), tmp_path / "scans")
    complete = collect_cases([tmp_path / "scans"])[0].name
    slices[0].unlink()
    assert collect_cases([tmp_path / "scans"])[0].name == complete


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
def test_files_of_equal_names_keep_theirs_when_others_come_and_go(suffix, tmp_path):
    """`scan` of one patient may not become `scan` of another because the first was removed."""
    one = volume(tmp_path / "in" / "p1" / f"scan{suffix}")
    (alone,) = collect_cases([tmp_path / "in"])
    volume(tmp_path / "in" / "p2" / f"scan{suffix}")
    first, second = collect_cases([tmp_path / "in"])
    one.unlink()
    (left,) = collect_cases([tmp_path / "in"])
    assert (alone.name, left.name) == (first.name, second.name) == ("p1_scan", "p2_scan")


def test_rows_of_a_manifest_keep_their_names_when_others_come_and_go(tmp_path):
    for patient in ("p1", "p2"):
        volume(tmp_path / patient / "scan.nii")
    manifest = tmp_path / "list.csv"
    names = []
    for rows in ("p1/scan.nii\n", "p2/scan.nii\np1/scan.nii\n", "p2/scan.nii\n"):
        manifest.write_text("scan\n" + rows)
        names.append([case.name for case in collect_cases([manifest])])
    assert names == [["p1_scan"], ["p2_scan", "p1_scan"], ["p2_scan"]]


def test_names_that_come_out_equal_are_told_apart_by_what_they_name(tmp_path):
    """`a_b` is both the file a_b.nii and the file b.nii of the folder a; numbers would depend on the order."""
    for name in ("a_b.nii", "a_b.nrrd", "a/b.nii"):
        volume(tmp_path / "in" / name)
    three = {case.path.name: case.name for case in collect_cases([tmp_path / "in"])}
    assert len(set(three.values())) == 3
    (tmp_path / "in" / "a_b.nrrd").unlink()
    two = {case.path.name: case.name for case in collect_cases([tmp_path / "in"])}
    assert two == {name: three[name] for name in two}


def test_a_name_that_a_person_gave_stays_as_it_is(tmp_path):
    volume(tmp_path / "p1.nii")
    volume(tmp_path / "other.nii")
    (tmp_path / "list.csv").write_text("scan,case\np1.nii,\nother.nii,p1\n")
    first, second = collect_cases([tmp_path / "list.csv"])
    assert second.name == "p1"
    assert first.name != "p1"


def test_the_result_and_the_table_can_say_which_series_a_case_is(tmp_path):
    save_all(small_slices(SeriesInstanceUID="1.2.3.9", SeriesNumber="4"), tmp_path / "scans", "A")
    scan, found = the_scan(tmp_path / "scans")
    assert scan.series == found.cases[0].source == f"A0000.dcm and {COUNT - 1} more, series 4, 90242501"
    assert found.cases[0].name == "scans_90242501"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x" * 40 + "_" + "y" * 50 + "_2011-01-20_" + "z" * 20, "y" * 50 + "_2011-01-20_" + "z" * 20),
        ("x" * 60 + "_2011_01_20_" + "z" * 90, "z" * 90),
        ("x" * 70 + "20110120" + "z" * 96, "z" * 96),
        ("Reconstructed_DaTSCAN_" * 5 + "2011-01-20_12_38_32.0", None),
    ],
    ids=["at a separator", "not between the numbers of a date", "not inside a number", "a long folder"],
)
def test_long_names_are_not_cut_inside_a_date(text, name):
    shortened = safe_name(text)
    assert len(shortened) <= 100
    assert text.endswith(shortened)
    if name:
        assert shortened == name
    else:
        assert shortened.startswith(("Reconstructed_", "DaTSCAN_"))


def test_long_paths_give_names_that_differ(tmp_path):
    folder = "/".join(["study_2011-01-20_of_a_patient_with_a_long_name"] * 3)
    for patient in ("p1", "p2"):
        volume(tmp_path / patient / folder / "scan.nii")
    names = [case.name for case in collect_cases([tmp_path])]
    assert len(set(names)) == 2
    assert all(len(name) <= 100 for name in names)
    assert all(name.startswith("study_2011-01-20_") for name in names)


# --- slices over several folders --------------------------------------------------------------------------


def test_slices_of_one_series_spread_over_folders_are_one_scan(tmp_path):
    slices = small_slices()
    save_all(slices[:10], tmp_path / "CD" / "DISK1")
    save_all(slices[10:], tmp_path / "CD" / "DISK2" / "MORE")
    _, found = the_scan(tmp_path / "CD")
    assert found.cases[0].path == tmp_path / "CD"
    assert found.passed_over() == ""


def test_two_reconstructions_under_one_series_number_stay_two(tmp_path):
    """Some anonymizers give every series the same number."""
    for patient, offset in (("p1", 0), ("p2", 50)):
        slices = small_slices(SeriesInstanceUID="1.2.3", StudyInstanceUID="1.2")
        for dataset in slices:
            factory.set_pixels(dataset, dataset.pixel_array + float(offset), "<u2")
        save_all(slices, tmp_path / patient)
    cases = collect_cases([tmp_path])
    assert [case.name.split("_")[0] for case in cases] == ["p1", "p2"]
    levels = [read_scan(case.path, files=case.files).voxels.min() for case in cases]
    assert levels == [0, 50]


def test_slices_of_two_patients_under_one_series_number_are_not_mixed(tmp_path):
    slices = small_slices(SeriesInstanceUID="1.2.3")
    for dataset in slices[12:]:
        dataset.PatientID = "another"
    save_all(slices, tmp_path / "both")
    assert [len(case.files) for case in collect_cases([tmp_path])] == [12, 12]


# --- images held twice ------------------------------------------------------------------------------------


def test_the_same_slices_twice_count_once(tmp_path):
    slices = small_slices()
    save_all(slices, tmp_path / "export")
    save_all(slices[:15], tmp_path / "export", "COPY")
    _, found = the_scan(tmp_path / "export")
    assert found.passed_over() == "Passed over: 15 files, 15 of images that another file holds too."


def test_the_same_export_in_two_folders_is_one_case(tmp_path):
    slices = small_slices()
    for folder in ("a", "b"):
        save_all(slices, tmp_path / "exports" / folder)
    _, found = the_scan(tmp_path / "exports")
    assert len(found.copies) == COUNT


def test_a_copy_under_new_identifiers_or_another_syntax_is_one_too(tmp_path):
    slices = small_slices()
    save_all(slices, tmp_path / "export")
    for dataset in slices:
        factory.set_identity(dataset)
    folder = tmp_path / "export"
    for number, dataset in enumerate(slices):
        factory.save(dataset, folder / f"RLE{number:04d}.dcm", factory.RLELossless)
    _, found = the_scan(tmp_path / "export")
    assert len(found.copies) == COUNT


def test_a_multi_frame_file_copied_under_another_name_is_one_case(tmp_path):
    dataset = factory.nm_dataset(shape=SHAPE)
    save_all([dataset, dataset], tmp_path / "export")
    _, found = the_scan(tmp_path / "export")
    assert len(found.copies) == 1


def test_a_mended_header_under_the_same_identifier_is_no_copy(tmp_path):
    dataset = factory.nm_dataset(shape=SHAPE)
    save_all([dataset], tmp_path / "export", "original")
    dataset.PixelSpacing = ["2", "2"]
    save_all([dataset], tmp_path / "export", "mended")
    assert len(collect_cases([tmp_path])) == 2


# --- screenshots among slices -----------------------------------------------------------------------------


def screenshot(series, **options):
    """What workstations put into a series: another size, no position, often color."""
    options = {"modality": "NM", "sop_class": factory.CAPTURE_CLASS, "geometry": "nowhere", **options}
    dataset = factory.nm_dataset(shape=(64, 64, 1), image_type=("DERIVED", "SECONDARY"), **options)
    factory.change(dataset, SeriesInstanceUID=series, NumberOfFrames=None, FrameIncrementPointer=None)
    return dataset


ADDITIONS = {
    "a screenshot": {},
    "a screenshot in color": {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"},
    "a screenshot of another modality": {"modality": "OT"},
    "a report": {"modality": "SR", "Rows": None, "Columns": None, "PixelData": None},
    "a screenshot that keeps a position": {"geometry": "top"},
    "a localizer of nuclear medicine": {"sop_class": factory.NM_CLASS},
}


@pytest.mark.parametrize("options", ADDITIONS.values(), ids=ADDITIONS.keys())
def test_an_addition_does_not_cost_a_series_its_slices(options, tmp_path):
    slices = small_slices(SeriesInstanceUID="1.2.3")
    save_all([*slices, screenshot("1.2.3", **options)], tmp_path / "series")
    _, found = the_scan(tmp_path / "series")
    assert found.passed_over() == "Passed over: 1 file, 1 of screenshots and the like among slices."


def test_another_slice_of_another_size_is_still_refused(tmp_path):
    """It may be the slice that is missing."""
    slices = small_slices(SeriesInstanceUID="1.2.3")
    factory.set_pixels(slices[-1], np.ones((64, 64)), "<u2")
    save_all(slices, tmp_path / "series")
    with pytest.raises(DaTscanError, match="slices of different size"):
        read_scan(tmp_path / "series")
