"""DICOM: a marker at a known point is found there, whatever form the header takes; the rest is refused."""

import logging
import warnings
from pathlib import Path

import dicom_factory as factory
import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from scipy.spatial.transform import Rotation

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.scan import orientation_letters, read_scan

TOLERANCE_MM = 1e-3
NOTHING = {}
OBLIQUE = tuple(Rotation.from_euler("xyz", [12, -7, 20], degrees=True).as_matrix().T[:2].ravel())
# Coronal slices from back to front, sagittal slices from left to right.
CORONAL, SAGITTAL = (1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1)
REVERSED = list(range(factory.SHAPE[2]))[::-1]
SHUFFLED = np.random.default_rng(3).permutation(factory.SHAPE[2]).tolist()
PPMI = {"shape": (91, 109, 91), "pixel_spacing": (2, 2), "slice_spacing": 2, "position": (-90, -90, -72)}

CUBIC = {"pixel_spacing": (4.41806, 4.41806)}

# test id: options of the factory
PLACED = {
    "positive spacing stacks along row x column": {"slice_spacing": 3.8},
    "negative spacing stacks against row x column": {"slice_spacing": -3.8},
    "orientation and position in the detector item": {"geometry": "detector"},
    "orientation and position at top level": {"geometry": "top"},
    "orientation and position in functional groups": {"geometry": "groups"},
    "functional groups stacked downwards": {"geometry": "groups", "slice_spacing": -3.8},
    "oblique": {"orientation": OBLIQUE},
    "oblique with negative spacing": {"orientation": OBLIQUE, "slice_spacing": -3.8},
    "coronal slices": {"orientation": CORONAL},
    "sagittal slices with negative spacing": {"orientation": SAGITTAL, "slice_spacing": -3.8},
    "feet first with an orientation": {"orientation": (-1, 0, 0, 0, 1, 0), "PatientPosition": "FFS"},
    "prone with an orientation": {"orientation": (-1, 0, 0, 0, -1, 0), "PatientPosition": "HFP"},
    "rows further apart than columns": {"pixel_spacing": (5, 2.5)},
    "columns further apart than rows": {"pixel_spacing": (2.5, 5)},
    "spacing between slices is not the thickness": {"SliceThickness": "9.0"},
    "slice vector backwards": {"order": REVERSED},
    "slice vector shuffled, negative spacing": {"order": SHUFFLED, "slice_spacing": -3.8},
    "slice vector from zero": {"SliceVector": list(range(factory.SHAPE[2]))},
    "no slice vector": {"SliceVector": None},
    "rescale slope and intercept": {"slope": 0.8, "intercept": -20.0},
    "no rescale": {"RescaleSlope": None, "RescaleIntercept": None},
    "signed pixels": {"numbers": "<i2", "slope": 2.0},
    "32-bit pixels": {"numbers": "<u4", "slope": 1e-4},
    "float pixels": {"numbers": "<f4"},
    "double pixels": {"numbers": "<f8"},
    "PPMI: MNI-like 91 x 109 x 91": PPMI,
    "GE: reconstruction with negative spacing (dcm2niix 885)": {**CUBIC, "slice_spacing": -4.41806},
    "Siemens: MultiSlice with negative spacing (pymirc 0.26.1)": {"geometry": "top", "slice_spacing": -3.0},
    "DaTscan that viewers showed upside down (OHIF 4352)": {**CUBIC, "slice_spacing": -4.41806, "RescaleSlope": None},
    "secondary capture with positions": {"sop_class": factory.CAPTURE_CLASS, "geometry": "top"},
    "retired modality ST": {"modality": "ST"},
    "modality OT, but RECON TOMO": {"modality": "OT"},
    "derived, other image type": {"image_type": ("DERIVED", "SECONDARY", "AXIAL")},
    "no image type, but a slice vector": {"ImageType": None},
    "one energy window, stated frame by frame": {"EnergyWindowVector": [1] * factory.SHAPE[2]},
    "display palette of nuclear medicine": {"PhotometricInterpretation": "PALETTE COLOR"},
    "real-world value map is left alone": {
        "RealWorldValueMappingSequence": [factory.item_of(RealWorldValueSlope=5.0)]
    },
}
POSITIONED = {
    "HFS": factory.AXIAL,
    "HFP": (-1, 0, 0, 0, -1, 0),
    "FFS": (-1, 0, 0, 0, 1, 0),
    "FFP": (1, 0, 0, 0, -1, 0),
}
FEET_FIRST = {"PatientGantryRelationshipCodeSequence": factory.code("F-10480", "feet-first")}
PRONE = {
    "PatientOrientationCodeSequence": [
        factory.item_of(PatientOrientationModifierCodeSequence=factory.code("F-10310", "prone"))
    ]
}
SYNTAXES = {
    "implicit VR": ImplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
    "RLE Lossless": RLELossless,
}

# test id: (options, what the sentence must say)
REFUSED = {
    "TOMO projections": (
        {"image_type": ("ORIGINAL", "PRIMARY", "TOMO", "EMISSION")},
        "projections, not a reconstruction",
    ),
    "gated projections": (
        {"image_type": ("ORIGINAL", "PRIMARY", "GATED TOMO")},
        "projections, not a reconstruction",
    ),
    "projections by their frame pointer": (
        {"ImageType": None, "FrameIncrementPointer": [0x00540010, 0x00540020, 0x00540050, 0x00540090]},
        "projections, not a reconstruction",
    ),
    "static": ({"image_type": ("ORIGINAL", "PRIMARY", "STATIC")}, "planar image"),
    "whole body": ({"image_type": ("ORIGINAL", "PRIMARY", "WHOLE BODY")}, "planar image"),
    "dynamic": ({"image_type": ("ORIGINAL", "PRIMARY", "DYNAMIC")}, "planar image"),
    "gated planar": ({"image_type": ("ORIGINAL", "PRIMARY", "GATED")}, "planar image"),
    "gated reconstruction": (
        {"image_type": ("ORIGINAL", "PRIMARY", "RECON GATED TOMO")},
        "gated reconstruction",
    ),
    "transmission map": (
        {"image_type": ("ORIGINAL", "PRIMARY", "RECON TOMO", "TRANSMISSION")},
        "transmission image (attenuation map)",
    ),
    "nothing says what it is": (
        {"ImageType": None, "geometry": "nowhere", "FrameIncrementPointer": None},
        "planar image",
    ),
    "PET": ({"modality": "PT"}, "is a PET image, not SPECT"),
    "CT": ({"modality": "CT"}, "is a CT image, not SPECT"),
    "MR": ({"modality": "MR"}, "is an MR image, not SPECT"),
    "ultrasound": ({"modality": "US"}, "of modality US, not SPECT"),
    "OT without RECON TOMO": (
        {"modality": "OT", "image_type": ("DERIVED", "SECONDARY")},
        "of modality OT, not SPECT",
    ),
    "no modality": ({"Modality": None}, "of modality unknown, not SPECT"),
    "structured report": ({"modality": "SR", "Rows": None}, "is a structured report"),
    "no image": ({"Rows": None, "PixelData": None}, "without an image"),
    "screen capture": (
        {"sop_class": factory.CAPTURE_CLASS, "geometry": "nowhere", "image_type": ("DERIVED", "SECONDARY")},
        "screen capture without slice positions",
    ),
    "color": ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "is a color image"),
    "palette color outside nuclear medicine": (
        {"sop_class": factory.CAPTURE_CLASS, "geometry": "top", "PhotometricInterpretation": "PALETTE COLOR"},
        "is a color image",
    ),
    "two energy windows": ({"EnergyWindowVector": [1] * 18 + [2] * 18}, "each of several energy windows"),
    "two detectors": ({"DetectorVector": [1, 2] * 18}, "each of several detectors"),
    "slices numbered twice": ({"SliceVector": list(range(1, 19)) * 2}, "gaps or twice (Slice Vector)"),
    "a slice number left out": ({"SliceVector": [*range(1, 36), 37]}, "gaps or twice (Slice Vector)"),
    "slice vector too short": ({"SliceVector": list(range(1, 30))}, "gaps or twice (Slice Vector)"),
    "too few slices": ({"shape": (48, 40, 19)}, "too few slices (48 x 40 x 19)"),
    "single slice": ({"shape": (48, 40, 1)}, "single slice"),
    "no pixel spacing": ({"PixelSpacing": None}, "no pixel spacing"),
    "no distance between slices": (
        {"SpacingBetweenSlices": None, "SliceThickness": None},
        "no distance between slices",
    ),
    "directions not perpendicular": ({"orientation": (1, 0, 0, 0.5, 0.86603, 0)}, "not perpendicular"),
    "directions not of unit length": ({"orientation": (2, 0, 0, 0, 1, 0)}, "not perpendicular"),
    "voxels of 9 mm": ({"pixel_spacing": (9, 9)}, "voxels of 9 x 9 x 3.8 mm"),
    "voxels of 0.1 mm": ({"SpacingBetweenSlices": "0.1"}, "voxels of 3.5 x 4 x 0.1 mm"),
    "matrix of 4096": ({"Rows": 4096, "Columns": 4096}, "4096 x 4096 x 36 voxels, more than any SPECT"),
    "a million frames": ({"NumberOfFrames": 1000000}, "voxels, more than any SPECT"),
    "more frames than pixels": ({"NumberOfFrames": 40, "SliceVector": None}, "truncated or damaged"),
    "rescale slope of zero": ({"RescaleSlope": "0"}, "truncated or damaged"),
    "all zeros": ({"PixelData": bytes(2 * 48 * 40 * 36)}, "all its voxels are zero"),
    "NaN": (
        {"numbers": "<f4", "FloatPixelData": np.full(48 * 40 * 36, np.nan, "<f4").tobytes()},
        "not finite",
    ),
}


@pytest.mark.parametrize("options", PLACED.values(), ids=PLACED.keys())
def test_marker_is_found_where_it_was_put(options, tmp_path):
    scan = read_scan(factory.save(factory.nm_dataset(**options), tmp_path / "scan.dcm"))
    assert_marker(scan)
    assert scan.warnings == ()
    assert scan.format == "DICOM NM"


def test_byte_pixels(tmp_path):
    scan = read_scan(factory.save(factory.nm_dataset(numbers="u1", slope=200.0), tmp_path / "scan.dcm"))
    assert_marker(scan, tolerance=0.05)  # 200 steps of gray place the marker less finely


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES.keys())
def test_transfer_syntaxes_that_numpy_decodes(syntax, tmp_path):
    dataset = factory.nm_dataset(numbers=">u2" if syntax == ExplicitVRBigEndian else "<u2")
    assert_marker(read_scan(factory.save(dataset, tmp_path / "scan.dcm", syntax)))


def test_a_file_without_preamble_and_meta_information(tmp_path):
    dataset = factory.nm_dataset()
    pydicom.dcmwrite(tmp_path / "scan.dcm", without_meta(dataset), implicit_vr=True, little_endian=True)
    assert_marker(read_scan(tmp_path / "scan.dcm"))


def test_the_voxels_keep_the_order_of_the_file(tmp_path):
    up = read_scan(factory.save(factory.nm_dataset(), tmp_path / "up.dcm"))
    down = read_scan(factory.save(factory.nm_dataset(slice_spacing=-3.8), tmp_path / "down.dcm"))
    assert (orientation_letters(up.affine), orientation_letters(down.affine)) == ("LPS", "LPI")
    assert up.voxels.shape == factory.SHAPE
    assert up.voxels.dtype == np.float32
    # The stack around the origin is the same turned upside down, up to the rounding of the positions.
    np.testing.assert_allclose(up.voxels, down.voxels[:, :, ::-1], atol=2)


def test_rescale_gives_the_counts(tmp_path):
    scan = read_scan(factory.save(factory.nm_dataset(slope=0.8, intercept=-20.0), tmp_path / "scan.dcm"))
    plain = read_scan(factory.save(factory.nm_dataset(), tmp_path / "plain.dcm"))
    np.testing.assert_allclose(scan.voxels, plain.voxels, atol=1.0)
    assert plain.voxels.max() > 0.9 * factory.MARKER_COUNTS


@pytest.mark.parametrize("position", POSITIONED)
def test_without_orientation_the_patient_position_decides(position, tmp_path):
    dataset = factory.nm_dataset(orientation=POSITIONED[position], PatientPosition=position)
    del dataset.DetectorInformationSequence[0].ImageOrientationPatient
    scan = read_scan(factory.save(dataset, tmp_path / "scan.dcm"))
    assert_marker(scan)
    posture = {"H": "head", "F": "feet"}[position[0]] + " first, " + {"S": "supine", "P": "prone"}[position[2]]
    assert len(scan.warnings) == 1
    assert f"no orientation: taken as axial slices, {posture}; check" in scan.warnings[0]


@pytest.mark.parametrize(
    ("codes", "position"),
    [(FEET_FIRST, "FFS"), (PRONE, "HFP"), (FEET_FIRST | PRONE, "FFP"), (NOTHING, "HFS")],
    ids=["feet first by code", "prone by code", "feet first and prone by code", "nothing stated"],
)
def test_without_patient_position_nuclear_medicines_codes_decide(codes, position, tmp_path):
    dataset = factory.nm_dataset(orientation=POSITIONED[position], PatientPosition=None, **codes)
    del dataset.DetectorInformationSequence[0].ImageOrientationPatient
    assert_marker(read_scan(factory.save(dataset, tmp_path / "scan.dcm")))


def test_an_orientation_of_zeros_counts_as_missing(tmp_path):
    dataset = factory.nm_dataset(geometry="top", ImageOrientationPatient=[0] * 6)
    scan = read_scan(factory.save(dataset, tmp_path / "scan.dcm"))
    assert_marker(scan)
    assert "no orientation" in scan.warnings[0]


def test_without_position_the_middle_is_the_origin(tmp_path):
    dataset = factory.nm_dataset(orientation=OBLIQUE, position=(-80, -90, -60))
    del dataset.DetectorInformationSequence[0].ImagePositionPatient
    scan = read_scan(factory.save(dataset, tmp_path / "scan.dcm"))
    np.testing.assert_allclose(
        scan.affine[:3, :3] @ ((np.array(factory.SHAPE) - 1) / 2) + scan.affine[:3, 3], 0, atol=1e-9
    )
    assert "no position" in scan.warnings[0]


def test_without_orientation_and_position_both_are_warned_of(tmp_path):
    scan = read_scan(factory.save(factory.nm_dataset(geometry="nowhere"), tmp_path / "scan.dcm"))
    assert_marker(scan)  # the factory centers by default
    assert ["no orientation" in scan.warnings[0], "no position" in scan.warnings[1]] == [True, True]


def test_without_spacing_the_slice_thickness_is_taken_upwards(tmp_path):
    scan = read_scan(factory.save(factory.nm_dataset(SpacingBetweenSlices=None), tmp_path / "scan.dcm"))
    assert_marker(scan)
    assert scan.warnings == (
        "Spacing Between Slices is missing: the slice thickness of 3.8 mm is taken; check that top is up.",
    )


@pytest.mark.parametrize(("options", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(options, sentence, tmp_path):
    path = factory.save(factory.nm_dataset(**options), tmp_path / "file.dcm")
    assert sentence in refusal(path)


@pytest.mark.parametrize(
    ("syntax", "named"),
    [
        (JPEG2000Lossless, "JPEG 2000"),
        (JPEGLosslessSV1, "JPEG Lossless"),
        (JPEGLSLossless, "JPEG-LS"),
        (JPEGBaseline8Bit, "JPEG Baseline"),
        (DeflatedExplicitVRLittleEndian, "Deflated"),
    ],
    ids=["JPEG 2000", "JPEG Lossless", "JPEG-LS", "JPEG Baseline", "deflated"],
)
def test_other_compressions_are_refused_by_name(syntax, named, tmp_path):
    dataset = factory.nm_dataset()
    if syntax != DeflatedExplicitVRLittleEndian:
        dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51"] * factory.SHAPE[2])
        dataset["PixelData"].is_undefined_length = True
    sentence = refusal(factory.save(dataset, tmp_path / "file.dcm", syntax))
    assert f"is compressed ({named}" in sentence


def test_a_deflate_bomb_is_refused_before_it_inflates(tmp_path):
    dataset = factory.nm_dataset(shape=(512, 512, 20))
    dataset.PixelData = bytes(2 * 512 * 512 * 20)
    path = factory.save(dataset, tmp_path / "bomb.dcm", DeflatedExplicitVRLittleEndian)
    assert path.stat().st_size < 50_000
    assert "Deflated" in refusal(path)


def test_dicomdir_is_refused(tmp_path):
    path = factory.save(factory.nm_dataset(sop_class="1.2.840.10008.1.3.10"), tmp_path / "DICOMDIR")
    assert "is an index of a medium (DICOMDIR)" in refusal(path)


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.99], ids=lambda kept: f"{kept:.0%} of the file")
def test_truncated_files_are_refused(kept, tmp_path):
    data = factory.save(factory.nm_dataset(), tmp_path / "file.dcm").read_bytes()
    (tmp_path / "file.dcm").write_bytes(data[: int(kept * len(data))])
    assert "truncated or damaged" in refusal(tmp_path / "file.dcm")


def test_elements_behind_the_pixels_change_nothing(tmp_path):
    """pydicom lets the last of repeated elements win: exchanged rows and columns would scramble the image."""
    path = factory.save(factory.nm_dataset(), tmp_path / "file.dcm")
    columns, rows, _ = factory.SHAPE
    exchanged = [
        b"\x28\0\x10\0US\x02\0" + columns.to_bytes(2, "little"),
        b"\x28\0\x11\0US\x02\0" + rows.to_bytes(2, "little"),
    ]
    path.write_bytes(path.read_bytes() + b"".join(exchanged))
    assert pydicom.dcmread(path).Rows == columns
    assert "truncated or damaged" in refusal(path)


# --- one file for each slice ------------------------------------------------------------------------------

SLICED = {
    "positions decide, not names": {},
    "stacked downwards": {"slice_spacing": -3.8},
    "oblique slices": {"orientation": OBLIQUE},
    "positions in the detector item": {"geometry": "detector"},
    "each slice with its own rescale slope": {"slopes": np.linspace(1.0, 3.0, factory.SHAPE[2])},
    "spacing in the header is wrong": {"SpacingBetweenSlices": "77"},
}


@pytest.mark.parametrize("options", SLICED.values(), ids=SLICED.keys())
def test_slices_in_a_folder(options, tmp_path):
    folder = save_slices(factory.nm_slices(**options), tmp_path / "series")
    scan = read_scan(folder)
    assert_marker(scan, tolerance=0.02 if "slopes" in options else TOLERANCE_MM)
    assert (scan.warnings, scan.path) == ((), folder)


@pytest.mark.parametrize("kept", [True, False], ids=["all positions those of the first", "no positions"])
def test_slices_without_own_positions_go_by_instance_number(kept, tmp_path):
    slices = factory.nm_slices()
    first = slices[0].ImagePositionPatient
    for dataset in slices:
        factory.change(dataset, ImagePositionPatient=first if kept else None)
    scan = read_scan(save_slices(slices, tmp_path / "series"))
    assert_marker(scan)
    assert len(scan.warnings) == (0 if kept else 1)


SLICES_REFUSED = {
    "a slice lost": (lambda slices: slices[:10] + slices[11:], "uneven positions, so one is missing"),
    "another slice at the same position": (
        lambda slices: [*slices, brighter(factory.nm_slices()[7])],
        "several slices at the same position",
    ),
    "other matrix": (lambda slices: [*slices[:-1], resized(slices[-1])], "slices of different size"),
    "other pixel spacing": (lambda slices: [*slices[:-1], rescaled(slices[-1])], "slices of different size"),
    "other orientation": (lambda slices: [*slices[:-1], turned(slices[-1])], "different size or orientation"),
    "too few": (lambda slices: slices[:19], "too few slices (48 x 40 x 19)"),
    "only one": (lambda slices: slices[:1], "single slice"),
}


@pytest.mark.parametrize(("spoil", "sentence"), SLICES_REFUSED.values(), ids=SLICES_REFUSED.keys())
def test_slices_refused(spoil, sentence, tmp_path):
    slices = factory.nm_slices()
    series = slices[0].SeriesInstanceUID
    slices = spoil(slices)
    for dataset in slices:
        dataset.SeriesInstanceUID = series
    assert sentence in refusal(save_slices(slices, tmp_path / "series"))


def test_one_slice_of_a_series_asks_for_its_folder(tmp_path):
    folder = save_slices(factory.nm_slices(), tmp_path / "series")
    assert "give the folder with all slices" in refusal(sorted(folder.iterdir())[0])


def test_two_series_in_a_folder_are_told_apart_by_their_number(tmp_path):
    first, second = factory.nm_slices(), factory.nm_slices(slice_spacing=-3.0)
    folder = save_slices([*first, *second], tmp_path / "both")
    assert "holds 2 DICOM scans" in refusal(folder)
    assert_marker(read_scan(folder, first[0].SeriesInstanceUID))
    scan = read_scan(folder, second[0].SeriesInstanceUID)
    assert_marker(scan)
    assert scan.affine[2, 2] == pytest.approx(3.0)


def test_a_folder_with_other_series_of_the_study_gives_the_reconstruction(tmp_path):
    scan = factory.nm_dataset()
    study = {"StudyInstanceUID": scan.StudyInstanceUID}
    factory.save(factory.nm_dataset(modality="CT", **study), tmp_path / "1.dcm")
    factory.save(factory.nm_dataset(image_type=("ORIGINAL", "PRIMARY", "TOMO"), **study), tmp_path / "2.dcm")
    factory.save(scan, tmp_path / "3.dcm")
    (tmp_path / "notes.txt").write_text("not a scan")
    assert_marker(read_scan(tmp_path))


def test_a_folder_without_any_scan(tmp_path):
    assert "holds no DICOM scan" in refusal(tmp_path)


# --- what the header tells --------------------------------------------------------------------------------


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


def refusal(path) -> str:
    """The one sentence that reading ends with; it names the file and nothing above it."""
    with pytest.raises(DaTscanError) as caught:
        read_scan(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path.name} ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert str(path.parent) not in sentence
    return sentence


def assert_marker(scan, tolerance=TOLERANCE_MM):
    np.testing.assert_allclose(factory.marker_place(scan.voxels, scan.affine), factory.MARKER_RAS, atol=tolerance)


def save_slices(slices, folder) -> Path:
    """Slices under shuffled names."""
    folder.mkdir()
    names = np.random.default_rng(1).permutation(len(slices))
    for name, dataset in zip(names, slices, strict=True):
        factory.save(dataset, folder / f"IM{name:04d}")
    return folder


def brighter(dataset):
    factory.set_pixels(dataset, dataset.pixel_array + 7.0, "<u2")
    return dataset


def resized(dataset):
    factory.set_pixels(dataset, np.ones((64, 64)), "<u2")
    return dataset


def rescaled(dataset):
    dataset.PixelSpacing = ["2", "2"]
    return dataset


def turned(dataset):
    dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    return dataset


def without_meta(dataset):
    bare = pydicom.Dataset()
    bare.update(dataset)
    return bare
