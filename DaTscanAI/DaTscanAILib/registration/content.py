"""What an image shows, measured where the fit found the brain: sharpness, grey levels, uptake of the brain's parts.

The numbers by which `other_images.py` tells MRI, CT, label maps and other tracers from a DAT scan.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from ..mni.atlas import GRID_AFFINE, load_atlas
from ..mni.geometry import FWHM_PER_SIGMA, apply_affine
from .smooth_scan import SmoothScan

# The slab around the striata in which edges are measured, MNI mm, and its grid.
_SLAB = ((-74.0, 74.0), (-108.0, 76.0), (-10.0, 24.0))
_SLAB_SPACING = 2.0
_EDGE_SMOOTHING = 3.0  # mm, so that the noise of single voxels makes no edge
_NEIGHBORHOOD = 7  # grid points across, within which an edge's whole contrast lies
_LEAST_CONTRAST = 0.5  # of the cortex' level
_SHARPEST = 10  # percentile of the edges' widths
_FEWEST_EDGES = 60
# A step blurred by a Gaussian of FWHM w rises by 0.94 of its height over w at its steepest.
_STEEPEST = FWHM_PER_SIGMA / np.sqrt(2 * np.pi)
_POINTS_PER_PART = 300
_WHITE_FROM = 28.0  # MNI mm


@dataclass(frozen=True)
class Content:
    """Measures of an image.

    Attributes:
        levels: how many different values its nonzero voxels have, counted to 2,000.
        equal_neighbors: share of neighboring nonzero voxels of exactly the same value.
        jumps: share of the unequal ones that differ by more than one level.
        edge_width: mm, FWHM of the sharpest of the strong edges; None where there are too few.
        parts: means of the brain's parts over that of the cortex; NaN outside the field of view.
        around: level of scalp and skull over that of the cortex.
        air: level of the image's corners over that of the cortex.
    """

    levels: int
    equal_neighbors: float
    jumps: float
    edge_width: float | None
    parts: dict[str, float]
    around: float
    air: float


def content_of(voxels: np.ndarray, affine: np.ndarray, scanner_from_mni: np.ndarray) -> Content:
    """Measure an image.

    Args:
        voxels: `(x, y, z)` float32; NaN where nothing was measured.
        affine: 4x4, voxel to scanner RAS mm.
        scanner_from_mni: 4x4, of the fit.
    """
    covered = np.isfinite(voxels)
    scan = SmoothScan(voxels if covered.all() else np.where(covered, voxels, 0), affine)
    parts = {name: _mean(scan, scanner_from_mni, points, name == "cerebellum") for name, points in _parts().items()}
    cortex = parts.pop("cortex")
    unit = cortex if np.isfinite(cortex) and cortex > 0 else np.nan
    around = parts.pop("around") / unit
    levels, equal, jumps = _grey_levels(scan.voxels)
    return Content(
        levels,
        equal,
        jumps,
        _edge_width(scan, scanner_from_mni, unit),
        {name: value / unit for name, value in parts.items()},
        around,
        _corners(scan.voxels) / unit,
    )


@lru_cache(maxsize=1)
def _parts() -> dict[str, np.ndarray]:
    """MNI points of each part, the inside of it where it is large."""
    atlas = load_atlas()
    # Above the striata, whose uptake would spill into it.
    white = ndimage.binary_erosion(atlas.tissue == 3) & ~atlas.where(lambda _, lobe: lobe == "brain stem")
    white[:, :, : _index_of_height(_WHITE_FROM)] = False
    grey, distance = atlas.tissue == 2, atlas.distance_from_brain
    masks = {
        "cortex": grey & atlas.where(lambda _, lobe: lobe in ("frontal", "parietal", "temporal", "occipital")),
        "occipital": grey & atlas.where(lambda _, lobe: lobe == "occipital"),
        "white": white,
        "ventricles": atlas.where(lambda name, _: name.startswith("Lateral_Ventricle")),
        "striatum": atlas.where(lambda name, _: name.startswith(("Putamen", "Caudate"))),
        "thalamus": atlas.where(lambda name, _: name.startswith("Thalamus")),
        "stem": atlas.where(lambda name, _: name == "Brain_Stem"),
        "cerebellum": atlas.reference & atlas.where(lambda _, lobe: lobe == "cerebellum"),
        "around": (distance > 5) & (distance < 12),
    }
    return {name: _some_points(mask) for name, mask in masks.items()}


def _index_of_height(z):
    return round((z - GRID_AFFINE[2, 3]) / GRID_AFFINE[2, 2])


def _some_points(mask):
    index = np.argwhere(mask)
    chosen = index[np.linspace(0, len(index) - 1, min(_POINTS_PER_PART, len(index))).astype(int)]
    return apply_affine(GRID_AFFINE, chosen).astype(np.float32)


def _mean(scan, scanner_from_mni, points, without_zeros):
    """NaN where the field of view lacks most; its lower end, filled with zeros, is where the cerebellum lies."""
    values, _, inside = scan.sample(scanner_from_mni, points)
    inside = inside & (values != 0) if without_zeros else inside
    return float(values[inside].mean()) if inside.mean() > 0.3 else np.nan


def _grey_levels(voxels):
    """Different values, share of equal neighbors, share of jumps over a level; of at most some 200,000 voxels."""
    step = max(1, round((voxels.size / 200_000) ** 0.5))
    plane = voxels[:, ::step, ::step]
    values = np.unique(plane)
    if values.size > 2000:
        return 2000, 0.0, 0.0
    level = np.searchsorted(values, plane)
    first, second = level[1:], level[:-1]
    both = (plane[1:] != 0) & (plane[:-1] != 0)
    change = np.abs(first - second)[both]
    unequal = change[change > 0]
    equal = float((change == 0).mean()) if change.size else 1.0
    return int(values.size), equal, float((unequal > 1).mean()) if unequal.size else 0.0


@lru_cache(maxsize=1)
def _slab_points():
    axes = [np.arange(low, high + 1, _SLAB_SPACING) for low, high in _SLAB]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)
    return grid.reshape(-1, 3), grid.shape[:3]


def _edge_width(scan, scanner_from_mni, unit):
    points, shape = _slab_points()
    values, _, inside = scan.sample(scanner_from_mni, points)
    values, usable = values.reshape(shape), (inside & (values != 0)).reshape(shape)
    smooth = ndimage.gaussian_filter(values, _EDGE_SMOOTHING / FWHM_PER_SIGMA / _SLAB_SPACING)
    contrast = ndimage.maximum_filter(smooth, _NEIGHBORHOOD) - ndimage.minimum_filter(smooth, _NEIGHBORHOOD)
    slope = np.sqrt(sum(part**2 for part in np.gradient(smooth, _SLAB_SPACING)))
    # A mask's edge is sharp in every kind of image.
    usable = ndimage.minimum_filter(usable, _NEIGHBORHOOD) & (contrast > _LEAST_CONTRAST * unit)
    if np.count_nonzero(usable) < _FEWEST_EDGES:
        return None
    width = _STEEPEST * contrast[usable] / np.maximum(slope[usable], 1e-9)
    return float(np.sqrt(max(np.percentile(width, _SHARPEST) ** 2 - _EDGE_SMOOTHING**2, 0)))


def _corners(voxels):
    """Median of the eight corners, an eighth of each axis long."""
    ends = [np.r_[0 : max(1, n // 8), n - max(1, n // 8) : n] for n in voxels.shape]
    return float(np.median(voxels[np.ix_(*ends)]))
