"""Projections that cannot be used: each gets a sentence, and so does any damage."""

import copy

import dicom_factory as factory
import pytest
from dicom_factory import change, save
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless
from tomo_factory import COLUMNS, FULL_TURN, ROWS, Turn, detector_at, tomo_dataset

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reconstruction.tomo import read_projections
from DaTscanAILib.reconstruction.tomo_to_image import reconstruct


def without(sequence, keyword):
    def take_out(dataset):
        change(dataset[sequence].value[0], **{keyword: None})

    return take_out


def with_elements(**elements):
    return lambda dataset: change(dataset, **elements)


def in_detector(**elements):
    return lambda dataset: change(dataset.DetectorInformationSequence[0], **elements)


def image_type(kind, emission="EMISSION"):
    return with_elements(ImageType=["ORIGINAL", "PRIMARY", kind, emission])


def no_start_angle(dataset):
    change(dataset.DetectorInformationSequence[0], StartAngle=None)
    change(dataset.RotationInformationSequence[0], StartAngle=None)


def no_step(dataset):
    change(dataset.RotationInformationSequence[0], AngularStep=None, ScanArc=None)


def compress(dataset):
    dataset.PixelData = encapsulate([b"\xff\x4f"] * 90)
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless


# test id: change of the data set, part of the sentence
REFUSED = {
    "reconstruction": (image_type("RECON TOMO"), "give it to the `analyze` command"),
    "gated": (image_type("GATED TOMO"), "is a gated acquisition"),
    "gated, by its frame increment": (
        with_elements(FrameIncrementPointer=[0x00540010, 0x00540070, 0x00540090]),
        "is a gated acquisition",
    ),
    "planar": (image_type("STATIC"), "is a planar image"),
    "whole body": (image_type("WHOLE BODY"), "is a planar image"),
    "transmission": (image_type("TOMO", "TRANSMISSION"), "is a transmission scan"),
    "CT": (with_elements(Modality="CT"), "is a CT image"),
    "PET": (with_elements(Modality="PT"), "is a PET image"),
    "feet first": (with_elements(PatientPosition="FFS"), "not acquired head first and supine"),
    "prone": (with_elements(PatientPosition="HFP"), "not acquired head first and supine"),
    "fan beam": (in_detector(CollimatorType="FANB"), "not parallel"),
    "feet up": (
        in_detector(ImageOrientationPatient=[1, 0, 0, 0, 0, 1], ImagePositionPatient=[0, 0, 0]),
        "shows its frames feet up",
    ),
    "no start angle": (no_start_angle, "states no start angle"),
    "no direction": (without("RotationInformationSequence", "RotationDirection"), "which way its detector turned"),
    "no step and no arc": (no_step, "states no angular step"),
    "no rotation": (with_elements(RotationInformationSequence=None), "does not tell how the detector turned"),
    "no pixel spacing": (with_elements(PixelSpacing=None), "states no pixel spacing"),
    "oblong pixels": (with_elements(PixelSpacing=["4", "2"]), "not square"),
    "huge pixels": (with_elements(PixelSpacing=["40", "40"]), "pixels of 40 x 40 mm"),
    "detector vector too short": (with_elements(DetectorVector=[1] * 7), "numbers 7 of its 90 frames"),
    "a fourth detector": (with_elements(DetectorVector=[4] * 90), "beyond 3"),
    "a rotation that is not described": (with_elements(RotationVector=[2] * 90), "does not tell how"),
    "views far apart": (with_elements(AngularViewVector=[1] * 90), "1 projections: 30 to 256"),
    "lost pixels": (with_elements(PixelData=b"\0\0"), "damaged"),
    "no pixels": (with_elements(PixelData=None), "damaged"),
    "empty": (with_elements(PixelData=bytes(2 * 90 * ROWS * COLUMNS)), "all its voxels are zero"),
    "compressed": (compress, "is compressed (JPEG 2000"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_gets_a_sentence(name, tmp_path):
    modify, sentence = REFUSED[name]
    dataset = tomo_dataset()
    modify(dataset)
    path = tmp_path / "given.dcm"
    dataset.save_as(path, enforce_file_format=False)
    assert_refused(path, sentence, tmp_path)


# test id: turns, part of the sentence
REFUSED_TURNS = {
    "few views": ((Turn("CW", (180.0,), 15.0, 24),), "24 projections"),
    "a short arc": ((Turn("CW", (180.0,), 4.0, 40),), "covers 160 degrees"),
    "gaps": ((Turn("CW", (180.0,), 3.0, 30), Turn("CW", (60.0,), 3.0, 30)), "in 2 places"),
}


@pytest.mark.parametrize("name", REFUSED_TURNS)
def test_arcs_that_leave_rays_out_are_refused(name, tmp_path):
    turns, sentence = REFUSED_TURNS[name]
    assert_refused(save(tomo_dataset(turns), tmp_path / "given.dcm"), sentence, tmp_path)


def test_energy_windows_without_limits_are_refused(tmp_path):
    dataset = tomo_dataset(windows=(None, None))
    assert_refused(save(dataset, tmp_path / "given.dcm"), "none is said to hold the 159 keV", tmp_path)


def test_several_positions_of_the_table_are_refused(tmp_path):
    dataset = tomo_dataset((FULL_TURN, FULL_TURN))
    for traverse, rotation in enumerate(dataset.RotationInformationSequence):
        rotation.TableTraverse = 300 * traverse
    assert_refused(save(dataset, tmp_path / "given.dcm"), "several positions of the table", tmp_path)


def assert_refused(path, sentence, tmp_path):
    with pytest.raises(DaTscanError) as refusal:
        reconstruct(path, tmp_path / "image.nii")
    text = str(refusal.value)
    assert sentence in text
    assert text.startswith("given")
    assert text.endswith(".")
    assert "\n" not in text
    assert "Doe" not in text
    assert not (tmp_path / "image.nii").exists()


def test_files_that_are_no_projections(tmp_path):
    (tmp_path / "given.txt").write_text("counts")
    assert_refused(tmp_path / "given.txt", "is no DICOM file", tmp_path)
    assert_refused(tmp_path / "given_nowhere.dcm", "cannot be opened", tmp_path)
    folder = tmp_path / "given_folder"
    folder.mkdir()
    assert_refused(folder, "holds no projections", tmp_path)
    save(factory.nm_dataset(), folder / "reconstruction.dcm")
    assert_refused(folder, "holds no projections", tmp_path)
    for name in "ab":
        save(tomo_dataset(), folder / f"{name}.dcm")
    assert_refused(folder, "holds 2 files of projections", tmp_path)


DAMAGES = (None, "-1", "1e30", "\\".join(["0"] * 7))


def damaged_headers():
    """One element after the other, of the data set and of its items, removed or set to nonsense."""
    whole = tomo_dataset(DetectorInformationSequence=[detector_at(180.0)])
    places = [(), *((name, 0) for name in ("RotationInformationSequence", "DetectorInformationSequence"))]
    places.append(("EnergyWindowInformationSequence", 0, "EnergyWindowRangeSequence", 0))
    for place in places:
        item = whole
        for step in place:
            item = item[step] if isinstance(step, int) else item.get(step)
        for element in item:
            for value in DAMAGES:
                yield whole, place, element.keyword, value


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_header_gives_projections_or_a_sentence(tmp_path):
    refused = 0
    for whole, place, keyword, value in damaged_headers():
        if keyword == "PixelData":
            continue
        item = dataset = copy.deepcopy(whole)
        for step in place:
            item = item[step] if isinstance(step, int) else item.get(step)
        try:
            change(item, **{keyword: value})
            dataset.save_as(tmp_path / "given.dcm", enforce_file_format=False)
        except (TypeError, ValueError, OverflowError, AttributeError, OSError):
            continue  # pydicom does not write it
        try:
            assert read_projections(tmp_path / "given.dcm").counts.shape == (90, COLUMNS, ROWS)
        except DaTscanError:
            refused += 1
    assert refused > 20
