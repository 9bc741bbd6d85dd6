"""Volumes that are written, as SimpleITK and nibabel read them; letters of an orientation."""

import hashlib
import resource
import signal
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK
from scan_oracles import AFFINES
from volume_factory import SHAPE, affine_of, itk_affine, marker_volume

from DaTscanAILib.reading.scan import orientation_letters, write_volume


@pytest.mark.parametrize("seed", range(20))
def test_orientation_letters_as_nibabel_gives_them(seed):
    generator = np.random.default_rng(seed)
    letters = np.array(["RL", "AP", "SI"])[generator.permutation(3)]
    axes = "".join(pair[generator.integers(2)] for pair in letters)
    affine = affine_of(axes, generator.uniform(-20, 20, 3))
    assert orientation_letters(affine) == axes == "".join(nibabel.aff2axcodes(affine))


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
