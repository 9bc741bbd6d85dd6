"""DICOM files that cannot be used: each gets a sentence."""

import dicom_factory as factory
import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
)
from scan_oracles import refusal

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
