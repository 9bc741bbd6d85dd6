"""Nothing passes in silence: what may be a scan becomes a case that says why not, the rest is counted."""

import bz2
import gzip
import io
import os
import tarfile
import zipfile

import dicom_factory as factory
import nibabel
import numpy as np
import pydicom
import pytest
from scan_oracles import refusal
from volume_factory import affine_of, marker_volume

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading import zip_archive
from DaTscanAILib.reading.inputs import collect_cases, survey
from DaTscanAILib.reading.scan import read_scan, write_volume

SHAPE = (22, 21, 20)
NOISE = np.random.default_rng(7).integers(0, 256, 9000, np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path):
    """A folder with one good scan."""
    (tmp_path / "in").mkdir()
    good_scan(tmp_path / "in" / "good.nii")
    return tmp_path / "in"


def good_scan(path):
    write_volume(path, marker_volume(affine_of(shape=SHAPE), SHAPE), affine_of(shape=SHAPE))
    return path


def good_dicom(path):
    return factory.save(factory.nm_dataset(shape=SHAPE), path)


def tar_of(content):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        entry = tarfile.TarInfo("scan.dcm")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def zip_of(files, **options):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


# File name, content, and what its sentence says.
DOUBTFUL = {
    "Interfile header": ("p.h00", b"!INTERFILE :=\n!imaging modality := nucmed\n", "is an Interfile header"),
    "Interfile header called .hv": ("p.hv", b"!INTERFILE  :=\nname of data file := p.v\n", "is an Interfile header"),
    "Interfile header with blanks": ("p.hs", b"\r\n ! Interfile :=\n", "is an Interfile header"),
    "tar": ("p.tar", tar_of(NOISE), "is an archive (tar)"),
    "tar, compressed": ("p.tgz", gzip.compress(tar_of(NOISE)), "is an archive (tar)"),
    "7z": ("p.7z", b"7z\xbc\xaf\x27\x1c" + NOISE, "is an archive (7z)"),
    "RAR": ("p.rar", b"Rar!\x1a\x07\x01\0" + NOISE, "is an archive (RAR)"),
    "archive without a suffix": ("export", b"7z\xbc\xaf\x27\x1c" + NOISE, "is an archive (7z)"),
    "NIfTI in bzip2": ("p.nii.bz2", bz2.compress(NOISE), "is a compressed file (bzip2)"),
    "DICOM in gzip": ("p.dcm.gz", gzip.compress(bytes(128) + b"DICM" + NOISE), "is a compressed DICOM file"),
    "ECAT": ("p.v", b"MATRIX72v\0" + NOISE, "is an ECAT image"),
    "MINC 2": ("p.mnc", b"\x89HDF\r\n\x1a\n" + NOISE, "is an HDF5 or MINC image"),
    "FreeSurfer": ("p.mgz", gzip.compress(NOISE), "is a FreeSurfer image"),
    "AFNI": ("p+orig.HEAD", b"type = string-attribute\n", "is an AFNI image"),
    "numbers without their header": ("p.img", NOISE, "has lost its header"),
    "numbers without their header, compressed": ("p.img.gz", gzip.compress(NOISE), "has lost its header"),
    "raw numbers without their header": ("p.raw", NOISE, "has lost its header"),
    "an image whose copy was interrupted": ("IM0007", b"", "is an empty file"),
}


@pytest.mark.parametrize(("name", "content", "sentence"), DOUBTFUL.values(), ids=DOUBTFUL.keys())
def test_what_may_be_a_scan_becomes_a_case_that_says_why_not(name, content, sentence, folder):
    (folder / name).write_bytes(content)
    found = survey([folder])
    assert len(found.cases) == 2
    bad = next(case for case in found.cases if case.path.name == name)
    with pytest.raises(DaTscanError) as caught:
        read_scan(bad.path, bad.series, bad.files)
    assert str(caught.value).startswith(name)
    assert sentence in str(caught.value)
    assert found.passed_over({bad.name}) == f"May be scans, but could not be read: 1 of the failed, {bad.name}."
    assert found.passed_over() == ""


HARMLESS = {
    "text": ("notes.txt", b"as discussed"),
    "spreadsheet": ("list.xlsx", zip_of({"xl/workbook.xml": "<x/>"})),
    "saved scene": ("scene.mrb", zip_of({"a": "b"})),
    "a log, compressed": ("log.txt.gz", gzip.compress(b"a log")),
    "a program": ("viewer.exe", b"MZ" + NOISE),
    "a picture": ("picture.png", b"\x89PNG\r\n\x1a\n" + NOISE),
    "numbers": ("model.bin", NOISE),
    "empty mark": (".nojekyll", b""),
    "empty text": ("README", b""),
    "a raw file of text": ("x.raw", b"not a scan" * 1000),
    "weights": ("weights.h5", b"\x89HDF\r\n\x1a\n" + NOISE),
}


@pytest.mark.parametrize(("name", "content"), HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_no_scan_is_passed_over_and_counted(name, content, folder):
    (folder / name).write_bytes(content)
    found = survey([folder])
    assert [case.path.name for case in found.cases] == ["good.nii"]
    assert found.passed_over() == ("" if name.startswith(".") else "Passed over: 1 file, 1 of other content.")


def test_the_numbers_of_a_header_are_not_counted(folder):
    (folder / "p.h00").write_bytes(b"!INTERFILE :=\n!name of data file := p.i00\n")
    (folder / "p.i00").write_bytes(NOISE)
    nibabel.save(nibabel.Nifti1Pair(marker_volume(affine_of()), affine_of()), folder / "pair.hdr")
    found = survey([folder])
    assert sorted(case.path.name for case in found.cases) == ["good.nii", "p.h00", "pair.hdr"]
    assert found.passed_over() == ""


def test_a_nifti_file_without_its_suffix_is_found(folder):
    good_scan(folder / "scan.nii").rename(folder / "scan")
    assert [case.path.name for case in collect_cases([folder])] == ["good.nii", "scan"]


def test_a_dicom_file_without_preamble_and_suffix_is_found(folder):
    dataset = pydicom.Dataset()
    dataset.update(factory.nm_dataset(shape=SHAPE))
    pydicom.dcmwrite(folder / "IM0003", dataset, implicit_vr=True, little_endian=True, enforce_file_format=False)
    cases = collect_cases([folder])
    assert [case.name for case in cases] == ["IM0003", "good"]
    assert read_scan(cases[0].path).voxels.shape == SHAPE


def test_links_that_lead_nowhere(folder):
    (folder / "scan.dcm").symlink_to(folder / "moved.dcm")
    (folder / "notes.txt").symlink_to(folder / "moved.txt")
    assert [case.path.name for case in collect_cases([folder])] == ["good.nii", "scan.dcm"]


def test_a_link_to_a_folder_elsewhere_is_said_and_one_to_a_folder_inside_is_not(folder, tmp_path):
    good_scan(make(tmp_path / "elsewhere") / "other.nii")
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "round").symlink_to(folder)
    (make(folder / "sub") / "up").symlink_to(tmp_path)
    bad, good = sorted(collect_cases([folder]), key=lambda case: case.error is None)
    assert good.name == "good"
    assert bad.error == "more is a link to a folder elsewhere: give that folder itself."


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_case(folder):
    (folder / "IM0001").write_bytes(NOISE)
    (folder / "IM0001").chmod(0)
    assert len(collect_cases([folder])) == 2


def test_a_reconstruction_that_cannot_be_decoded_is_not_left_out_beside_another(folder):
    """Both are of one study; the compressed one may be the better."""
    good = factory.nm_dataset(shape=SHAPE)
    other = factory.nm_dataset(shape=SHAPE, StudyInstanceUID=good.StudyInstanceUID)
    other.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51"] * SHAPE[2])
    other["PixelData"].is_undefined_length = True
    factory.save(good, folder / "good.dcm")
    factory.save(other, folder / "other.dcm", pydicom.uid.JPEG2000Lossless)
    assert {case.path.name for case in collect_cases([folder])} == {"good.nii", "good.dcm", "other.dcm"}


# --- zip archives -----------------------------------------------------------------------------------------


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def content_of(tmp_path, dicom=True):
    path = good_dicom(tmp_path / "made.dcm") if dicom else good_scan(tmp_path / "made.nii.gz")
    return path.read_bytes()


@pytest.mark.parametrize(
    "name", ["A/B/IM0001", "scan.dcm", "../../up.dcm", "/etc/scan.dcm", "C:\\x\\scan.dcm", "\u00e4 b.dcm"]
)
def test_a_zipped_scan_is_read_and_nothing_is_left_behind(name, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(make(tmp_path / "temporary")))
    (tmp_path / "p.zip").write_bytes(zip_of({name: content_of(tmp_path), "README.txt": "hello"}))
    scan = read_scan(tmp_path / "p.zip")
    assert scan.voxels.shape == SHAPE
    assert (scan.path, scan.series) == (tmp_path / "p.zip", "p.zip")
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path.parent / "up.dcm").exists()


def test_a_zipped_series_of_slices_and_a_zipped_pair_are_read(tmp_path):
    files = {}
    for number, dataset in enumerate(factory.nm_slices(count=20)):
        files[f"series/{number}"] = factory.save(dataset, tmp_path / "slice").read_bytes()
    (tmp_path / "p.zip").write_bytes(zip_of(files, compression=zipfile.ZIP_DEFLATED))
    assert read_scan(tmp_path / "p.zip").voxels.shape == (*factory.SHAPE[:2], 20)
    nibabel.save(nibabel.Nifti1Pair(marker_volume(affine_of()), affine_of()), tmp_path / "scan.hdr")
    pair = {f"scan.{end}": (tmp_path / f"scan.{end}").read_bytes() for end in ("hdr", "img")}
    (tmp_path / "q.zip").write_bytes(zip_of(pair))
    assert read_scan(tmp_path / "q.zip").voxels.shape == (30, 34, 26)


def test_archives_that_are_refused(tmp_path):
    scan = content_of(tmp_path, dicom=False)
    archives = {
        "two.zip": ({"a.nii.gz": scan, "b.nii.gz": scan}, "holds 2 scans: unpack it"),
        "none.zip": ({"a.txt": "hello"}, "is a zip archive without a scan"),
        "nested.zip": ({"inner.zip": zip_of({"a.nii.gz": scan})}, "holds another zip archive"),
        "empty.zip": ({}, "is a zip archive without a scan"),
    }
    for name, (files, sentence) in archives.items():
        (tmp_path / name).write_bytes(zip_of(files))
        assert sentence in refusal(tmp_path / name)
    whole = zip_of({"a.nii.gz": scan})
    for damaged in (whole[:-30], whole[: len(whole) // 2], whole[:60] + b"\xff" * 40 + whole[100:]):
        (tmp_path / "bad.zip").write_bytes(damaged)
        assert "truncated or damaged" in refusal(tmp_path / "bad.zip")


def test_an_encrypted_archive_is_named(tmp_path):
    data = bytearray(zip_of({"a.nii.gz": content_of(tmp_path, dicom=False)}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    (tmp_path / "p.zip").write_bytes(data)
    assert "is an encrypted zip archive" in refusal(tmp_path / "p.zip")


def test_what_unpacks_without_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_archive, "MAX_FILE_BYTES", 2**20)
    monkeypatch.setattr(zip_archive, "MAX_ENTRIES", 50)
    bomb = zip_of({"zeros.nii": bytes(2**21)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 5000
    for files in (bomb, zip_of({f"{n}": b"" for n in range(51)})):
        (tmp_path / "p.zip").write_bytes(files)
        assert "unpacks to more than 1 MiB or 50 files" in refusal(tmp_path / "p.zip")
