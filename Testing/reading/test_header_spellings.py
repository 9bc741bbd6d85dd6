"""Headers that say the right thing in a wrong way: what can mean one thing only is understood, the rest refused."""

import gzip
import struct

import dicom_factory as factory
import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from scan_oracles import assert_marker, refusal
from volume_factory import affine_of, itk_image, marker_volume, patched

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.dicom_header import own_numbers
from DaTscanAILib.reading.dicom_values import MAP_WARNING
from DaTscanAILib.reading.scan import read_scan, write_volume

SPACING, BETWEEN, ORIENTATION = 0x00280030, 0x00180088, 0x00200037


def with_raw(folder, tag, representation, value, **options):
    """A scan with an element as a careless exporter writes it."""
    dataset = factory.nm_dataset(**options)
    dataset._dict[Tag(tag)] = RawDataElement(Tag(tag), representation, len(value), value, 0, False, True)
    return factory.save(dataset, folder / "scan.dcm")


# --- numbers in DICOM -------------------------------------------------------------------------------------

UNDERSTOOD = {
    "decimal commas": (SPACING, "DS", b"4,0\\3,5 "),
    "one comma, one point": (SPACING, "DS", b"4.0\\3,5 "),
    "commas between numbers": (SPACING, "DS", b"4.0,3.5 "),
    "representation UT": (SPACING, "UT", b"4.0\\3.5 "),
    "representation LO": (SPACING, "LO", b"4.0\\3.5 "),
    "representation UN": (SPACING, "UN", b"4.0\\3.5 "),
    "bytes, padded with zeros": (SPACING, "OB", b"4.0\\3.5\0"),
    "exponents": (SPACING, "DS", b"4.0E0\\35e-1 "),
    "slice spacing with a comma keeps its sign": (BETWEEN, "DS", b"-3,8"),
    "slice spacing as text": (BETWEEN, "UT", b"-3.8"),
    "orientation with commas": (ORIENTATION, "DS", b"1,0\\0,0\\0,0\\0,0\\1,0\\0,0"),
}


@pytest.mark.parametrize(("tag", "representation", "value"), UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_numbers_that_can_mean_one_thing_only(tag, representation, value, tmp_path):
    sign = -1 if tag == BETWEEN else 1
    options = {"slice_spacing": sign * 3.8, "geometry": "top"}
    scan = read_scan(with_raw(tmp_path, tag, representation, value, **options))
    assert_marker(scan)
    assert scan.warnings == ()


def test_one_pixel_spacing_stands_for_both_with_a_warning(tmp_path):
    scan = read_scan(with_raw(tmp_path, SPACING, "DS", b"4.0 ", pixel_spacing=(4.0, 4.0)))
    assert_marker(scan)
    assert "Pixel Spacing holds one number" in scan.warnings[0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"3.5\\0\\3.5 ", '"3.5\\0\\3.5"'),
        (b"-4.0\\3.5", '"-4.0\\3.5"'),
        (b"0\\0 ", '"0\\0"'),
        (b"4.0;3.5 ", '"4.0;3.5"'),
        (b"Doe^Jane", "not numbers"),
        (b"4.0x3.5 mm", "not numbers"),
    ],
)
def test_a_pixel_spacing_that_cannot_be_read_is_shown_if_it_is_no_name(value, shown, tmp_path):
    sentence = refusal(with_raw(tmp_path, SPACING, "DS", value))
    assert f"states a pixel spacing that cannot be read ({shown}; two positive numbers" in sentence
    assert "Doe" not in sentence


@pytest.mark.parametrize(("representation", "read"), [("US", None), (None, None), ("UN", 5.0)])
def test_a_damaged_number_is_not_taken_for_text(representation, read):
    """One byte 0x35 is no "5" where two bytes are a number."""
    dataset = pydicom.Dataset()
    dataset._dict[Tag(0x00280010)] = RawDataElement(Tag(0x00280010), representation, 1, b"5", 0, False, True)
    found = own_numbers(dataset, "Rows", 1)
    assert (found if found is None else found[0]) == read


# --- real world value maps --------------------------------------------------------------------------------


def mapped(**values):
    return [factory.item_of(**{f"RealWorldValue{key}": value for key, value in values.items()})]


# What the stored numbers of air are, the rescale's intercept, the map, and whether it takes the rescale's place.
MAPS = {
    "the same zero as the rescale": (20.0, -20.0, mapped(Slope=2.0, Intercept=-40.0), False),
    "a slope alone": (0.0, 0.0, mapped(Slope=5.0), False),
    "another zero than the rescale": (100.0, 0.0, mapped(Slope=2.0, Intercept=-200.0), True),
    "no offset where the rescale has one": (0.0, -20.0, mapped(Slope=1.0, Intercept=0.0), True),
}


@pytest.mark.parametrize(("air", "intercept", "maps", "warned"), MAPS.values(), ids=MAPS.keys())
def test_a_map_that_moves_the_zero_is_used(air, intercept, maps, warned, tmp_path):
    """Every figure is a ratio, so it depends on where zero is and on nothing else."""
    plain = factory.nm_dataset()
    dataset = factory.nm_dataset(RescaleIntercept=str(intercept), RealWorldValueMappingSequence=maps)
    factory.set_pixels(dataset, plain.pixel_array + air, "<i4")
    scan = read_scan(factory.save(dataset, tmp_path / "scan.dcm"))
    frames = plain.pixel_array.transpose(2, 1, 0)
    factor = scan.voxels.max() / frames.max()
    np.testing.assert_allclose(scan.voxels, factor * frames, atol=1e-3 * factor)
    assert (MAP_WARNING in scan.warnings) is warned


def test_a_map_by_a_table_is_refused(tmp_path):
    maps = [factory.item_of(RealWorldValueLUTData=[0.0, 1.0, 4.0])]
    path = factory.save(factory.nm_dataset(RealWorldValueMappingSequence=maps), tmp_path / "scan.dcm")
    assert "gives its values by a table (Real World Value LUT)" in refusal(path)


# --- SPECT that says it is PET ----------------------------------------------------------------------------

TRACERS = {
    "text": {"Radiopharmaceutical": "I-123 ioflupane"},
    "text at the beginning": {"Radiopharmaceutical": "123I-FP-CIT"},
    "brand": {"Radiopharmaceutical": "DaTSCAN"},
    "code of the nuclide": {"RadionuclideCodeSequence": factory.code("C-114A4", "^123^Iodine")},
    "code of the tracer": {"RadiopharmaceuticalCodeSequence": factory.code("429296007", "")},
    "meaning of the nuclide": {"RadionuclideCodeSequence": factory.code("X", "I^123^")},
}
F_18 = factory.code("C-111A1", "^18^Fluorine")
OTHER_TRACERS = {
    "FDG": {"Radiopharmaceutical": "FDG -- fluorodeoxyglucose"},
    "the same tracer with F-18": {
        "Radiopharmaceutical": "FP-CIT",
        "RadionuclideCodeSequence": factory.code("C-111A1", "F"),
    },
    "another iodine": {"Radiopharmaceutical": "I-124"},
    "nothing": {},
}


def stored_as_pet(folder, tracer):
    item = [factory.item_of(**tracer)] if tracer else None
    dataset = factory.nm_dataset(
        modality="PT",
        geometry="top",
        image_type=("ORIGINAL", "PRIMARY"),
        sop_class="1.2.840.10008.5.1.4.1.1.128",
        RadiopharmaceuticalInformationSequence=item,
    )
    return factory.save(dataset, folder / "scan.dcm")


@pytest.mark.parametrize("tracer", TRACERS.values(), ids=TRACERS.keys())
def test_spect_stored_as_pet_is_read_where_the_header_names_its_nuclide(tracer, tmp_path):
    assert_marker(read_scan(stored_as_pet(tmp_path, tracer)))


@pytest.mark.parametrize("tracer", OTHER_TRACERS.values(), ids=OTHER_TRACERS.keys())
def test_pet_stays_refused(tracer, tmp_path):
    assert "is a PET image, not SPECT" in refusal(stored_as_pet(tmp_path, tracer))


# --- DICOM without preamble and suffix --------------------------------------------------------------------


@pytest.mark.parametrize("implicit", [True, False], ids=["implicit", "explicit"])
@pytest.mark.parametrize("first", ["image type", "character set", "group length"])
def test_a_file_without_preamble_meta_information_and_suffix(implicit, first, tmp_path):
    dataset = pydicom.Dataset()
    dataset.update(factory.nm_dataset())
    if first == "character set":
        dataset.SpecificCharacterSet = "ISO_IR 100"
    if first == "group length":
        dataset.add_new(0x00080000, "UL", 0)
    path = tmp_path / "IM0003"
    pydicom.dcmwrite(path, dataset, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    assert path.read_bytes()[128:132] != b"DICM"
    assert_marker(read_scan(path))


@pytest.mark.parametrize(
    "data",
    [
        bytes([8, 0]) * 4000,
        b"\x08\0" + bytes(9000),
        np.arange(8, 5000, dtype="<u2").tobytes(),
        b"\x02\0\x01\0 text" * 99,
    ],
)
def test_numbers_that_begin_like_an_element_are_no_dicom(data, tmp_path):
    (tmp_path / "numbers").write_bytes(data)
    assert "is no scan that can be read" in refusal(tmp_path / "numbers")


# --- NIfTI and MetaImage ----------------------------------------------------------------------------------


def nifti(folder, **options):
    write_volume(folder / "scan.nii", marker_volume(affine_of(**options)), affine_of(**options))
    return folder / "scan.nii"


def with_qform_alone(path):
    return patched(path, "<2h", 252, 1, 0)


def test_negative_voxel_sizes_under_a_qform_leave_the_sides_unknown(tmp_path):
    """nibabel takes their absolute value, ITK mirrors."""
    path = with_qform_alone(nifti(tmp_path))
    assert_marker(read_scan(path))
    for axis in range(3):
        made = patched(with_qform_alone(nifti(tmp_path)), "<f", 80 + 4 * axis, -4.0)
        assert "no orientation (negative voxel sizes), so left and right are unknown" in refusal(made)


def test_negative_voxel_sizes_under_an_sform_change_nothing(tmp_path):
    path = patched(nifti(tmp_path), "<2h", 252, 0, 1)
    assert_marker(read_scan(patched(path, "<f", 80, -4.0)))


def test_negative_voxel_sizes_of_metaimage_leave_the_sides_unknown(tmp_path):
    import SimpleITK

    SimpleITK.WriteImage(itk_image(marker_volume(affine_of()), affine_of()), tmp_path / "scan.mha", False)
    data = (tmp_path / "scan.mha").read_bytes()
    (tmp_path / "scan.mha").write_bytes(data.replace(b"ElementSpacing = 4 ", b"ElementSpacing = -4 "))
    assert "negative voxel sizes" in refusal(tmp_path / "scan.mha")


def with_sform(path, matrix):
    return patched(patched(path, "<2h", 252, 0, 1), "<12f", 280, *np.asarray(matrix, float)[:3].ravel())


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1)], ids=["unit matrix", "unit matrix in LPS"])
def test_a_unit_matrix_beside_other_voxel_sizes_is_named(signs, tmp_path):
    sentence = refusal(with_sform(nifti(tmp_path), np.diag([*signs, 1.0])))
    assert "contradicts itself: its matrix has voxels of 1 mm, its voxel sizes are 4 x 3.5 x 4.5 mm" in sentence


def test_a_matrix_scaled_on_purpose_is_used_with_a_warning(tmp_path):
    affine = affine_of()
    affine[:3, :3] *= 1.2
    scan = read_scan(with_sform(nifti(tmp_path), affine))
    np.testing.assert_allclose(scan.affine, affine, rtol=1e-6)
    assert "matrix and its voxel sizes disagree" in scan.warnings[0]


def test_voxels_of_one_millimetre_are_no_contradiction(tmp_path):
    options = {"spacing": (1, 1, 1), "shape": (60, 60, 60)}
    affine = affine_of(**options)
    write_volume(tmp_path / "scan.nii", marker_volume(affine, (60, 60, 60)), affine)
    path = with_sform(tmp_path / "scan.nii", np.eye(4))
    assert read_scan(path).warnings == ()


# --- pairs ------------------------------------------------------------------------------------------------

PAIRS = {
    "capitals": ("SCAN.HDR", "SCAN.IMG", False, False),
    "capitals and small letters": ("Scan.HDR", "scan.img", False, False),
    "both compressed": ("scan.hdr.gz", "scan.img.gz", True, True),
    "the numbers alone compressed": ("scan.hdr", "scan.img.gz", False, True),
    "the header alone compressed": ("scan.hdr.gz", "scan.img", True, False),
    "compressed under a plain name": ("scan.hdr", "scan.img", False, True),
}


def pair(folder, header, data, header_compressed=False, data_compressed=False):
    nibabel.save(nibabel.Nifti1Pair(marker_volume(affine_of()), affine_of()), folder / "made.hdr")
    for made, name, compressed in (("made.hdr", header, header_compressed), ("made.img", data, data_compressed)):
        content = (folder / made).read_bytes()
        (folder / made).unlink()
        (folder / name).write_bytes(gzip.compress(content) if compressed else content)
    return folder / header, folder / data


@pytest.mark.parametrize("names", PAIRS.values(), ids=PAIRS.keys())
def test_pairs_by_either_file(names, tmp_path):
    for path in pair(tmp_path, *names):
        assert_marker(read_scan(path), 0.01)


def test_a_pair_that_lost_one_of_its_files(tmp_path):
    header, data = pair(tmp_path, "scan.hdr", "scan.img")
    content = data.read_bytes()
    data.unlink()
    assert "has lost its data file" in refusal(header)
    header.unlink()
    data.write_bytes(content)
    assert "has lost its header" in refusal(data)


def test_two_pairs_that_differ_in_capitals(tmp_path):
    for name, factor in (("SCAN", 1), ("scan", 3)):
        volume = (marker_volume(affine_of()) * factor).astype(np.float32)
        nibabel.save(nibabel.Nifti1Pair(volume, affine_of()), tmp_path / f"{name}.hdr")
    levels = [read_scan(tmp_path / f"{name}.hdr").voxels.max() for name in ("SCAN", "scan")]
    assert levels[1] == pytest.approx(3 * levels[0])


def test_a_detached_header_finds_its_numbers_whatever_the_capitals(tmp_path):
    import SimpleITK

    SimpleITK.WriteImage(itk_image(marker_volume(affine_of()), affine_of()), tmp_path / "scan.mhd", False)
    (tmp_path / "scan.raw").rename(tmp_path / "SCAN.RAW")
    assert_marker(read_scan(tmp_path / "scan.mhd"))


# --- what was not covered ---------------------------------------------------------------------------------


def with_nan(folder, change, dtype=np.float32):
    affine = affine_of(angles=(10, -5, 8))
    voxels = marker_volume(affine) + np.float32(100)
    change(voxels)
    write_volume(folder / "scan.nii", voxels.astype(dtype), affine)
    return read_scan(folder / "scan.nii"), voxels, affine


def around(voxels):
    voxels[:2], voxels[:, :, -3:] = np.nan, np.nan


def test_planes_of_nan_around_the_image_are_cut_off(tmp_path):
    scan, voxels, affine = with_nan(tmp_path, around)
    assert scan.voxels.shape == (28, 34, 23)
    np.testing.assert_array_equal(scan.voxels, voxels[2:, :, :-3])
    np.testing.assert_allclose(scan.affine[:3, 3], (affine @ [2, 0, 0, 1])[:3], atol=1e-4)
    assert scan.covered is None
    assert "taken as outside the field of view" in scan.warnings[0]


def test_a_corner_of_nan_is_marked_and_no_uptake(tmp_path):
    def corner(voxels):
        x, y, z = np.indices(voxels.shape)
        voxels[x + y + z < 12] = np.nan

    scan, voxels, _ = with_nan(tmp_path, corner, np.float64)
    np.testing.assert_array_equal(scan.covered, ~np.isnan(voxels))
    assert (scan.voxels[~scan.covered] == 0).all()


def test_the_ragged_edge_of_a_mask_is_no_hole(tmp_path):
    """Voxels that touch what is not covered by a corner or an edge alone, as a resampled mask has them."""

    def ragged(voxels):
        x, y, z = np.indices(voxels.shape)
        voxels[x + y + z < 12] = np.nan
        voxels[4, 4, 4] = np.nan  # beside (3, 3, 4) and (3, 4, 4)
        voxels[5, 5, 5] = np.nan  # beside (4, 4, 4) by a corner

    scan, voxels, _ = with_nan(tmp_path, ragged)
    np.testing.assert_array_equal(scan.covered, ~np.isnan(voxels))


def test_one_nan_inside_the_image_is_refused_with_what_to_do(tmp_path):
    def hole(voxels):
        around(voxels)
        voxels[15, 15, 12] = np.nan

    with pytest.raises(
        DaTscanError, match=r"not finite \(NaN or infinity\) inside the image, 1 voxels: set them to 0"
    ):
        with_nan(tmp_path, hole)


def test_infinity_and_nothing_but_nan_stay_refused(tmp_path):
    def infinite(voxels):
        around(voxels)
        voxels[5, 5, 5] = np.inf

    for change in (infinite, lambda voxels: voxels.fill(np.nan)):
        with pytest.raises(DaTscanError, match="not finite"):
            with_nan(tmp_path, change)


def test_nan_in_float_pixels_of_dicom(tmp_path):
    dataset = factory.nm_dataset(numbers="<f4")
    frames = np.frombuffer(dataset.FloatPixelData, "<f4").reshape(factory.SHAPE[::-1]).copy()
    frames[:, :4] = np.nan
    dataset.FloatPixelData = frames.tobytes()
    scan = read_scan(factory.save(dataset, tmp_path / "scan.dcm"))
    assert scan.voxels.shape == (48, 36, 36)
    assert_marker(scan)


def test_the_struct_of_a_nifti_header_is_what_these_tests_patch(tmp_path):
    data = nifti(tmp_path).read_bytes()
    assert struct.unpack_from("<3f", data, 80) == pytest.approx((4.0, 3.5, 4.5))
    assert struct.unpack_from("<2h", data, 252) == (1, 1)
