"""Kinds of faulty or unusual files that no list named: none costs a scan in silence or makes a number wrong.

Each test stands for a kind; `Resources/Documentation/inputs.md` says what becomes of it.
"""

import gzip
import io
import zipfile

import dicom_factory as factory
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from volume_factory import affine_of, itk_image, marker_volume, patched

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.clinical import with_prior_scans
from DaTscanAILib.reading.inputs import collect_cases, survey
from DaTscanAILib.reading.scan import read_scan, write_volume
from DaTscanAILib.reading.study_date import parse_date

SHAPE = (24, 22, 20)
COUNT = 20


def volume(path, shape=SHAPE):
    affine = affine_of(shape=shape)
    write_volume(path, marker_volume(affine, shape), affine)
    return path


def dicom(path, **options):
    return factory.save(factory.nm_dataset(**{"shape": SHAPE, **options}), path)


def slices_in(folder, datasets, prefix="IM"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, dataset in enumerate(datasets):
        factory.save(dataset, folder / f"{prefix}{number:03d}.dcm")
    return folder


def refusal(path):
    with pytest.raises(DaTscanError) as caught:
        read_scan(path)
    assert str(caught.value).startswith(path.name)
    return str(caught.value)


def at_marker(scan, tolerance=0.5):
    return np.allclose(factory.marker_place(scan.voxels, scan.affine), factory.MARKER_RAS, atol=tolerance)


# --- silent wrong numbers ---------------------------------------------------------------------------------


def test_a_list_of_slopes_one_for_each_frame_is_used(tmp_path):
    """Some workstations write as many Rescale Slopes as frames, which the standard does not know."""
    plain = read_scan(dicom(tmp_path / "plain.dcm"))
    slopes = np.linspace(1.0, 3.0, SHAPE[2])
    dataset = factory.nm_dataset(shape=SHAPE)
    factory.set_pixels(dataset, dataset.pixel_array / slopes[:, None, None], "<u2")
    dataset.RescaleSlope = [f"{slope:.6f}" for slope in slopes]
    scan = read_scan(factory.save(dataset, tmp_path / "scan.dcm"))
    np.testing.assert_allclose(scan.voxels, plain.voxels, atol=3)


@pytest.mark.parametrize(
    ("keyword", "value", "sentence"),
    [
        ("RescaleSlope", ["1", "2", "3"], "states a rescale slope that cannot be read"),
        ("RescaleIntercept", "none", "states a rescale intercept that cannot be read"),
        ("RescaleIntercept", "NaN", "states a rescale intercept that cannot be read"),
    ],
)
def test_a_rescale_that_cannot_be_read_is_not_left_out(keyword, value, sentence, tmp_path):
    dataset = factory.nm_dataset(shape=SHAPE)
    with pydicom.config.disable_value_validation():
        dataset[keyword] = pydicom.DataElement(keyword, "LO", value)
        assert sentence in refusal(factory.save(dataset, tmp_path / "scan.dcm"))


@pytest.mark.parametrize("empty", [None, ""])
def test_a_rescale_that_is_not_there_is_none(empty, tmp_path):
    assert at_marker(read_scan(dicom(tmp_path / "scan.dcm", RescaleSlope=empty, RescaleIntercept=empty)))


def test_a_modality_lut_is_refused(tmp_path):
    table = factory.item_of(LUTDescriptor=[4, 0, 16], ModalityLUTType="US", LUTData=bytes(8))
    path = dicom(
        tmp_path / "scan.dcm", RescaleSlope=None, RescaleIntercept=None, ModalityLUTSequence=Sequence([table])
    )
    assert "by a table (Modality LUT), not by a slope" in refusal(path)


def test_bits_above_those_stored_are_left_out(tmp_path):
    """Old software keeps an overlay there."""
    dataset = factory.nm_dataset(shape=SHAPE, slope=20.0)
    plain = read_scan(factory.save(dataset, tmp_path / "plain.dcm"))
    stored = dataset.pixel_array
    assert stored.max() < 2**12
    stored[:, ::3] |= 2**15
    factory.set_pixels(dataset, stored, "<u2")
    dataset.BitsStored, dataset.HighBit = 12, 11
    scan = read_scan(factory.save(dataset, tmp_path / "scan.dcm"))
    assert np.array_equal(scan.voxels, plain.voxels)


def test_a_slice_of_zeros_between_others_is_refused(tmp_path):
    voxels = marker_volume(affine_of())
    voxels += 50
    voxels[:, :, 9] = 0
    write_volume(tmp_path / "scan.nii", voxels, affine_of())
    assert "has 1 empty slice(s) between others" in refusal(tmp_path / "scan.nii")
    voxels[:, :, :10] = 0  # at an end it is padding
    write_volume(tmp_path / "scan.nii", voxels, affine_of())
    assert read_scan(tmp_path / "scan.nii").voxels.shape == voxels.shape


def test_a_metaimage_with_an_offset_of_its_values_is_refused(tmp_path):
    path = tmp_path / "scan.mha"
    SimpleITK.WriteImage(itk_image(marker_volume(affine_of()), affine_of()), path)
    line = b"ElementType = "
    path.write_bytes(path.read_bytes().replace(line, b"ElementToIntensityFunctionOffset = 100\n" + line, 1))
    assert "uses an offset of its values" in refusal(path)


def saved_nifti(path):
    nibabel.save(nibabel.Nifti1Image(marker_volume(affine_of()), affine_of()), path)
    return path


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf])
def test_a_nifti_slope_that_is_none_leaves_the_numbers(slope, tmp_path):
    plain = read_scan(saved_nifti(tmp_path / "plain.nii"))
    scan = read_scan(patched(saved_nifti(tmp_path / "scan.nii"), "<2f", 112, slope, 7.0))
    assert np.array_equal(scan.voxels, plain.voxels)


def test_a_nifti_slope_without_its_intercept_is_refused(tmp_path):
    assert "truncated or damaged" in refusal(patched(saved_nifti(tmp_path / "scan.nii"), "<2f", 112, 2.0, np.nan))


@pytest.mark.parametrize("offset", [0.0, 348.0])
def test_nifti_voxels_begin_behind_the_extender_whatever_the_offset_says(offset, tmp_path):
    plain = read_scan(saved_nifti(tmp_path / "plain.nii"))
    scan = read_scan(patched(saved_nifti(tmp_path / "scan.nii"), "<f", 108, offset))
    assert np.array_equal(scan.voxels, plain.voxels)


@pytest.mark.parametrize(("code", "what"), [(5, "a statistic"), (1002, "labels")])
def test_a_nifti_that_says_it_is_no_image_of_uptake(code, what, tmp_path):
    path = patched(saved_nifti(tmp_path / "scan.nii"), "<h", 68, code)
    assert f"says that its numbers are {what} (intent code {code})" in refusal(path)


# --- geometry ---------------------------------------------------------------------------------------------


def turned_frames(dataset, frames):
    """An enhanced object whose frames state their planes one by one, the last ones another."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for frame, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        cosines = factory.AXIAL if frame < frames else (1, 0, 0, 0, 0, -1)
        groups.PlaneOrientationSequence = Sequence([factory.item_of(ImageOrientationPatient=list(cosines))])
    del shared.PlaneOrientationSequence
    return dataset


@pytest.mark.parametrize("frames", [SHAPE[2], 12])
def test_an_enhanced_object_of_two_orientations_is_refused(frames, tmp_path):
    dataset = turned_frames(factory.nm_dataset(shape=SHAPE, geometry="groups"), frames)
    path = factory.save(dataset, tmp_path / "scan.dcm")
    if frames == SHAPE[2]:
        assert at_marker(read_scan(path))
    else:
        assert "slices of different size or orientation" in refusal(path)


def test_an_enhanced_object_of_two_pixel_spacings_is_refused(tmp_path):
    dataset = factory.nm_dataset(shape=SHAPE, geometry="groups")
    for frame, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        spacing = ["4", "3.5"] if frame else ["2", "3.5"]
        groups.PixelMeasuresSequence = Sequence([factory.item_of(PixelSpacing=spacing)])
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    assert "slices of different size or orientation" in refusal(factory.save(dataset, tmp_path / "scan.dcm"))


DECUBITUS = {
    "HFDR": (0, 1, 0, -1, 0, 0),
    "HFDL": (0, -1, 0, 1, 0, 0),
    "FFDR": (0, -1, 0, -1, 0, 0),
    "FFDL": (0, 1, 0, 1, 0, 0),
}


@pytest.mark.parametrize("position", DECUBITUS)
def test_a_patient_on_the_side_without_a_stated_orientation(position, tmp_path):
    """Columns run down, so to the patient's side that lies below; slices towards the head or the feet."""
    dataset = factory.nm_dataset(shape=(36, 36, 30), orientation=DECUBITUS[position], PatientPosition=position)
    del dataset.DetectorInformationSequence[0].ImageOrientationPatient
    scan = read_scan(factory.save(dataset, tmp_path / "scan.dcm"))
    assert at_marker(scan)
    assert f"first, on the {'right' if position[3] == 'R' else 'left'} side; check" in scan.warnings[0]


@pytest.mark.parametrize("lost", [0, 3])
def test_slices_lost_at_an_end_are_warned_of_where_the_header_counts_them(lost, tmp_path):
    slices = factory.nm_slices(count=COUNT + 3)[: COUNT + 3 - lost]
    warnings = read_scan(slices_in(tmp_path / "series", slices)).warnings
    assert [warning for warning in warnings if "states 23 slices, and 20 are there" in warning] == list(warnings)
    assert len(warnings) == (lost > 0)


# --- patients and series ----------------------------------------------------------------------------------


def test_two_studies_under_one_series_number_are_not_mixed(tmp_path):
    """Slices of the second lie exactly between those of the first, as one stack of half the distance."""
    options = {"SeriesInstanceUID": "1.2.3", "PatientID": "A"}
    first = factory.nm_slices(count=COUNT, StudyInstanceUID="1.1", **options)
    second = factory.nm_slices(count=COUNT, StudyInstanceUID="1.2", **options)
    for dataset in second:
        x, y, z = map(float, dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, y, z + factory.SLICE_SPACING / 2]
    slices_in(tmp_path / "in", first, "A")
    slices_in(tmp_path / "in", second, "B")
    cases = collect_cases([tmp_path / "in"])
    assert sorted({file.name[0] for file in case.files} for case in cases) == [{"A"}, {"B"}]
    assert [read_scan(case.path, case.series, case.files).voxels.shape[2] for case in cases] == [COUNT, COUNT]


def test_names_of_two_patients_under_one_series_number_do_not_depend_on_the_order(tmp_path):
    """As `..._2` the name went to whoever came second, and with `--resume` from one patient to the other."""
    slices = factory.nm_slices(count=COUNT, SeriesInstanceUID="1.2.3", StudyInstanceUID="1.2")

    def names(order):
        for prefix, patient in zip("AB", order, strict=True):
            for dataset in slices:
                frame = np.ones((24, 24)) if patient == "P" else np.eye(24)
                factory.set_pixels(dataset, frame, "<u2")
                dataset.PatientID = patient
            slices_in(tmp_path / "in", slices, prefix)
        found = collect_cases([tmp_path / "in"])
        return {order["AB".index(case.files[0].name[0])]: case.name for case in found}

    one, other = names("PQ"), names("QP")
    assert one == other
    assert len(set(one.values())) == 2


# --- lost in silence --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scan.gz", "IM0001", "scan.nii.gz.part", "scan_nii"])
def test_a_compressed_nifti_without_its_suffix_is_found(name, tmp_path):
    content = volume(tmp_path / "good.nii").read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content))
    assert {case.path.name for case in collect_cases([tmp_path])} == {"good.nii", name}
    assert np.array_equal(read_scan(tmp_path / name).voxels, read_scan(tmp_path / "good.nii").voxels)


NOISE = np.random.default_rng(3).integers(0, 256, 5000, np.uint8).tobytes()
NAMED = {
    "scan.dcm.Z": (b"\x1f\x9d\x90" + NOISE, "a compressed file (compress)"),
    "IM0007.xz": (b"\xfd7zXZ\0" + NOISE, "a compressed file (xz)"),
    "1.2.840.113619.7.bz2": (b"BZh9" + NOISE, "a compressed file (bzip2)"),
    "scan.z01": (b"PK\x07\x08" + NOISE, "a part of a zip archive"),
    "export.cab": (b"MSCF" + NOISE, "an archive (cabinet)"),
    "cd.iso": (bytes(40000), "an image of a CD"),
}


@pytest.mark.parametrize("name", NAMED)
def test_other_archives_and_images_of_media_are_named(name, tmp_path):
    content, what = NAMED[name]
    volume(tmp_path / "good.nii")
    (tmp_path / name).write_bytes(content)
    assert {case.path.name for case in collect_cases([tmp_path])} == {"good.nii", name}
    assert f"is {what}, which is not read" in refusal(tmp_path / name)


def test_compressed_notes_are_no_scans(tmp_path):
    volume(tmp_path / "good.nii")
    (tmp_path / "log.txt.bz2").write_bytes(b"BZh9" + NOISE)
    (tmp_path / "log.txt.gz").write_bytes(gzip.compress(NOISE))
    assert survey([tmp_path]).passed_over() == "Passed over: 2 files, 2 of other content."


def directory(path, images):
    """A DICOMDIR that lists images: a class and the parts of a path for each."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    factory.set_identity(dataset)
    dataset.DirectoryRecordSequence = Sequence(
        factory.item_of(DirectoryRecordType="IMAGE", ReferencedSOPClassUIDInFile=sop_class, ReferencedFileID=parts)
        for sop_class, parts in images
    )
    return factory.save(dataset, path)


def test_images_that_a_medium_lists_and_that_were_not_copied_are_said(tmp_path):
    (tmp_path / "dicom").mkdir()
    dicom(tmp_path / "dicom" / "im1;1")
    ct = "1.2.840.10008.5.1.4.1.1.2"
    images = [(factory.NM_CLASS, ["DICOM", "IM1"]), (factory.NM_CLASS, ["DICOM", "IM2"]), (ct, ["DICOM", "CT1"])]
    directory(tmp_path / "DICOMDIR", images)
    bad, good = sorted(collect_cases([tmp_path]), key=lambda case: case.error is None)
    assert good.path.name == "im1;1"
    assert bad.error == "DICOMDIR lists 1 nuclear-medicine image(s) that are not there: copy the whole medium again."
    directory(tmp_path / "DICOMDIR", images[::2])
    assert len(collect_cases([tmp_path])) == 1
    (tmp_path / "DICOMDIR").write_bytes((tmp_path / "DICOMDIR").read_bytes()[:-40])
    assert len(collect_cases([tmp_path])) == 1


def test_hidden_files_that_may_be_scans_are_said(tmp_path):
    volume(tmp_path / "good.nii")
    for name in (".nii.gz", ".scan.dcm", "._good.nii", ".DS_Store"):  # the first as of an empty subject
        (tmp_path / name).write_bytes(NOISE)
    assert survey([tmp_path]).passed_over() == (
        "Hidden files that may be scans, not looked at: 2, .nii.gz, .scan.dcm."
    )


def zipped(path, files, **options):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    path.write_bytes(data.getvalue())
    return path


def test_a_zip_in_a_method_that_is_not_unpacked_says_so(tmp_path):
    scan = volume(tmp_path / "scan.nii").read_bytes()
    path = zipped(tmp_path / "p.zip", {"scan.nii": scan}, compression=zipfile.ZIP_LZMA)
    assert refusal(path) == "p.zip is a zip archive compressed with LZMA: unpack it, and give the folder."


def test_a_zip_from_a_mac_holds_one_scan_and_not_its_shadow(tmp_path):
    scan = volume(tmp_path / "scan.nii").read_bytes()
    names = {"Müller/scan.nii": scan, "__MACOSX/Müller/._scan.nii": NOISE, "Müller/.DS_Store": NOISE}
    assert read_scan(zipped(tmp_path / "p.zip", names)).voxels.shape == SHAPE


def test_a_zipped_medium_that_lacks_images_says_so(tmp_path):
    index = directory(tmp_path / "made", [(factory.NM_CLASS, ["IM1"]), (factory.NM_CLASS, ["IM2"])])
    scan = dicom(tmp_path / "scan.dcm")
    files = {"DICOMDIR": index.read_bytes(), "IM1": scan.read_bytes()}
    assert "DICOMDIR lists 1 nuclear-medicine image(s)" in refusal(zipped(tmp_path / "p.zip", files))


# --- dates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260131", "2026-01-31"),
        ("2026-01-31", "2026-01-31"),
        ("2026.01.31", "2026-01-31"),  # ACR-NEMA's way
        ("2026/1/31", "2026-01-31"),
        ("31.1.2026", "2026-01-31"),
        ("01/02/2026", None),
        ("31.02.2026", None),
        ("2026", None),
        ("٢٠٢٦٠١٣١", None),
    ],
)
def test_dates(text, expected):
    found = parse_date(text)
    assert (found and found.isoformat()) == expected


def test_a_date_that_cannot_be_read_is_said_and_one_with_dots_is_read(tmp_path):
    for name in ("a.nii", "b.nii", "c.nii"):
        volume(tmp_path / name)
    (tmp_path / "list.csv").write_text(
        "scan;patient;date\na.nii;P;31.01.2020\nb.nii;P;2022-01-31\nc.nii;P;01/02/24\n"
    )
    found = survey([tmp_path / "list.csv"])
    assert [case.other.get("prior_case") for case in with_prior_scans(found.cases)] == [None, "a", None]
    assert found.passed_over() == (
        "Dates that cannot be read, so that no earlier scan is known: 1, first of c; write YYYY-MM-DD."
    )


def test_the_age_by_dates_with_dots(tmp_path):
    elements = {"PatientAge": None, "PatientBirthDate": "1950.02.03", "StudyDate": "2021.03.04"}
    dataset = factory.nm_dataset(shape=SHAPE)
    with pydicom.config.disable_value_validation():
        for keyword, value in elements.items():
            factory.change(dataset, **{keyword: value})
        path = factory.save(dataset, tmp_path / "scan.dcm")
    assert read_scan(path).patient.age == 71.1
