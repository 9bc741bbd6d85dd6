"""Panels and overview: which side, which slice, which color, and inputs at the edge."""

import io

import numpy as np
import pytest
from picture_factory import GRID_SHAPE, MRI_AFFINE, MRI_ORIGIN, MRI_SHAPE, blob, gray_mri, result_with
from PIL import Image
from scipy import ndimage

from DaTscanAILib.mni.atlas import load_mri
from DaTscanAILib.mni.geometry import scaling_and_translation
from DaTscanAILib.reporting.colors import look_up, scan_table
from DaTscanAILib.reporting.lettering import _in_font
from DaTscanAILib.reporting.overview import compose_overview, encode_png, scan_ticks
from DaTscanAILib.reporting.panels import (
    EXTENT,
    GRID_AFFINE,
    RELEVANCE_THRESHOLD,
    Cut,
    Volume,
    axial_mosaic,
    paint_panels,
    relevance_limit,
    relevance_slice,
    sample,
    scan_limit,
    scan_slice,
)
from DaTscanAILib.reporting.wording import percent, shorten, transliterate

RIGHT_PUTAMEN, LEFT_PUTAMEN = (27.0, 2.0, 4.0), (-27.0, 2.0, 4.0)
MRI_GRAY = int(100 * 255 / (1.25 * 200))


def overview_image(normalized, relevance, mri, mri_affine, result):
    return compose_overview(paint_panels(normalized, relevance, mri, mri_affine), result)


@pytest.mark.parametrize("orientation", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("center", [RIGHT_PUTAMEN, (-31.0, -40.0, 33.0)])
def test_scan_and_mri_are_sampled_at_the_same_millimeters(orientation, center):
    normal, across, up = {"axial": (2, 0, 1), "coronal": (1, 0, 2), "sagittal": (0, 1, 2)}[orientation]
    expected = [(EXTENT[axis][1] - center[axis]) * 2 - 0.5 for axis in (up, across)]
    scan = Volume(blob(center), GRID_AFFINE)
    mri = Volume(blob(center, MRI_SHAPE, MRI_ORIGIN, 1.0), MRI_AFFINE)
    for volume in (scan, mri):
        plane = sample(volume, Cut(orientation, center[normal]), 2.0)
        assert center_of_mass(plane) == pytest.approx(expected, abs=0.05)
        assert plane.max() == pytest.approx(1.0, abs=0.05)


def test_position_between_two_planes_is_interpolated():
    ramp = np.broadcast_to(np.arange(91) * 2.0 - 72, GRID_SHAPE).astype(np.float32)
    for position in (-12.0, 0.0, 3.0, 24.5):
        assert sample(Volume(ramp, GRID_AFFINE), Cut("axial", position), 1.0) == pytest.approx(position, abs=1e-4)


def test_the_patients_right_is_on_the_left_of_every_axial_slice():
    tall = blob(RIGHT_PUTAMEN, width=12.0) * 5  # reaches all axial positions
    strip = paint_panels(tall, None, gray_mri(), MRI_AFFINE).scan
    assert [cut.position for cut in strip.cuts] == [-12, -6, 0, 6, 12, 18, 24]
    for left, width in strip.spans:
        pixels = bright(np.asarray(strip.image, int)[:, left : left + width])
        assert pixels[: width // 2].sum() > 400
        assert pixels[: width // 2].sum() > 20 * pixels[width // 2 :].sum()


def test_the_front_is_above_and_the_top_is_above():
    front, top = (
        sample(Volume(blob(center), GRID_AFFINE), cut, 1.0)
        for center, cut in (((0, 60, 4), Cut("axial", 4)), ((0, 4, 70), Cut("coronal", 4)))
    )
    assert center_of_mass(front)[0] < front.shape[0] / 3
    assert center_of_mass(top)[0] < top.shape[0] / 3


def test_a_thin_source_is_only_in_the_slice_at_its_place():
    scan = np.zeros(GRID_SHAPE, np.float32)
    scan[58, 64, 39] = 5.0  # z = -72 + 2 * 39 = +6 mm
    strip = paint_panels(scan, None, gray_mri(), MRI_AFFINE).scan
    pixels = np.asarray(strip.image)
    bright = [
        cut.name
        for cut, (left, width) in zip(strip.cuts, strip.spans, strict=True)
        if pixels[:, left : left + width].max() > 100
    ]
    assert bright == ["z = +6 mm"]


def test_sagittal_slices_show_their_own_side():
    panels = paint_panels(blob(RIGHT_PUTAMEN), blob(LEFT_PUTAMEN), gray_mri(), MRI_AFFINE)
    names = [cut.name for cut in panels.views.cuts]
    assert names == ["y = +4 mm", "y = +4 mm", "x = +26 mm (right)", "x = -26 mm (left)"]
    colored = [color_of_slice(panels.views, index) for index in (2, 3)]
    assert colored[0] == 0
    assert colored[1] > 1000


def test_a_mosaic_takes_any_positions():
    strip = axial_mosaic(lambda cut, scale: np.full((10, 20, 3), cut.position, np.uint8), [3.0, 90.0])
    assert [np.asarray(strip.image)[0, left, 0] for left, _ in strip.spans] == [3, 90]


def test_positive_is_orange_negative_is_blue_and_the_rest_is_the_mri():
    relevance = blob(RIGHT_PUTAMEN) - blob(LEFT_PUTAMEN)
    pixels = relevance_slice(
        Volume(relevance, GRID_AFFINE), Volume(gray_mri(), MRI_AFFINE), Cut("axial", 4.0), limit=1.0, scale=1.0
    ).astype(int)
    row = round(EXTENT[1][1] - 2)
    red, _, blue = pixels[row, 80 - 27]
    assert red > blue + 120
    red, _, blue = pixels[row, 80 + 27]
    assert blue > red + 120
    weak = np.abs(sample(Volume(relevance, GRID_AFFINE), Cut("axial", 4.0), 1.0)) < RELEVANCE_THRESHOLD - 1 / 128
    assert np.all(pixels[weak] == MRI_GRAY)
    strong = np.abs(sample(Volume(relevance, GRID_AFFINE), Cut("axial", 4.0), 1.0)) > RELEVANCE_THRESHOLD + 1 / 128
    assert np.all(np.abs(pixels[strong] - MRI_GRAY).max(axis=1) > 10)


def test_scan_colors_are_those_of_the_table():
    scan = np.full(GRID_SHAPE, 2.5, np.float32)
    pixels = scan_slice(Volume(scan, GRID_AFFINE), Cut("axial", 0.0), limit=5.0, scale=1.0)
    assert np.array_equal(np.unique(pixels.reshape(-1, 3), axis=0), look_up([2.5], scan_table(), 0, 5)[:, :3])


def test_scales_of_scan_and_relevance():
    scan = np.ones(GRID_SHAPE, np.float32)
    assert scan_limit(scan) == 5.0
    scan[58, 64, 39] = 50.0  # one noisy voxel
    assert scan_limit(scan) == 5.0
    assert scan_limit(1 + 5.5 * blob(RIGHT_PUTAMEN, width=12.0)) == 7.0
    focal = np.zeros(GRID_SHAPE, np.float32)
    focal[40, 40, 40:44] = -3.0
    assert relevance_limit(focal) == 3.0
    assert relevance_limit(np.zeros(GRID_SHAPE)) == 1.0
    assert scan_ticks(6.0) == [(str(value), value / 6) for value in range(7)]
    assert len(scan_ticks(5000.0)) <= 9


def test_a_tilted_or_flipped_affine_is_refused():
    with pytest.raises(ValueError, match="scale and shift"):
        Volume(np.zeros((2, 2, 2)), np.diag([-1.0, 1, 1, 1]))
    with pytest.raises(ValueError, match="scale and shift"):
        Volume(np.zeros((2, 2, 2)), scaling_and_translation(1, 0)[[1, 0, 2, 3]])


@pytest.mark.parametrize("relevance", [None, np.zeros(GRID_SHAPE, np.float32), 1e-30 * blob(LEFT_PUTAMEN)])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"case": "日本 😀 Ünï\x07cøde " + "x" * 3000},
        {"case": None, "registration": None, "quantification": None, "classification": None, "explanation": None},
        {"registration": {"quality": None, "accepted": False}},
    ],
)
def test_overview_of_inputs_at_the_edge(relevance, changes):
    image = overview_image(
        np.zeros(GRID_SHAPE, np.float32), relevance, gray_mri(), MRI_AFFINE, result_with(**changes)
    )
    assert image.mode == "RGB"
    assert image.width == 1600


def test_a_registration_that_was_not_accepted_has_a_red_frame():
    inputs = blob(RIGHT_PUTAMEN), None, gray_mri(), MRI_AFFINE
    rejected = overview_image(*inputs, result_with(registration={"quality": 0.2, "accepted": False}))
    accepted = overview_image(*inputs, result_with())
    assert red_pixels(rejected) > 2 * (1552 + 44) * 3 * 0.9
    assert red_pixels(accepted) == 0
    assert rejected.height > accepted.height


def test_panels_of_the_overview_are_where_the_labels_are():
    image = np.asarray(overview_image(5 * blob(RIGHT_PUTAMEN), None, gray_mri(), MRI_AFFINE, result_with()), int)
    first_row = image[92 + 34 : 92 + 34 + 240, 24 : 24 + 1436]
    z_zero = bright(first_row[24:, 2 * 206 : 2 * 206 + 200])  # below the letters
    assert z_zero[:100].sum() > 400
    assert z_zero[100:].sum() == 0


def test_png_is_small_lossless_and_always_the_same():
    noise = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal(GRID_SHAPE, np.float32), 2.0)
    noise *= 0.15 / noise.std()  # smooth like a SPECT image
    mri, affine = load_mri()
    scan, relevance = 1 + 4 * blob(RIGHT_PUTAMEN, width=10.0) + noise, blob(LEFT_PUTAMEN) + 0.5 * noise
    image = overview_image(scan, relevance, mri, affine, result_with())
    data = encode_png(image)
    assert data == encode_png(overview_image(scan, relevance, mri, affine, result_with()))
    assert len(data) < 1_000_000
    with Image.open(io.BytesIO(data)) as read:
        assert np.array_equal(np.asarray(read), np.asarray(image))


def test_names_keep_what_the_font_has():
    assert transliterate("Kühn-Łoś\n№ 7 ±2°", _in_font) == "Kuhn-?os No 7 ±2°"
    assert transliterate("\u200bab\u0301", _in_font) == "ab"


def test_shortened_names_fit_and_differ():
    def shortened(text):
        return shorten(text, 20, len)

    first, second = (shortened("study-" + "0" * 50 + end) for end in "12")
    assert first != second
    assert len(first) == 20
    assert shortened("short") == "short"


def test_probabilities_are_never_certain():
    assert [percent(value) for value in (0.0, 0.004, 0.5, 0.974, 0.996, 1.0, None)] == [
        "below 1 %",
        "below 1 %",
        "50 %",
        "97 %",
        "above 99 %",
        "above 99 %",
        "not available",
    ]


def center_of_mass(plane):
    """(row, column) in pixels."""
    rows, columns = np.indices(plane.shape)
    weights = np.where(plane > 0.05, plane, 0).astype(float)
    return [(weights * index).sum() / weights.sum() for index in (rows, columns)]


def bright(pixels):
    """Number of pixels in each column that are brighter than the background of a scan."""
    return (pixels.sum(axis=2) > 100).sum(axis=0)


def color_of_slice(strip, index) -> int:
    """How many pixels of a slice are not gray."""
    left, width = strip.spans[index]
    pixels = np.asarray(strip.image, int)[:, left : left + width]
    return int((np.ptp(pixels, axis=2) > 20).sum())


def red_pixels(image) -> int:
    red, green, blue = np.moveaxis(np.asarray(image, int)[84:134], -1, 0)
    return int(((red > 190) & (green < 60) & (blue > 20) & (blue < 70)).sum())
