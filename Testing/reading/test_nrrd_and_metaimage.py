"""NRRD and MetaImage beside SimpleITK."""

import numpy as np
import pytest
import SimpleITK
from scan_oracles import AFFINES, assert_marker, refusal
from volume_factory import affine_of, itk_affine, itk_image, marker_volume

from DaTscanAILib.reading.scan import read_scan, write_volume


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


def assert_as_simpleitk(path, marker=True):
    scan, oracle = read_scan(path), SimpleITK.ReadImage(path)
    np.testing.assert_allclose(scan.affine, itk_affine(oracle), atol=1e-9)
    np.testing.assert_array_equal(
        scan.voxels, SimpleITK.GetArrayFromImage(oracle).transpose(2, 1, 0).astype(np.float32)
    )
    if marker:
        assert_marker(scan)


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
