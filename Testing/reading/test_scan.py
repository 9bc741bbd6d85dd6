"""NIfTI, NRRD and MetaImage: geometry beside nibabel and SimpleITK, content checks, refusals, writing."""

import gzip
import hashlib
import json
import os
import resource
import signal
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from dicom_factory import MARKER_RAS, marker_place
from volume_factory import SHAPE, affine_of, itk_affine, itk_image, marker_volume, patched

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.mni.geometry import resample
from DaTscanAILib.reading.scan import orientation_letters, read_scan, write_volume

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
TEMPLATES = Path(__file__).resolve().parents[2] / "Resources" / "Templates"
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
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not part of the repository")


# --- NIfTI beside nibabel ---------------------------------------------------------------------------------


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


# --- NRRD and MetaImage beside SimpleITK ------------------------------------------------------------------


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES.keys())
@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("compressed", [True, False], ids=["compressed", "raw"])
def test_nrrd_and_metaimage_as_simpleitk_reads_them(affine, suffix, compressed, tmp_path):
    path = tmp_path / f"scan{suffix}"
    SimpleITK.WriteImage(itk_image(marker_volume(affine), affine), path, compressed)
    assert_as_simpleitk(path)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64, np.float64]
)
def test_nrrd_and_metaimage_numbers(suffix, dtype, tmp_path):
    voxels = np.clip(marker_volume(affine_of()), 0, 100).astype(dtype)
    SimpleITK.WriteImage(itk_image(voxels, affine_of()), tmp_path / f"scan{suffix}")
    assert_as_simpleitk(tmp_path / f"scan{suffix}", marker=False)


@pytest.mark.parametrize(
    ("suffix", "little", "big"),
    [
        (".nrrd", b"endian: little", b"endian: big"),
        (".mha", b"BinaryDataByteOrderMSB = False", b"BinaryDataByteOrderMSB = True"),
    ],
    ids=["NRRD", "MetaImage"],
)
def test_big_endian(suffix, little, big, tmp_path):
    path = tmp_path / f"scan{suffix}"
    voxels = marker_volume(affine_of())
    SimpleITK.WriteImage(itk_image(voxels, affine_of()), path, False)
    data = path.read_bytes()
    header = data[: len(data) - voxels.nbytes]
    assert little in header
    path.write_bytes(header.replace(little, big) + voxels.astype(">f4").tobytes(order="F"))
    assert_marker(read_scan(path))


@pytest.mark.parametrize("space", ["right-anterior-superior", "RAS", "left-anterior-superior", "LPS"])
def test_nrrd_spaces(space, tmp_path):
    signs = {"r": 1, "l": -1, "a": 1, "p": -1}
    letters = [part[0] for part in space.lower().split("-")] if "-" in space else list(space.lower())
    flip = np.diag([signs[letters[0]], signs[letters[1]], 1.0, 1.0])
    path = tmp_path / "scan.nrrd"
    write_volume(path, marker_volume(affine_of()), flip @ affine_of())
    path.write_bytes(path.read_bytes().replace(b"right-anterior-superior", space.encode()))
    assert_marker(read_scan(path))


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_nrrd_and_metaimage_of_one_volume_in_4d(suffix, tmp_path):
    voxels, path = marker_volume(affine_of()), tmp_path / f"scan{suffix}"
    SimpleITK.WriteImage(itk_image(voxels, affine_of()), path, False)
    data = path.read_bytes()
    header, pixels = data[: len(data) - voxels.nbytes], data[len(data) - voxels.nbytes :]
    path.write_bytes(four_dimensional(header, suffix, 1) + pixels)
    assert_marker(read_scan(path))
    path.write_bytes(four_dimensional(header, suffix, 2) + pixels + pixels)
    assert "holds 2 volumes or values per voxel" in refusal(path)


# --- the same scan through every format -------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in AFFINES if name != "sheared"])
def test_the_same_scan_in_every_format(name, tmp_path):
    affine = AFFINES[name]
    voxels = marker_volume(affine)
    write_volume(tmp_path / "ours.nii.gz", voxels, affine)
    write_volume(tmp_path / "ours.nrrd", voxels, affine)
    for suffix in (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"):
        SimpleITK.WriteImage(itk_image(voxels, affine), tmp_path / f"itk{suffix}")
    paths = [*tmp_path.glob("ours*"), *tmp_path.glob("itk.[nm]*")]
    assert len(paths) == 8
    for path in paths:
        scan = read_scan(path)
        np.testing.assert_array_equal(scan.voxels, voxels)
        np.testing.assert_allclose(scan.affine, affine, atol=2e-5)  # NIfTI keeps float32
        assert_marker(scan)


@needs_samples
def test_a_sample_resaved_in_every_format(tmp_path):
    scan = read_scan(SAMPLES / "sample02.dcm")
    for suffix in (".nii", ".nii.gz", ".nrrd"):
        write_volume(tmp_path / f"sample{suffix}", scan.voxels, scan.affine)
        again = read_scan(tmp_path / f"sample{suffix}")
        np.testing.assert_array_equal(again.voxels, scan.voxels)
        np.testing.assert_allclose(again.affine, scan.affine, rtol=1e-6, atol=1e-5)
    SimpleITK.WriteImage(itk_image(scan.voxels, scan.affine), tmp_path / "sample.mha")
    np.testing.assert_allclose(read_scan(tmp_path / "sample.mha").affine, scan.affine, atol=1e-6)


# --- the samples, against their truth ---------------------------------------------------------------------

SAMPLE_FILES = sorted(path for path in SAMPLES.glob("sample*") if path.suffix != ".json")
FLIPS = [
    np.diag([1.0, -1, 1, 1]),
    np.diag([1.0, 1, -1, 1]),
]  # front to back, top to bottom: mirror symmetry hides x
PUTAMEN = {"left": 3, "right": 4}  # codes of quantification_regions_2mm.nii.gz


@needs_samples
@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.name)
def test_the_brain_of_a_sample_lies_where_the_truth_says(path):
    """Neither turned over nor 10 mm to any side does the scan fit the brain of the template as well."""
    scan, truth = read_scan(path), sample_truth(path)
    grid, brain, regions = template_grid()

    def likeness(moved):
        mni = on_mni_grid(scan, truth, moved @ grid)
        return np.corrcoef(np.minimum(mni, np.percentile(mni[brain], 75)).ravel(), brain.ravel())[0, 1]

    others = [*FLIPS, *(shift(axis, 10 * sign) for axis in range(3) for sign in (-1, 1))]
    assert likeness(np.eye(4)) > max(likeness(moved) for moved in others) + 0.01

    mni = on_mni_grid(scan, truth, grid)
    for code in (
        1,
        2,
        3,
        4,
    ):  # caudate and putamen, left and right: even in the worst sample hotter than the rest
        assert np.sort(mni[regions == code])[-625:].mean() > 1.5 * mni[regions == 5].mean()


@needs_samples
@pytest.mark.parametrize("name", ["sample05", "sample06", "sample10"])
def test_the_weaker_side_of_an_asymmetric_sample_is_the_one_the_truth_names(name):
    path = next(path for path in SAMPLE_FILES if path.name.startswith(name))
    truth = sample_truth(path)
    ratio = {
        side: sum(truth["true_specific_ratio"][f"put_{part}_{side}"] for part in ("ant", "post")) for side in "LR"
    }
    assert max(ratio.values()) > 1.3 * min(ratio.values())
    grid, _, regions = template_grid()
    mni = on_mni_grid(read_scan(path), truth, grid)
    left, right = (mni[regions == PUTAMEN[side]].mean() for side in ("left", "right"))
    assert (left > right) == (ratio["L"] > ratio["R"])


# --- refusals ---------------------------------------------------------------------------------------------


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


# --- what is allowed --------------------------------------------------------------------------------------


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


# --- orientation letters ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_orientation_letters_as_nibabel_gives_them(seed):
    generator = np.random.default_rng(seed)
    letters = np.array(["RL", "AP", "SI"])[generator.permutation(3)]
    axes = "".join(pair[generator.integers(2)] for pair in letters)
    affine = affine_of(axes, generator.uniform(-20, 20, 3))
    assert orientation_letters(affine) == axes == "".join(nibabel.aff2axcodes(affine))


# --- writing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("name", ["RAS", "oblique and mirrored"])
def test_written_volumes_as_simpleitk_and_nibabel_read_them(dtype, suffix, name, tmp_path):
    affine = AFFINES[name]
    voxels = np.clip(marker_volume(affine), 0, 100).astype(dtype)
    path = tmp_path / f"volume{suffix}"
    write_volume(path, voxels, affine)
    image = SimpleITK.ReadImage(path)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0), voxels)
    np.testing.assert_allclose(itk_affine(image), affine, atol=2e-5)
    if suffix != ".nrrd":
        oracle = nibabel.load(path)
        np.testing.assert_array_equal(oracle.get_fdata(), voxels)
        np.testing.assert_allclose(oracle.get_sform(), affine, atol=2e-5)
        np.testing.assert_allclose(oracle.get_qform(), affine, atol=2e-5)
        assert [oracle.header["sform_code"], oracle.header["qform_code"]] == [1, 1]


def test_a_sheared_affine_is_written_as_it_is(tmp_path):
    write_volume(tmp_path / "volume.nii", marker_volume(AFFINES["sheared"]), AFFINES["sheared"])
    np.testing.assert_allclose(nibabel.load(tmp_path / "volume.nii").affine, AFFINES["sheared"], atol=2e-5)
    assert nibabel.load(tmp_path / "volume.nii").header["qform_code"] == 0


def test_mni_space_is_stated(tmp_path):
    write_volume(tmp_path / "volume.nii", marker_volume(affine_of()), affine_of(), space="mni")
    assert nibabel.load(tmp_path / "volume.nii").header["sform_code"] == 4


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
def test_written_bytes_depend_on_the_voxels_alone(suffix, tmp_path):
    voxels = marker_volume(affine_of())
    hashes = set()
    for layout in (voxels, np.asfortranarray(voxels), voxels.astype(">f4")):
        write_volume(tmp_path / f"volume{suffix}", layout, affine_of())
        hashes.add(hashlib.sha256((tmp_path / f"volume{suffix}").read_bytes()).hexdigest())
    assert len(hashes) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
def test_on_a_full_disk_the_old_file_stays(suffix, tmp_path):
    path = tmp_path / f"volume{suffix}"
    write_volume(path, marker_volume(affine_of()), affine_of())
    before = path.read_bytes()
    noise = np.random.default_rng(0).random(SHAPE, np.float32)
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_volume(path, noise, affine_of())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "voxels"),
    [
        ("volume.mha", np.ones((3, 3, 3))),
        ("volume.nii", np.ones((3, 3))),
        ("volume.nii", np.ones((3, 3, 3), complex)),
    ],
    ids=["other format", "2D", "complex"],
)
def test_what_cannot_be_written(name, voxels, tmp_path):
    with pytest.raises(ValueError, match="cannot write"):
        write_volume(tmp_path / name, voxels, np.eye(4))


# --- helpers ----------------------------------------------------------------------------------------------


def save_nifti(path, affine=None, kind=nibabel.Nifti1Image) -> Path:
    affine = affine_of() if affine is None else affine
    nibabel.save(kind(marker_volume(affine), affine), path)
    return path


def assert_marker(scan):
    np.testing.assert_allclose(marker_place(scan.voxels, scan.affine), MARKER_RAS, atol=1e-3)


def assert_as_nibabel(path, marker=True):
    scan, oracle = read_scan(path), nibabel.load(path)
    np.testing.assert_allclose(scan.affine, oracle.affine, atol=1e-5)
    np.testing.assert_allclose(scan.voxels, oracle.get_fdata(), rtol=1e-6)
    assert scan.voxels.dtype == np.float32
    assert scan.warnings == ()
    if marker:
        assert_marker(scan)


def assert_as_simpleitk(path, marker=True):
    scan, oracle = read_scan(path), SimpleITK.ReadImage(path)
    np.testing.assert_allclose(scan.affine, itk_affine(oracle), atol=1e-9)
    np.testing.assert_array_equal(
        scan.voxels, SimpleITK.GetArrayFromImage(oracle).transpose(2, 1, 0).astype(np.float32)
    )
    if marker:
        assert_marker(scan)


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


def four_dimensional(header, suffix, volumes) -> bytes:
    """The header of a three-dimensional file with a fourth axis of so many volumes."""
    size = b"30 34 26"
    if suffix == ".nrrd":
        for old, new in (
            (b"dimension: 3\nspace", b"dimension: 4\nspace"),
            (b"sizes: " + size, b"sizes: " + size + b" %d" % volumes),
            (b"kinds: domain domain domain", b"kinds: domain domain domain list"),
        ):
            assert old in header
            header = header.replace(old, new)
        line = next(line for line in header.splitlines() if line.startswith(b"space directions"))
        return header.replace(line, line + b" none")
    fields = dict(line.split(b" = ") for line in header.splitlines())
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape([float(word) for word in fields[b"TransformMatrix"].split()], (3, 3))
    fields[b"TransformMatrix"] = " ".join(str(number) for number in matrix.ravel()).encode()
    fields[b"NDims"] = b"4"
    for key, value in (
        (b"Offset", b" 0"),
        (b"CenterOfRotation", b" 0"),
        (b"ElementSpacing", b" 1"),
        (b"DimSize", b" %d" % volumes),
    ):
        fields[key] += value
    return b"".join(key + b" = " + value + b"\n" for key, value in fields.items())


def sample_truth(path) -> dict:
    return json.loads((SAMPLES / f"{path.name.split('.')[0]}.json").read_text())


def on_mni_grid(scan, truth, grid):
    """The scan on the 2-mm MNI grid by the true registration."""
    return resample(
        scan.voxels,
        np.linalg.inv(scan.affine) @ np.array(truth["scanner_from_mni_ras"]) @ grid,
        (91, 109, 91),
    )


def shift(axis, distance) -> np.ndarray:
    matrix = np.eye(4)
    matrix[axis, 3] = distance
    return matrix


def template_grid():
    """Affine of the 2-mm MNI grid, brain and regions, all from the template files."""
    brain = nibabel.load(TEMPLATES / "brain_2mm.nii.gz")
    regions = nibabel.load(TEMPLATES / "quantification_regions_2mm.nii.gz")
    assert brain.shape == (91, 109, 91)
    np.testing.assert_array_equal(brain.affine @ [0, 0, 0, 1], [-90, -126, -72, 1])
    return brain.affine, np.asarray(brain.dataobj) > 0, np.asarray(regions.dataobj)
