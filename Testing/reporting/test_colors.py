"""Color tables: lightness, symmetry, transparency, and the bins of a range."""

import numpy as np
import pytest

from DaTscanAILib.reporting.colors import bin_centers, look_up, paint_over, relevance_table, scan_table


def test_brightness_of_the_scan_is_proportional_to_uptake():
    table = scan_table()
    lightness = cie_lab(table[:, :3])[:, 0]
    assert np.all(np.diff(lightness) > 0)
    assert np.abs(lightness - 100 * bin_centers(0, 1)).max() < 5
    assert np.all(table[:, 3] == 255)


def test_signs_differ_in_the_direction_that_color_blind_people_see():
    yellow_blue = cie_lab(relevance_table()[:, :3])[:, 2]
    assert yellow_blue[:128].max() < -15
    assert yellow_blue[128:].min() > 45


def test_both_signs_are_equally_light_at_the_same_magnitude():
    lightness = cie_lab(relevance_table()[:, :3])[:, 0]
    assert np.abs(lightness[:128] - lightness[:127:-1]).max() < 3
    assert lightness[255] > lightness[192] > lightness[128] + 10


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.5, 1.0])
def test_nothing_is_painted_below_the_threshold(threshold):
    alpha = relevance_table(threshold, opacity=0.8)[:, 3]
    magnitude = np.abs(bin_centers(-1, 1))
    assert np.all(alpha[magnitude < threshold] == 0)
    assert np.all(alpha[127:129] == 0)
    visible = (magnitude >= threshold) & (magnitude > 1 / 256)
    assert np.all(alpha[visible] > 0)
    assert np.array_equal(alpha, alpha[::-1])


def test_opacity_holds_at_the_limit_and_falls_towards_zero():
    alpha = relevance_table(0.0, opacity=0.8)[:, 3].astype(int)
    assert alpha[255] == round(0.8 * 255 * np.sqrt(255 / 256))
    assert np.all(np.diff(alpha[129:]) >= 0)
    assert alpha[160] == round(0.8 * 255 * np.sqrt(65 / 256))


def test_bins_are_half_open_and_ends_hold_everything_beyond():
    table = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, axis=1)
    values = [-9.0, -1.0, -1e-6, 0.0, 0.99 / 128, 1.01 / 128, 1.0, 9.0]
    assert look_up(values, table, -1.0, 1.0)[:, 0].tolist() == [0, 0, 127, 128, 128, 129, 255, 255]


def test_tiny_limits_do_not_overflow():
    limit = 1e-38
    assert look_up(np.float32([-limit, limit]), relevance_table(), -limit, limit)[:, 2].tolist() == [255, 56]


def test_alpha_weighs_color_against_background():
    background = np.full((3, 3), 100, np.uint8)
    rgba = np.array([(200, 0, 50, 0), (200, 0, 50, 255), (200, 0, 50, 51)], np.uint8)
    assert paint_over(background, rgba).tolist() == [[100, 100, 100], [200, 0, 50], [120, 80, 90]]


def cie_lab(rgb) -> np.ndarray:
    """CIE L*a*b* (D65) of sRGB from 0 to 255 (IEC 61966-2-1)."""
    encoded = np.asarray(rgb, float) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratios = linear @ to_xyz.T / (0.9505, 1.0, 1.089)
    f = np.where(ratios > (6 / 29) ** 3, np.cbrt(ratios), ratios / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=-1)
