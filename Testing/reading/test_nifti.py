"""NIfTI beside nibabel."""

import nibabel
import numpy as np
import pytest
from scan_oracles import AFFINES, assert_marker, save_nifti
from volume_factory import SHAPE, affine_of, marker_volume, patched

from DaTscanAILib.reading.scan import read_scan


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES.keys())
@pytest.mark.parametrize("kind", ["NIfTI-1", "NIfTI-2", "NIfTI-1 gz"])
def test_nifti_sform_as_nibabel_reads_it(affine, kind, tmp_path):
    path = tmp_path / ("scan.nii.gz" if kind.endswith("gz") else "scan.nii")
    save_nifti(path, affine, nibabel.Nifti2Image if kind == "NIfTI-2" else nibabel.Nifti1Image)
    assert_as_nibabel(path)


@pytest.mark.parametrize("name", [name for name in AFFINES if name != "sheared"])
def test_nifti_qform_alone_as_nibabel_reads_it(name, tmp_path):
    image = nibabel.Nifti1Image(marker_volume(AFFINES[name]), None)
    image.set_qform(AFFINES[name], code=1)
    nibabel.save(image, tmp_path / "scan.nii")
    assert_as_nibabel(tmp_path / "scan.nii")


@pytest.mark.parametrize("byte_order", ["<", ">"], ids=["little endian", "big endian"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_nifti_numbers_as_nibabel_reads_them(dtype, byte_order, tmp_path):
    dtype = np.dtype(dtype).newbyteorder(byte_order)
    voxels = np.clip(marker_volume(affine_of()), 0, 100).astype(dtype)
    header = nibabel.Nifti1Header(endianness=byte_order)
    header.set_data_dtype(dtype)
    nibabel.save(nibabel.Nifti1Image(voxels, affine_of(), header, dtype=dtype), tmp_path / "scan.nii")
    assert nibabel.load(tmp_path / "scan.nii").get_data_dtype() == dtype
    assert_as_nibabel(tmp_path / "scan.nii", marker=False)


def test_nifti_slope_and_intercept(tmp_path):
    image = nibabel.Nifti1Image(marker_volume(affine_of(), dtype=np.int16) // 2, affine_of())
    image.header.set_slope_inter(0.25, -3.0)
    nibabel.save(image, tmp_path / "scan.nii")
    assert_as_nibabel(tmp_path / "scan.nii", marker=False)
    plain = read_scan(save_nifti(tmp_path / "plain.nii"))
    patched(tmp_path / "plain.nii", "<2f", 112, 0.0, np.nan)  # a slope of 0 means none
    np.testing.assert_array_equal(read_scan(tmp_path / "plain.nii").voxels, plain.voxels)


@pytest.mark.parametrize(
    ("code", "factor"), [(1, 0.001), (3, 1000.0), (0, 1.0)], ids=["metre", "micrometre", "unknown"]
)
def test_nifti_units(code, factor, tmp_path):
    affine = np.diag([factor, factor, factor, 1]) @ affine_of()
    path = patched(save_nifti(tmp_path / "scan.nii", affine), "<B", 123, code)
    path.write_bytes(path.read_bytes()[:352] + marker_volume(affine_of()).tobytes(order="F"))
    np.testing.assert_allclose(read_scan(path).affine, affine_of(), atol=1e-4)


def test_nifti_pair_by_either_file(tmp_path):
    nibabel.save(nibabel.Nifti1Pair(marker_volume(affine_of()), affine_of()), tmp_path / "scan.hdr")
    assert_marker(read_scan(tmp_path / "scan.hdr"))
    assert_marker(read_scan(tmp_path / "scan.img"))


def test_nifti_sform_wins_over_a_qform_that_disagrees(tmp_path):
    image = nibabel.load(save_nifti(tmp_path / "scan.nii"))
    agreeing = read_scan(tmp_path / "scan.nii")
    image.set_qform(affine_of("LAS"), code=1)
    nibabel.save(image, tmp_path / "conflict.nii")
    scan = read_scan(tmp_path / "conflict.nii")
    np.testing.assert_array_equal(scan.affine, agreeing.affine)
    assert agreeing.warnings == ()
    assert scan.warnings == (
        "The header states two orientations that disagree (sform and qform): "
        "the sform is used; check left and right.",
    )


@pytest.mark.parametrize("shape", [(*SHAPE, 1), (*SHAPE, 1, 1)], ids=["4D", "5D"])
def test_nifti_of_one_volume_in_more_dimensions(shape, tmp_path):
    voxels = marker_volume(affine_of()).reshape(shape)
    nibabel.save(nibabel.Nifti1Image(voxels, affine_of()), tmp_path / "scan.nii.gz")
    assert_marker(read_scan(tmp_path / "scan.nii.gz"))


def assert_as_nibabel(path, marker=True):
    scan, oracle = read_scan(path), nibabel.load(path)
    np.testing.assert_allclose(scan.affine, oracle.affine, atol=1e-5)
    np.testing.assert_allclose(scan.voxels, oracle.get_fdata(), rtol=1e-6)
    assert scan.voxels.dtype == np.float32
    assert scan.warnings == ()
    if marker:
        assert_marker(scan)
