"""Volumes that cannot be used: each gets a sentence; and what is allowed all the same."""

import gzip
import os
import resource

import nibabel
import numpy as np
import pytest
import SimpleITK
from scan_oracles import refusal, save_nifti
from volume_factory import affine_of, itk_image, marker_volume, patched

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.scan import read_scan


def with_voxels(change):
    def make(folder):
        voxels = marker_volume(affine_of())
        nibabel.save(nibabel.Nifti1Image(change(voxels), affine_of()), folder / "scan.nii.gz")
        return folder / "scan.nii.gz"

    return make


def with_field(layout, offset, *values):
    return lambda folder: patched(save_nifti(folder / "scan.nii.gz"), layout, offset, *values)


def with_shape(shape, dtype=np.float32):
    def make(folder):
        nibabel.save(nibabel.Nifti1Image(np.ones(shape, dtype), affine_of()), folder / "scan.nii.gz")
        return folder / "scan.nii.gz"

    return make


def with_affine(affine):
    return lambda folder: save_nifti(folder / "scan.nii.gz", affine)


def with_bytes(name, data):
    def make(folder):
        (folder / name).write_bytes(data)
        return folder / name

    return make


def with_itk(suffix, old=b"", new=b"", image=None):
    def make(folder):
        path = folder / f"scan{suffix}"
        SimpleITK.WriteImage(
            itk_image(marker_volume(affine_of()), affine_of()) if image is None else image, path, False
        )
        assert old in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(old, new, 1) if old else path.read_bytes())
        return path

    return make


def cut_short(suffix, kept):
    def make(folder):
        path = folder / f"scan{suffix}"
        SimpleITK.WriteImage(itk_image(marker_volume(affine_of()), affine_of()), path, True)
        path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
        return path

    return make


def analyze_file(folder):
    nibabel.save(nibabel.AnalyzeImage(marker_volume(affine_of()), affine_of()), folder / "scan.hdr")
    return folder / "scan.hdr"


def analyze_image(folder):
    analyze_file(folder)
    return folder / "scan.img"


def bad_checksum(suffix, voxels):
    """The last byte of the stream belongs to its checksum (zlib) or length (gzip)."""

    def make(folder):
        path = folder / f"scan{suffix}"
        SimpleITK.WriteImage(itk_image(voxels, affine_of()), path, True)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        return path

    return make


def gzip_bomb(shape):
    """A header that declares far more than its few bytes of zeros would be worth."""

    def make(folder):
        path = save_nifti(folder / "scan.nii.gz")
        header = gzip.decompress(path.read_bytes())[:352]
        with gzip.open(path, "wb") as file:
            file.write(header + bytes(50_000_000))
        return patched(path, "<3h", 42, *shape)

    return make


def pipe(folder):
    os.mkfifo(folder / "pipe.nii")
    return folder / "pipe.nii"


NRRD_LIST = b"encoding: raw\ndata file: LIST"
REFUSED = {
    "NaN": (with_voxels(lambda v: np.where(v > 100, np.nan, v)), "not finite (NaN or infinity)"),
    "infinity": (with_voxels(lambda v: np.where(v > 100, np.inf, v)), "not finite (NaN or infinity)"),
    "all zeros": (with_voxels(lambda v: 0 * v), "all its voxels are zero"),
    "constant": (with_voxels(lambda v: 0 * v + 7), "is constant"),
    "mostly negative": (with_voxels(lambda v: v - 1000), "mostly negative values"),
    "values of 1e30": (with_voxels(lambda v: v * np.float32(1e26)), "out of any camera's range"),
    "values of 1e-30": (with_voxels(lambda v: v * np.float32(1e-34)), "out of any camera's range"),
    "double beyond float": (with_voxels(lambda v: v.astype(float) * 1e200), "not finite (NaN or infinity)"),
    "2D": (with_shape((30, 30)), "is a 2D image (30 x 30 x 1)"),
    "one slice": (with_shape((30, 30, 1)), "is a 2D image (30 x 30 x 1)"),
    "19 slices": (with_shape((30, 30, 19)), "too few slices (30 x 30 x 19)"),
    "513 rows": (with_shape((30, 513, 30), np.uint8), "30 x 513 x 30 voxels, more than any SPECT"),
    "several volumes": (with_shape((30, 30, 30, 3), np.uint8), "holds 3 volumes or values per voxel"),
    "vector": (with_shape((30, 30, 30, 1, 3), np.uint8), "holds 3 volumes or values per voxel"),
    "complex": (with_shape((30, 30, 30), np.complex64), "stores complex numbers"),
    "RGB": (
        with_shape((30, 30, 30), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])),
        "stores color numbers",
    ),
    "voxels of 9 mm": (with_affine(affine_of(spacing=(9, 3, 3))), "voxels of 9 x 3 x 3 mm, outside 0.5-8 mm"),
    "voxels of 0.4 mm": (
        with_affine(affine_of(spacing=(3, 3, 0.4))),
        "voxels of 3 x 3 x 0.4 mm, outside 0.5-8 mm",
    ),
    "flattened axes": (with_affine(affine_of(shear=3.0)), "axes far from perpendicular"),
    "NaN in the sform": (with_field("<f", 280, np.nan), "no usable orientation (its matrix is not finite)"),
    "origin far away": (with_field("<f", 292, 1e30), "no usable orientation (its matrix is not finite)"),
    "NaN in the qform": (
        with_field("<2h3f", 252, 1, 0, np.nan, 0, 0),
        "no usable orientation (its matrix is not finite)",
    ),
    "neither sform nor qform": (with_field("<2h", 252, 0, 0), "no orientation (neither sform nor qform)"),
    "sform of zeros": (with_field("<12f", 280, *[0.0] * 12), "voxels of 0 x 0 x 0 mm"),
    "Analyze 7.5 header": (
        analyze_file,
        "no orientation (Analyze 7.5 format), so left and right are unknown",
    ),
    "Analyze 7.5 image": (
        analyze_image,
        "no orientation (Analyze 7.5 format), so left and right are unknown",
    ),
    "unknown number type": (with_field("<h", 70, 77), "truncated or damaged"),
    "dimension count of 99": (with_field("<h", 40, 99), "truncated or damaged"),
    "negative dimension": (with_field("<h", 42, -30), "truncated or damaged"),
    "data offset of 1e30": (with_field("<f", 108, 1e30), "truncated or damaged"),
    "data offset of NaN": (with_field("<f", 108, np.nan), "truncated or damaged"),
    "data offset of 1 GB": (with_field("<f", 108, 1e9), "truncated or damaged"),
    "declares more than it holds": (with_field("<h", 46, 40), "truncated or damaged"),
    "gzip bomb beyond the limit": (gzip_bomb((32767, 32767, 32767)), "32767 x 32767 x 32767 voxels"),
    "gzip bomb within the edges": (gzip_bomb((512, 512, 512)), "512 x 512 x 512 voxels, more than any SPECT"),
    "wrong gzip checksum": (bad_checksum(".nii.gz", marker_volume(affine_of())), "truncated or damaged"),
    "wrong NRRD checksum, whole blocks": (
        bad_checksum(".nrrd", np.eye(32, dtype="f4")[None].repeat(32, 0)),
        "truncated or damaged",
    ),
    "wrong zlib checksum": (bad_checksum(".mha", marker_volume(affine_of())), "truncated or damaged"),
    "half a .nii.gz": (cut_short(".nii.gz", 0.5), "truncated or damaged"),
    "half a .nrrd": (cut_short(".nrrd", 0.5), "truncated or damaged"),
    "half a .mha": (cut_short(".mha", 0.5), "truncated or damaged"),
    "a tenth of a .nii": (cut_short(".nii", 0.1), "truncated or damaged"),
    "headers only of a .nii": (with_bytes("scan.nii", b"\x5c\x01\0\0" + bytes(100)), "truncated or damaged"),
    "empty file": (with_bytes("scan.nii.gz", b""), "is an empty file"),
    "text": (with_bytes("scan.nii", b"hello, world\n" * 30), "is no scan that can be read"),
    "PNG": (with_bytes("scan.png", b"\x89PNG\r\n\x1a\n" + bytes(200)), "is no scan that can be read"),
    "gzip of text": (with_bytes("scan.nii.gz", gzip.compress(b"hello" * 99)), "is no scan that can be read"),
    "gzip header alone": (with_bytes("scan.nii.gz", b"\x1f\x8b\x08\0\0\0"), "is no scan that can be read"),
    "DICOM suffix, other content": (with_bytes("scan.dcm", b"hello" * 99), "is no scan that can be read"),
    "missing file": (lambda folder: folder / "gone.nii", "cannot be opened (No such file or directory)"),
    "a pipe": (pipe, "is neither a file nor a folder"),
    "NRRD without space": (
        with_itk(".nrrd", b"space: left-posterior-superior\n"),
        "no orientation (no anatomical space)",
    ),
    "NRRD without directions": (
        with_itk(".nrrd", b"space directions:", b"xspace directions:"),
        "no orientation (no space directions)",
    ),
    "NRRD direction of NaN": (with_itk(".nrrd", b"(-4,0,0)", b"(nan,0,0)"), "no usable orientation"),
    "NRRD in bzip2": (
        with_itk(".nrrd", b"encoding: raw", b"encoding: bzip2"),
        "another encoding than raw or gzip",
    ),
    "NRRD list of files": (with_itk(".nrrd", b"encoding: raw", NRRD_LIST), "uses a list of data files"),
    "NRRD data elsewhere": (
        with_itk(".nrrd", b"encoding: raw", b"encoding: raw\ndata file: ../x.raw"),
        "data file outside its own folder",
    ),
    "NRRD data by full path": (
        with_itk(".nrrd", b"encoding: raw", b"encoding: raw\ndata file: /etc/passwd"),
        "data file outside its own folder",
    ),
    "NRRD data missing": (
        with_itk(".nrrd", b"encoding: raw", b"encoding: raw\ndata file: x.raw"),
        "has lost its data file",
    ),
    "NRRD of huge sizes": (
        with_itk(".nrrd", b"sizes: 30", b"sizes: 300000000"),
        "300000000 x 34 x 26 voxels",
    ),
    "NRRD vector": (
        with_itk(".nrrd", image=SimpleITK.Image([30, 30, 30], SimpleITK.sitkVectorFloat32, 3)),
        "3 volumes or values per voxel",
    ),
    "MHA vector": (
        with_itk(".mha", image=SimpleITK.Image([30, 30, 30], SimpleITK.sitkVectorFloat32, 3)),
        "3 volumes or values per voxel",
    ),
    "MHA without matrix": (
        with_itk(".mha", b"TransformMatrix", b"TransformMatrux"),
        "no orientation (no TransformMatrix)",
    ),
    "MHA as text": (
        with_itk(".mha", b"BinaryData = True", b"BinaryData = False"),
        "uses numbers written as text",
    ),
    "MHA data elsewhere": (
        with_itk(".mha", b"= LOCAL", b"= ../../x.raw"),
        "data file outside its own folder",
    ),
    "MHA data by full path": (
        with_itk(".mha", b"= LOCAL", b"= /etc/passwd"),
        "data file outside its own folder",
    ),
    "MHA pattern of files": (with_itk(".mha", b"= LOCAL", b"= x%03d.raw 1 9 1"), "uses a list of data files"),
    "MHA of huge sizes": (
        with_itk(".mha", b"DimSize = 30", b"DimSize = 99999999"),
        "99999999 x 34 x 26 voxels",
    ),
    "MHA of unknown type": (with_itk(".mha", b"MET_FLOAT", b"MET_BLOAT"), "truncated or damaged"),
    "MHA header without end": (
        with_itk(".mha", b"ElementDataFile", b"ElementDataFine"),
        "truncated or damaged",
    ),
}


@pytest.mark.parametrize(("make", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(make, sentence, tmp_path):
    assert sentence in refusal(make(tmp_path))


def test_memory_stays_small_for_a_bomb_just_under_the_limit(tmp_path):
    """400 x 400 x 400 declared and 50 MB there: what is allocated is what the header declares, no more."""
    path = gzip_bomb((400, 400, 400))(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "truncated or damaged" in refusal(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    path = save_nifti(tmp_path / "scan.nii")
    path.chmod(0)
    assert "cannot be opened (Permission denied)" in refusal(path)


def test_the_sentence_is_printable_whatever_the_file_is_called(tmp_path):
    path = tmp_path / "a\nb\x1b[31m.nii"
    path.write_bytes(b"")
    with pytest.raises(DaTscanError, match="is an empty file") as caught:
        read_scan(path)
    assert str(caught.value).startswith("a?b?[31m.nii ")


def test_negative_values_of_filtered_backprojection_stay(tmp_path):
    voxels = marker_volume(affine_of())
    voxels -= np.float32(0.2) * voxels.sum() / voxels.size
    nibabel.save(nibabel.Nifti1Image(voxels, affine_of()), tmp_path / "scan.nii")
    scan = read_scan(tmp_path / "scan.nii")
    np.testing.assert_array_equal(scan.voxels, voxels)
    assert (scan.voxels.min() < 0, scan.warnings) == (True, ())


def test_a_matrix_of_512(tmp_path):
    voxels = np.zeros((512, 512, 20), np.uint8)
    voxels[200, 300, 10] = 9
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([0.5, 0.5, 8.0, 1])), tmp_path / "scan.nii.gz")
    assert read_scan(tmp_path / "scan.nii.gz").voxels[200, 300, 10] == 9


def test_the_content_counts_and_not_the_suffix(tmp_path):
    save_nifti(tmp_path / "scan.nii.gz").rename(tmp_path / "scan.dat")
    assert read_scan(tmp_path / "scan.dat").format == "NIfTI"
