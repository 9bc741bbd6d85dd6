"""DICOM scans of one file for each slice."""

from pathlib import Path

import dicom_factory as factory
import numpy as np
import pytest
from scan_oracles import assert_marker, refusal

from DaTscanAILib.reading.scan import read_scan

SLICED = {
    "positions decide, not names": {},
    "stacked downwards": {"slice_spacing": -3.8},
    "oblique slices": {"orientation": factory.OBLIQUE},
    "positions in the detector item": {"geometry": "detector"},
    "each slice with its own rescale slope": {"slopes": np.linspace(1.0, 3.0, factory.SHAPE[2])},
    "spacing in the header is wrong": {"SpacingBetweenSlices": "77"},
}


@pytest.mark.parametrize("options", SLICED.values(), ids=SLICED.keys())
def test_slices_in_a_folder(options, tmp_path):
    folder = save_slices(factory.nm_slices(**options), tmp_path / "series")
    scan = read_scan(folder)
    assert_marker(scan, tolerance=0.02 if "slopes" in options else 1e-3)
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
