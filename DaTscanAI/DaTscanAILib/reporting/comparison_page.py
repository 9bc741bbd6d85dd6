"""The one-page PDF of two scans of one patient: numbers, limits, pictures on one scale, difference, graph."""

import numpy as np
from PIL import Image

from ..mni.atlas import GRID_AFFINE, GRID_SPACING
from ..mni.geometry import FWHM_PER_SIGMA
from ..quantification.change import PUBLISHED_LIMIT_PERCENT
from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML
from .colors import relevance_table
from .overview import color_bar, scan_bar, scan_ticks
from .page_parts import LEFT, RIGHT, TOP, draw_footer, draw_warnings
from .panels import Strip, Volume, axial_mosaic, colored_slice, sample, scan_limit, scan_slice
from .pdf import Page, wrap
from .report_pictures import draw_bar, draw_strip
from .unknown_sides import orientation_sentence, sides_are_unknown, strip_without_letters
from .wording import number

_GRAY = (96, 96, 96)
_WIDTH = 452.0  # points, of the strips
_SMOOTHING = 8.0  # mm, full width at half maximum
_DIFFERENCE_LIMIT = 2.0  # multiples of the reference level
_COLUMNS = (("Before", 165), ("After", 205), ("Change", 255), ("per year", 310), ("Limit", 355))
_DIFFERENCE_TICKS = (("-2", 1.0), ("0", 0.5), ("+2", 0.0))


def comparison_bytes(result: dict, before: np.ndarray, after: np.ndarray, graphs: Image.Image | None = None) -> bytes:
    """The page as PDF; the same input gives the same bytes.

    Args:
        result: the content of `comparison.json`.
        before, after: float32 `(91, 109, 91)` in MNI space, reference level 1.
        graphs: of `graph_drawing.graphs_image`, both scans among normals; None leaves them out.
    """
    page = Page(f"DaTscanAI comparison: {result['case']}")
    y = _header(page, result)
    y = _table(page, y, result)
    if graphs is not None:
        height = (RIGHT - LEFT) * graphs.height / graphs.width
        page.image(LEFT, y, RIGHT - LEFT, height, graphs)
        y += height + 2
    sides_known = not any(sides_are_unknown(result.get(scan) or {}) for scan in ("before", "after"))
    y = _pictures(page, y, before, after, sides_known)
    draw_warnings(page, y, result["warnings"], "comparison.json")
    draw_footer(page, result)
    return page.to_bytes()


def difference_slice(difference: Volume, cut, scale: float) -> np.ndarray:
    """RGB `(rows, columns, 3)` of a difference image: orange lost, blue gained, black alike."""
    values = -sample(difference, cut, scale)
    background = np.zeros((*values.shape, 3), np.uint8)
    return colored_slice(values, relevance_table(0.05), -_DIFFERENCE_LIMIT, _DIFFERENCE_LIMIT, background)


def _header(page, result) -> float:
    page.text(LEFT, TOP + 12, "DaTscanAI: two scans of one patient", 17, bold=True)
    page.text(RIGHT, TOP + 12, "Research use only", 10, bold=True, color=_GRAY, align="right")
    page.line(LEFT, TOP + 20, RIGHT, TOP + 20, 0.8, _GRAY)
    page.text(LEFT, TOP + 36, f"Comparison: {result['case']}", 11, bold=True, width=340)
    years = result["years"]
    apart = "time between the scans not known" if years is None else f"{years:.1f} years apart"
    page.text(RIGHT, TOP + 36, apart, 9, align="right")
    camera = (
        "One camera, by the scans' fingerprints." if result["same_camera"] else "NOT one camera: see the warnings."
    )
    page.text(LEFT, TOP + 50, camera, 9, bold=not result["same_camera"])
    return TOP + 58


def _table(page, y, result) -> float:
    page.text(LEFT, y + 11, "Specific binding ratio (SBR)", 9, bold=True)
    for heading, place in _COLUMNS:
        page.text(LEFT + place, y + 11, heading, 9, bold=True, align="right")
    page.line(LEFT, y + 16, RIGHT, y + 16, 0.5, _GRAY)
    y += 16
    for nucleus in HOTTEST_VOLUME_ML:
        for side in ("right", "left"):
            page.text(LEFT, y + 12, f"{nucleus.capitalize()}, {side}", 9)
            _row(page, y, result["change"][f"{nucleus}_{side}"])
            y += 13
    page.line(LEFT, y + 4, RIGHT, y + 4, 0.5, _GRAY)
    note = (
        f"Limit: what 95 % of repeated measurements without change stay within. {result['limits']} Published limits "
        f"in people: {PUBLISHED_LIMIT_PERCENT:.0f} % of the SBR (Booij 1998)."
    )
    for line in wrap(note, RIGHT - LEFT, 7.5):
        page.text(LEFT, y + 13, line, 7.5, color=_GRAY)
        y += 9
    return y + 10


def _row(page, y, change):
    if change is None:
        page.text(LEFT + _COLUMNS[0][1], y + 12, number(None), 9, align="right")
        return
    texts = [number(change["before"]), number(change["after"])]
    texts += ["" if change[key] is None else f"{number(change[key], 0, signed=True)} %" for key in _RATES]
    texts.append(f"± {number(change['limit'])}")
    for text, (_, place) in zip(texts, _COLUMNS, strict=True):
        page.text(LEFT + place, y + 12, text, 9, align="right")
    page.text(RIGHT, y + 12, change["verdict"] or "not judged", 9, align="right")


_RATES = ("percent", "percent_per_year")


def _pictures(page, y, before, after, sides_known) -> float:
    """Both scans on one scale, and the difference."""
    limit = max(scan_limit(before), scan_limit(after))
    for heading, voxels in (("Before, in multiples of the reference region", before), ("After, same scale", after)):
        volume = Volume(voxels, GRID_AFFINE)
        strip = axial_mosaic(lambda cut, scale, volume=volume: scan_slice(volume, cut, limit, scale))
        strip = strip if sides_known else strip_without_letters(strip)
        y = _strip_with_bar(page, y, strip, heading, scan_bar(256), scan_ticks(limit))
    both = (before != 0) & (after != 0)
    difference = Volume(_smoothed(np.where(both, after - before, 0).astype(np.float32)), GRID_AFFINE)
    strip = axial_mosaic(lambda cut, scale: difference_slice(difference, cut, scale))
    strip = strip if sides_known else strip_without_letters(strip)
    bar = color_bar(relevance_table(0.05), 22, 256)
    heading = f"After minus before, smoothed by {_SMOOTHING:.0f} mm: orange lost, blue gained"
    y = _strip_with_bar(page, y, strip, heading, bar, _DIFFERENCE_TICKS)
    page.text(LEFT, y + 6, orientation_sentence(sides_known), 7.5, color=_GRAY)
    return y + 12


def _smoothed(difference):
    """For the eye: the noise of two scans hides a change that the numbers find."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(difference, _SMOOTHING / FWHM_PER_SIGMA / GRID_SPACING)


def _strip_with_bar(page, y, strip: Strip, heading, bar, ticks) -> float:
    bottom = draw_strip(page, y, strip, heading, _WIDTH)
    draw_bar(page, _WIDTH, y + 16, bottom - 14, bar, ticks)
    return bottom
