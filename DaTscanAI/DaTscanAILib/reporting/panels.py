"""Slices in MNI space painted for a person to read: the scan, and the relevance over the MRI template.

All slices are in radiological view: the patient's right and front are on the left, the front or top is above.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..mni.atlas import GRID_AFFINE
from .colors import difference_table, look_up, paint_over, relevance_table, scan_table
from .outlines import draw_outlines

# What a slice shows, in mm: the whole head of the template, of the axes x, y, z.
EXTENT = ((-80.0, 80.0), (-112.0, 80.0), (-60.0, 84.0))
# From below the putamen to above the body of the caudate nucleus; 0 lies in the plane of both commissures.
AXIAL_POSITIONS = (-12.0, -6.0, 0.0, 6.0, 12.0, 18.0, 24.0)
CORONAL_POSITION, PUTAMEN_X = 4.0, 26.0

GAP = 6  # pixels between two slices
# Times the reference region: the same scale for most patients, so that loss looks dark.
SCAN_LIMIT_AT_LEAST = 5.0
RELEVANCE_THRESHOLD = 0.1  # part of the relevance limit below which the MRI shows through
RELEVANCE_OPACITY = 0.85
DIFFERENCE_LIMIT, DIFFERENCE_FROM = 5.0, 1.5  # standard deviations: end of the scale, and from where it is painted

# orientation: (axis across the slice, axis from right to left in the picture, axis from bottom to top)
_AXES = {"axial": (2, 0, 1), "coronal": (1, 0, 2), "sagittal": (0, 1, 2)}


@dataclass(frozen=True)
class Cut:
    """A slice through MNI space: `axial`, `coronal` or `sagittal`, at a position in mm along its normal."""

    orientation: str
    position: float
    sides_known: bool = True

    @property
    def name(self) -> str:
        """Axis and position: "z = +6 mm", "x = -26 mm (left)"."""
        sign = "+" if self.position > 0 else ""
        place = f"{'xyz'[_AXES[self.orientation][0]]} = {sign}{self.position:.0f} mm"
        if self.orientation != "sagittal" or self.position == 0 or not self.sides_known:
            return place
        return f"{place} ({'right' if self.position > 0 else 'left'})"

    @property
    def sides(self) -> tuple[str, str]:
        """Letters of the left and the right edge of the picture."""
        if self.orientation == "sagittal":
            return "A", "P"
        return ("R", "L") if self.sides_known else ("?", "?")


@dataclass(frozen=True)
class Volume:
    """Voxels `(x, y, z)` that cover `EXTENT`, and their voxel-to-RAS affine, which only scales and shifts."""

    voxels: np.ndarray
    affine: np.ndarray

    def __post_init__(self):
        spacing = np.diag(self.affine)[:3]
        if np.any(spacing <= 0) or not np.allclose(self.affine[:3, :3], np.diag(spacing)):
            raise ValueError("The affine of a volume to be painted must scale and shift only, in RAS order.")


@dataclass(frozen=True)
class Strip:
    """Slices side by side, without letters.

    Attributes:
        image: RGB.
        cuts: from left to right.
        spans: left edge and width in pixels of each.
    """

    image: Image.Image
    cuts: tuple[Cut, ...]
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Panels:
    """All slices of one result.

    Attributes:
        scan: axial slices of the scan.
        relevance: the same slices of the relevance over the MRI; None without a map.
        views: a coronal slice of the scan; then the same slice and two sagittal ones of the relevance, or
            without a map the two sagittal ones of the scan.
        scan_limit: upper end of the scan's color scale, times the reference region.
        threshold: part of the relevance limit below which nothing is painted.
        outlined: the regions' outlines are drawn on the scan.
        difference: the same axial slices of the difference from normal over the MRI; None without one.
    """

    scan: Strip
    relevance: Strip | None
    views: Strip
    scan_limit: float
    threshold: float
    outlined: bool = False
    difference: Strip | None = None


def paint_panels(
    normalized: np.ndarray,
    relevance: np.ndarray | None,
    mri: np.ndarray,
    mri_affine: np.ndarray,
    regions: np.ndarray | None = None,
    difference: np.ndarray | None = None,
    axial_scale: float = 1.25,
    view_scale: float = 2.0,
) -> Panels:
    """Paint the slices of the overview and of the report.

    Args:
        normalized: `(91, 109, 91)` on the 2 mm MNI grid, 1 in the reference region.
        relevance: on the same grid, in the patient's own orientation, or None.
        mri: uint8 template in MNI space with its affine `mri_affine`.
        regions: of the atlas, to be outlined on the scan; None leaves the scan bare.
        difference: from normal, in multiples of its spread, on the same grid as the scan; None for no such picture.
        axial_scale: pixels per mm of the axial slices, `view_scale` of the others.
    """
    scan = Volume(normalized, GRID_AFFINE)
    limit = scan_limit(normalized)

    def paint_scan(cut, scale):
        pixels = scan_slice(scan, cut, limit, scale)
        return pixels if regions is None else draw_outlines(pixels, regions, cut, scale)

    coronal = Cut("coronal", CORONAL_POSITION)
    sagittals = [Cut("sagittal", PUTAMEN_X), Cut("sagittal", -PUTAMEN_X)]
    axial, views = None, [(paint_scan, cut) for cut in (coronal, *sagittals)]
    if relevance is not None:
        layers = Volume(relevance, GRID_AFFINE), Volume(mri, mri_affine)
        largest = relevance_limit(relevance)

        def paint_relevance(cut, scale):
            return relevance_slice(*layers, cut, largest, scale)

        axial = axial_mosaic(paint_relevance, scale=axial_scale)
        views = [(paint_scan, coronal), *((paint_relevance, cut) for cut in (coronal, *sagittals))]
    return Panels(
        scan=axial_mosaic(paint_scan, scale=axial_scale),
        relevance=axial,
        views=side_by_side([(cut, paint(cut, view_scale)) for paint, cut in views]),
        scan_limit=limit,
        threshold=RELEVANCE_THRESHOLD,
        outlined=regions is not None,
        difference=None if difference is None else _difference_mosaic(difference, mri, mri_affine, axial_scale),
    )


def _difference_mosaic(difference, mri, mri_affine, scale):
    layers = Volume(difference, GRID_AFFINE), Volume(mri, mri_affine)
    table = difference_table(DIFFERENCE_FROM / DIFFERENCE_LIMIT, RELEVANCE_OPACITY)

    def paint(cut, scale):
        values, background = sample(layers[0], cut, scale), gray_slice(layers[1], cut, scale)
        return colored_slice(values, table, -DIFFERENCE_LIMIT, DIFFERENCE_LIMIT, background)

    return axial_mosaic(paint, scale=scale)


def axial_mosaic(
    paint: Callable[[Cut, float], np.ndarray],
    positions: Sequence[float] = AXIAL_POSITIONS,
    scale: float = 1.25,
) -> Strip:
    """Axial slices side by side from below to above.

    Args:
        paint: makes RGB `(rows, columns, 3)` of a cut and a scale, as `scan_slice` and `relevance_slice` do.
        positions: z in mm.
        scale: pixels per mm.
    """
    cuts = [Cut("axial", position) for position in positions]
    return side_by_side([(cut, paint(cut, scale)) for cut in cuts])


def side_by_side(slices: Sequence[tuple[Cut, np.ndarray]]) -> Strip:
    """Join painted slices of one height, with a thin line between them."""
    rows = slices[0][1].shape[0]
    gap = np.zeros((rows, GAP, 3), np.uint8)
    gap[:, GAP // 2 - 1 : GAP // 2 + 1] = 72
    spans, parts, left = [], [], 0
    for _, pixels in slices:
        spans.append((left, pixels.shape[1]))
        parts += [pixels, gap]
        left += pixels.shape[1] + GAP
    image = Image.fromarray(np.concatenate(parts[:-1], axis=1))
    return Strip(image, tuple(cut for cut, _ in slices), tuple(spans))


def scan_slice(scan: Volume, cut: Cut, limit: float, scale: float) -> np.ndarray:
    """RGB `(rows, columns, 3)` of the scan, from 0 to `limit` times the reference region."""
    return colored_slice(sample(scan, cut, scale), scan_table(), 0.0, limit)


def relevance_slice(
    relevance: Volume,
    mri: Volume,
    cut: Cut,
    limit: float,
    scale: float,
    threshold: float = RELEVANCE_THRESHOLD,
    opacity: float = RELEVANCE_OPACITY,
) -> np.ndarray:
    """RGB `(rows, columns, 3)` of the relevance, from -limit to limit, over the MRI in gray."""
    table = relevance_table(threshold, opacity)
    return colored_slice(sample(relevance, cut, scale), table, -limit, limit, gray_slice(mri, cut, scale))


def gray_slice(mri: Volume, cut: Cut, scale: float) -> np.ndarray:
    """RGB `(rows, columns, 3)` of the MRI in gray, short of white, so that an overlay stands out."""
    brightest = max(1.0, 1.25 * float(mri.voxels.max()))
    gray = np.clip(sample(mri, cut, scale) * (255 / brightest), 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=-1)


def colored_slice(
    values: np.ndarray, table: np.ndarray, low: float, high: float, background: np.ndarray | None = None
) -> np.ndarray:
    """RGB `(rows, columns, 3)` of values by a color table; a background shows through by its alpha."""
    rgba = look_up(values, table, low, high)
    return rgba[..., :3] if background is None else paint_over(background, rgba)


def sample(volume: Volume, cut: Cut, scale: float) -> np.ndarray:
    """Values `(rows, columns)` float32 of a slice, interpolated to `scale` pixels per mm.

    Linear between the two nearest planes, cubic within the plane: Pillow's resampling takes a box with
    fractions of a voxel and costs a tenth of a three-dimensional interpolation.
    """
    normal, across, up = _AXES[cut.orientation]
    plane = _plane(volume, normal, cut.position)
    # in the picture all axes run to smaller coordinates: right to left, front to back, top to bottom
    picture = Image.fromarray(np.ascontiguousarray(plane.T[::-1, ::-1], np.float32))
    left, right = _pixel_range(volume, across)
    top, bottom = _pixel_range(volume, up)
    size = tuple(round((EXTENT[axis][1] - EXTENT[axis][0]) * scale) for axis in (across, up))
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC, box=(left, top, right, bottom)))


def scan_limit(normalized: np.ndarray) -> float:
    """Upper end of the scan's color scale: a whole number, at least 5, that holds the striata."""
    # the striata and some way around, on the 2 mm grid; the percentile leaves single noisy voxels out
    x, y, z = slice(16, 75), slice(48, 80), slice(28, 52)
    return float(max(SCAN_LIMIT_AT_LEAST, np.ceil(np.percentile(normalized[x, y, z], 99.9))))


def relevance_limit(relevance: np.ndarray) -> float:
    """Both ends of the relevance scale: the 99.9th percentile of magnitudes that are not zero; 1 without any.

    Networks that look at a part of the brain give zero elsewhere, which must not change the scale.
    """
    magnitudes = np.abs(relevance[relevance != 0])
    return float(np.percentile(magnitudes, 99.9)) if magnitudes.size else 1.0


def _plane(volume, normal, position):
    """Values at a position in mm along an axis, float32; the last plane beyond the ends."""
    index = (position - volume.affine[normal, 3]) / volume.affine[normal, normal]
    index = float(np.clip(index, 0, volume.voxels.shape[normal] - 1))
    below = int(index)
    above = min(below + 1, volume.voxels.shape[normal] - 1)
    weight = np.float32(index - below)
    # a view, not numpy's take: take copies the whole volume first when its layout is another
    planes = [np.moveaxis(volume.voxels, normal, 0)[plane].astype(np.float32) for plane in (below, above)]
    return (1 - weight) * planes[0] + weight * planes[1]


def _pixel_range(volume, axis):
    """Both ends of `EXTENT` in pixels of the picture of a plane, whose axis runs to smaller coordinates."""
    first, step = volume.affine[axis, 3], volume.affine[axis, axis]
    # a voxel's center is half a pixel from its edge, and pixels are counted from the edge
    low, high = ((place - first) / step + 0.5 for place in EXTENT[axis])
    count = volume.voxels.shape[axis]
    return count - high, count - low
