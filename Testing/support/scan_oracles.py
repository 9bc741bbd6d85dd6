"""Scans of the formats beside what nibabel and SimpleITK read, and the sentence of a refusal."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from dicom_factory import MARKER_RAS, marker_place
from volume_factory import affine_of, marker_volume

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.scan import read_scan

AFFINES = {
    "RAS": affine_of(),
    "LPS": affine_of("LPS"),
    "LAS, as radiology stores": affine_of("LAS"),
    "LAI, upside down": affine_of("LAI"),
    "axes permuted: PSR": affine_of("PSR"),
    "oblique": affine_of("RAS", (10, -15, 20)),
    "oblique and mirrored": affine_of("LAS", (-8, 5, 30)),
    "sheared": affine_of("RAS", (5, 0, 0), shear=0.1),
}


def save_nifti(path, affine=None, kind=nibabel.Nifti1Image) -> Path:
    affine = affine_of() if affine is None else affine
    nibabel.save(kind(marker_volume(affine), affine), path)
    return path


def assert_marker(scan, tolerance=1e-3):
    """The factories' marker lies where it was put, to so many mm."""
    np.testing.assert_allclose(marker_place(scan.voxels, scan.affine), MARKER_RAS, atol=tolerance)


def refusal(path) -> str:
    """The one sentence that reading ends with; it names the file and nothing above it."""
    with pytest.raises(DaTscanError) as caught:
        read_scan(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path.name} ") or path.suffix == ".img"
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert str(path.parent) not in sentence
    return sentence
