"""Projections in DICOM: a marker lands where the standard's words put it; the simulator's own FBP comes back."""

import copy
from dataclasses import replace

import dicom_factory as factory
import numpy as np
import pytest
from dicom_factory import MARKER_RAS, change, item_of, save
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless
from tomo_factory import COLUMNS, FULL_TURN, PIXEL, RADIUS, ROWS, TOP, Turn, tomo_dataset

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.cli.main import main
from DaTscanAILib.reading.scan import orientation_letters, read_scan
from DaTscanAILib.reconstruction.butterworth import butterworth
from DaTscanAILib.reconstruction.filtered_back_projection import filtered_back_projection
from DaTscanAILib.reconstruction.projector import Projector
from DaTscanAILib.reconstruction.tomo import Projections, read_projections
from DaTscanAILib.reconstruction.tomo_to_image import Method, head_outline, reconstruct, reconstruct_projections
from DaTscanAILib.simulation.cameras import draw_camera
from DaTscanAILib.simulation.simulator import Settings, simulate_scan
from DaTscanAILib.simulation.tomo_dicom import write_projections

MARKER_TOLERANCE = 0.5  # mm
MIDDLE = TOP - (ROWS - 1) / 2 * PIXEL  # scanner z of the frames' middle
QUARTER_TURN = Turn("CC", (0.0, 180.0), 3.0, 60)


def place_of_marker(voxels, affine):
    return factory.marker_place(np.where(voxels > 0.2 * voxels.max(), voxels, 0), affine)


def detector_at(angle, **elements):
    """A detector's item that states where the first pixel of its frames lies, for a DICOM angle."""
    radians = np.deg2rad(angle)
    outward = np.array([np.sin(radians), np.cos(radians), 0])
    to_the_right = np.cross(-outward, [0, 0, 1])
    first = RADIUS * outward - (COLUMNS - 1) / 2 * PIXEL * to_the_right + [0, 0, TOP]
    return item_of(
        CollimatorType="PARA",
        StartAngle=angle,
        ImageOrientationPatient=[f"{value:.8f}" for value in (*to_the_right, 0, 0, -1)],
        ImagePositionPatient=[f"{value:.6f}" for value in first],
        **elements,
    )


# ---- the simulator's own image


@pytest.fixture(scope="module")
def scan():
    return simulate_scan(5, Settings(families=("papers",), label="reduced", field="camera"))


@pytest.fixture(scope="module")
def projections_file(scan, tmp_path_factory):
    path = tmp_path_factory.mktemp("projections") / "tomo.dcm"
    write_projections(path, scan)
    return path


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_the_command_gives_the_simulators_image(scan, projections_file, tmp_path, suffix, capsys):
    output = tmp_path / f"image{suffix}"
    assert main(["reconstruct", str(projections_file), "--output", str(output)]) == 0
    image = read_scan(output)
    np.testing.assert_allclose(image.affine, scan.affine, atol=2e-4)
    np.testing.assert_allclose(image.voxels, scan.voxels, atol=1e-5 * scan.voxels.max())
    assert capsys.readouterr() == ("", "")


def test_the_file_holds_every_count_and_the_geometry(scan, projections_file):
    projections = read_projections(projections_file)
    assert projections.counts.sum(dtype=np.float64) == scan.projections.sum(dtype=np.float64)
    np.testing.assert_allclose(projections.angles, 360 / scan.camera.views * np.arange(scan.camera.views), atol=1e-3)
    assert projections.pixel == pytest.approx(scan.camera.pixel)
    assert projections.radius == pytest.approx(scan.camera.radius, rel=1e-5)
    assert (projections.patient.age, projections.patient.sex) == (round(scan.person.age), scan.person.sex)
    assert projections.energy_window == "I-123 (143-175 keV)"
    assert projections.warnings == ()


def test_the_same_scan_gives_the_same_file(scan, projections_file, tmp_path):
    write_projections(tmp_path / "again.dcm", scan)
    assert (tmp_path / "again.dcm").read_bytes() == projections_file.read_bytes()


def test_simulate_writes_projections_that_reconstruct_reads(tmp_path):
    arguments = ["simulate", "--count", "1", "--seed", "12", "--families", "papers", "--output", str(tmp_path)]
    assert main([*arguments, "--projections", "--field", "camera", "--storage", "plain"]) == 0
    assert main(["reconstruct", str(tmp_path / "projections"), "--output", str(tmp_path / "image.nii.gz")]) == 0
    simulated, again = read_scan(tmp_path / "sim000012.nii.gz"), read_scan(tmp_path / "image.nii.gz")
    np.testing.assert_allclose(again.affine, simulated.affine, atol=5e-4)
    scale = again.voxels.max() / simulated.voxels.max()  # the cohort stores 16-bit numbers of its own scale
    np.testing.assert_allclose(again.voxels, simulated.voxels * scale, atol=1e-4 * again.voxels.max())


def test_the_butterworth_filter_comes_after_the_ramp(scan, projections_file):
    image, _ = reconstruct_projections(read_projections(projections_file), Method("butterworth", 0.5))
    pixel = scan.camera.pixel
    expected = butterworth(filtered_back_projection(scan.projections, pixel), pixel, 0.05, 5)
    np.testing.assert_allclose(image, np.maximum(expected, 0), atol=1e-5 * expected.max())


def test_the_cutoff_ends_the_frequencies(scan):
    pixel = scan.camera.pixel
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(128, pixel)] * 2))
    power = {
        cutoff: np.abs(np.fft.fft2(filtered_back_projection(scan.projections, pixel, cutoff)[:, :, 25])) ** 2
        for cutoff in (0.125, 0.05)
    }
    above = {cutoff: value[frequency > 0.055].sum() / value.sum() for cutoff, value in power.items()}
    assert above[0.125] > 0.1
    assert above[0.05] < 0.01


# ---- attenuation correction


@pytest.fixture(scope="module")
def cylinder():
    """Projections of a uniform cylinder, radius 88 mm, activity 1, attenuated with 0.11 per cm and not blurred."""
    size, views, slices = 64, 60, 24
    axis = (np.arange(size) - (size - 1) / 2) * PIXEL
    disk = np.clip((88 - np.hypot(*np.meshgrid(axis, axis))) / PIXEL + 0.5, 0, 1)
    activity = np.repeat(disk[:, :, None], slices, axis=2).astype(np.float32)
    camera = replace(draw_camera(np.random.default_rng(0)), pixel=PIXEL, views=views)
    counts = Projector(camera, size, 0.011 * activity, resolve=False).project(activity)
    angles = 360 / views * np.arange(views)
    projections = Projections(counts, angles, PIXEL, 360.0, None, None, "", None, None, None, None, ())
    return projections, activity


def test_chang_levels_a_uniform_cylinder(cylinder):
    projections, activity = cylinder
    inner = activity * (np.hypot(*np.meshgrid(*[(np.arange(64) - 31.5) * PIXEL] * 2)) < 20)[:, :, None] == 1
    whole = activity == 1
    plain, corrected = (reconstruct_projections(projections, Method(attenuation=mu))[0] for mu in (None, 0.11))
    assert plain[inner].mean() < 0.8 * plain[whole].mean() < 0.4
    assert corrected[inner].mean() == pytest.approx(1, rel=0.05)
    assert corrected[whole].mean() == pytest.approx(1, rel=0.05)


def test_the_outline_is_the_cylinders(cylinder):
    projections, activity = cylinder
    outline = head_outline(reconstruct_projections(projections, Method())[0], PIXEL)
    true = activity > 0.5
    assert 2 * (outline & true).sum() / (outline.sum() + true.sum()) > 0.96


def test_an_image_without_counts_has_no_outline():
    assert not head_outline(np.zeros((8, 8, 8)), PIXEL).any()


# ---- where the detector was

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


# ---- energy windows

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


# ---- what is refused


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


def test_the_projections_are_found_beside_the_reconstruction(tmp_path):
    save(factory.nm_dataset(), tmp_path / "reconstruction.dcm")
    save(tomo_dataset(), tmp_path / "projections.dcm")
    assert read_projections(tmp_path).path.name == "projections.dcm"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--filter", "hann"], "There is no filter 'hann': choose one of shepp-logan, butterworth."),
        (["--cutoff", "12"], "The cutoff must lie between 0.1 and 5.0 cycles/cm, not 12."),
        (["--cutoff", "nan"], "The cutoff must lie between 0.1 and 5.0 cycles/cm, not nan."),
        (["--chang", "11"], "The attenuation coefficient must lie between 0.01 and 0.2 per cm, not 11."),
        (["--output", "image.png"], "image.png is no name of an image: end it with .nii, .nii.gz or .nrrd."),
        (["--output", "nowhere/image.nii"], "image.nii cannot be written (No such file or directory)"),
    ],
)
def test_arguments_that_make_no_sense(arguments, sentence, projections_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["reconstruct", str(projections_file), "--output", "image.nii", *arguments]) == 2
    assert f"error: {sentence}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# ---- damaged headers

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
