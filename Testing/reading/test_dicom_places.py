"""DICOM NM files: the marker lies where the header puts it, whatever the header leaves out."""

import dicom_factory as factory
import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)
from scan_oracles import assert_marker, refusal

from DaTscanAILib.reading.scan import orientation_letters, read_scan

NOTHING = {}
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
    "oblique": {"orientation": factory.OBLIQUE},
    "oblique with negative spacing": {"orientation": factory.OBLIQUE, "slice_spacing": -3.8},
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
    dataset = factory.nm_dataset(orientation=factory.OBLIQUE, position=(-80, -90, -60))
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


def without_meta(dataset):
    bare = pydicom.Dataset()
    bare.update(dataset)
    return bare
