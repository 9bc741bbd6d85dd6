"""Projections to image: where the detector was, and which energy window is taken."""

import dicom_factory as factory
import numpy as np
import pytest
from dicom_factory import MARKER_RAS, change, save
from tomo_factory import FULL_TURN, PIXEL, ROWS, TOP, Turn, detector_at, tomo_dataset

from DaTscanAILib.reading.scan import orientation_letters
from DaTscanAILib.reconstruction.tomo import read_projections
from DaTscanAILib.reconstruction.tomo_to_image import Method, reconstruct_projections

MARKER_TOLERANCE = 0.5  # mm
MIDDLE = TOP - (ROWS - 1) / 2 * PIXEL  # scanner z of the frames' middle
QUARTER_TURN = Turn("CC", (0.0, 180.0), 3.0, 60)


def place_of_marker(voxels, affine):
    return factory.marker_place(np.where(voxels > 0.2 * voxels.max(), voxels, 0), affine)


# test id: turns, elements of the header, what the frames are multiplied with, part of the warning
PLACED = {
    "clockwise from the front": ((FULL_TURN,), {}, 1, ""),
    "counter-clockwise from the front": ((Turn("CC", (180.0,), 4.0, 90),), {}, 1, ""),
    "CCW as some cameras write it": ((Turn("CC", (180.0,), 4.0, 90),), {"_direction": "CCW"}, 1, ""),
    "clockwise from the back": ((Turn("CW", (0.0,), 4.0, 90),), {}, 1, ""),
    "an odd start angle": ((Turn("CC", (37.5,), 4.0, 90),), {}, 1, ""),
    "a start angle over a full circle": ((Turn("CC", (397.5,), 4.0, 90),), {}, 1, ""),
    "an odd number of views": ((Turn("CC", (10.0,), 360 / 61, 61),), {}, 1, ""),
    "two opposite detectors, half a turn each": ((Turn("CW", (180.0, 0.0), 3.0, 60),), {}, 1, ""),
    "two opposite detectors, a whole turn each": ((Turn("CW", (180.0, 0.0), 4.0, 90),), {}, 2, ""),
    "three detectors": ((Turn("CC", (0.0, 120.0, 240.0), 4.0, 30),), {}, 1, ""),
    "two rotations at the same angles": ((FULL_TURN, FULL_TURN), {}, 2, ""),
    "two rotations, there and back": ((FULL_TURN, Turn("CC", (184.0,), 4.0, 90)), {}, 2, ""),
    "two rotations, half a turn each": ((Turn("CW", (180.0,), 4.0, 45), Turn("CW", (0.0,), 4.0, 45)), {}, 1, ""),
    "half a turn": ((Turn("CC", (90.0,), 3.0, 60),), {}, 1, "cover 180 degrees"),
    "two detectors in an L, 180 degrees": ((Turn("CC", (90.0, 180.0), 3.0, 30),), {}, 1, "cover 180 degrees"),
    "second detector's start left out": (
        (QUARTER_TURN,),
        {"_starts": (0.0, None)},
        1,
        "taken as opposite the first",
    ),
    "both detectors at the same start": ((QUARTER_TURN,), {"_starts": (0.0, 0.0)}, 1, "taken as opposite the first"),
    "start angle in the rotation alone": ((FULL_TURN,), {"_starts": (None,)}, 1, ""),
    "frames in no order": ((FULL_TURN,), {"_order": np.random.default_rng(8).permutation(90)}, 1, ""),
    "no angular view vector": ((FULL_TURN,), {"AngularViewVector": None}, 1, ""),
    "no angular step, but an arc": ((FULL_TURN,), {"_step": None}, 1, ""),
    "no patient position": ((FULL_TURN,), {"PatientPosition": None}, 1, ""),
    "no image type": ((FULL_TURN,), {"ImageType": None}, 1, ""),
    "no energy window": ((FULL_TURN,), {"EnergyWindowInformationSequence": None, "EnergyWindowVector": None}, 1, ""),
    "rescale slope": ((FULL_TURN,), {"RescaleSlope": "0.5", "RescaleIntercept": "0"}, 0.5, ""),
}


def variant(turns, elements):
    """A data set; keywords that begin with an underscore change an item or the factory's arguments."""
    elements = dict(elements)
    order, direction = elements.pop("_order", None), elements.pop("_direction", None)
    starts, step = elements.pop("_starts", None), elements.pop("_step", "keep")
    dataset = tomo_dataset(turns, order=order, **elements)
    if direction:
        dataset.RotationInformationSequence[0].RotationDirection = direction
    for detector, start in enumerate(starts or ()):
        change(dataset.DetectorInformationSequence[detector], StartAngle=start)
    if step != "keep":
        change(dataset.RotationInformationSequence[0], AngularStep=step)
    return dataset


@pytest.fixture(scope="module")
def full_turn_image(tmp_path_factory):
    path = save(tomo_dataset(), tmp_path_factory.mktemp("full") / "tomo.dcm")
    return reconstruct_projections(read_projections(path), Method())[0]


@pytest.mark.parametrize("name", PLACED)
def test_the_marker_is_where_it_was(name, tmp_path, full_turn_image):
    turns, elements, factor, warning = PLACED[name]
    projections = read_projections(save(variant(turns, elements), tmp_path / "tomo.dcm"))
    image, affine = reconstruct_projections(projections, Method())
    assert orientation_letters(affine) == "RAS"
    np.testing.assert_allclose(place_of_marker(image, affine), MARKER_RAS - (0, 0, MIDDLE), atol=MARKER_TOLERANCE)
    assert image.max() == pytest.approx(factor * full_turn_image.max(), rel=0.02)
    assert [warning in text for text in projections.warnings] == ([True] if warning else [])


@pytest.mark.parametrize("angle", [180.0, 0.0, 30.0, 270.0])
def test_a_stated_position_gives_the_height(angle, tmp_path):
    dataset = tomo_dataset((Turn("CC", (angle,), 4.0, 90),), DetectorInformationSequence=[detector_at(angle)])
    projections = read_projections(save(dataset, tmp_path / "tomo.dcm"))
    assert projections.bottom == pytest.approx(TOP - (ROWS - 1) * PIXEL)
    assert projections.warnings == ()
    place = place_of_marker(*reconstruct_projections(projections, Method()))
    np.testing.assert_allclose(place, MARKER_RAS, atol=MARKER_TOLERANCE)


def test_an_orientation_against_the_start_angle_is_told(tmp_path):
    dataset = tomo_dataset(DetectorInformationSequence=[detector_at(0.0)])
    dataset.DetectorInformationSequence[0].StartAngle = 180
    (warning,) = read_projections(save(dataset, tmp_path / "tomo.dcm")).warnings
    assert "Orientation and start angle in the header disagree" in warning


def test_two_start_angles_are_told(tmp_path):
    dataset = tomo_dataset((Turn("CW", (90.0,), 4.0, 90),))
    dataset.RotationInformationSequence[0].StartAngle = 0
    projections = read_projections(save(dataset, tmp_path / "tomo.dcm"))
    (warning,) = projections.warnings
    assert "start at different angles; the detector's is taken" in warning
    place = place_of_marker(*reconstruct_projections(projections, Method()))
    np.testing.assert_allclose(place, MARKER_RAS - (0, 0, MIDDLE), atol=MARKER_TOLERANCE)


def test_a_center_of_rotation_offset_is_told(tmp_path):
    dataset = tomo_dataset(DetectorInformationSequence=[detector_at(180.0, CenterOfRotationOffset="3.2")])
    (warning,) = read_projections(save(dataset, tmp_path / "tomo.dcm")).warnings
    assert "3.2 mm off" in warning


def test_shorter_views_are_brought_to_the_same_time(tmp_path, full_turn_image):
    """The second half of the turn records half as long: only its noise may differ."""
    dataset = variant(PLACED["two rotations, half a turn each"][0], {})
    frames = dataset.pixel_array.astype(float)
    frames[45:] /= 2
    factory.set_pixels(dataset, frames, "<u2")
    dataset.RotationInformationSequence[1].ActualFrameDuration = 15000
    image, affine = reconstruct_projections(read_projections(save(dataset, tmp_path / "tomo.dcm")), Method())
    np.testing.assert_allclose(place_of_marker(image, affine), MARKER_RAS - (0, 0, MIDDLE), atol=MARKER_TOLERANCE)
    assert image.max() == pytest.approx(0.75 * full_turn_image.max(), rel=0.02)


SCATTER, PEAK, BROAD, WRONG = (115.0, 142.0), (143.1, 174.9), (110.0, 180.0), (65.0, 95.0)


@pytest.mark.parametrize(
    ("windows", "peak", "warning"),
    [
        ((PEAK, SCATTER), 1, "Of 2 energy windows"),
        ((SCATTER, PEAK), 2, "Of 2 energy windows"),
        ((BROAD, SCATTER, PEAK), 3, "Of 3 energy windows"),
        ((tuple(100 * limit for limit in SCATTER), tuple(100 * limit for limit in PEAK)), 2, "143-175 keV"),
        ((WRONG,), 1, "does not hold the 159 keV"),
    ],
)
def test_the_photopeak_is_chosen(windows, peak, warning, tmp_path):
    dataset = tomo_dataset((QUARTER_TURN,), windows, peak)
    projections = read_projections(save(dataset, tmp_path / "tomo.dcm"))
    place = place_of_marker(*reconstruct_projections(projections, Method()))
    np.testing.assert_allclose(place, MARKER_RAS - (0, 0, MIDDLE), atol=MARKER_TOLERANCE)
    (told,) = projections.warnings
    assert warning in told
