"""How smooth a scan is, measured on the scan itself: the Gaussian that best takes the atlas to what is seen.

The outlines of caudate, front and back putamen, accumbens, pallidum, thalamus, of the fluid spaces and of the brain
are blurred with Gaussians of many widths. For each width the scan around the striata is fitted by least squares with
one uptake for each outline and a background that varies smoothly; the width that leaves least is the scan's. Uptakes
are free, so neither loss of binding nor a missing attenuation correction changes it much. What the
patient's anatomy differs from the atlas counts as blur too, so the number bounds the camera's own resolution from
above, alike for all scans of a camera: right for setting scans beside each other.
"""

from functools import lru_cache

import numpy as np

from ..mni.atlas import GRID_AFFINE, GRID_SPACING, SIDES, Atlas, load_atlas
from ..mni.geometry import FWHM_PER_SIGMA

WIDTHS = np.arange(6.0, 31.0, 2.0)  # FWHM in mm; between them the minimum is that of a parabola
# Around the striata, on the 2-mm grid, and as much more on each side as the widest blur looks at.
_BOX = (slice(15, 75), slice(38, 84), slice(19, 57))
_MARGIN = 10
_BLOCK = 2  # voxels of the grid that are averaged along each axis: noise and work shrink, structures do not
_BACK_OF_PUTAMEN = 2.0  # mm, MNI y; behind it disease begins
_NAMES = ("Pallidum", "Thalamus", "Accumbens")
_FLUID = 1  # of the atlas's tissues


def measure_smoothness(normalized: np.ndarray) -> float:
    """Full width at half maximum in mm of the Gaussian that takes the atlas to the scan.

    Args:
        normalized: `(91, 109, 91)` in MNI space, any scale.

    Returns:
        Between the ends of `WIDTHS`; an end means that or beyond.
    """
    values = _blocks(normalized[_BOX]).ravel().astype(np.float64)
    whole = float(values @ values)
    left_over = np.array([whole - float(((basis.T @ values) ** 2).sum()) for basis in _bases()])
    best = int(np.clip(np.argmin(left_over), 1, len(WIDTHS) - 2))
    before, at, after = left_over[best - 1 : best + 2]
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return float(WIDTHS[best] + (WIDTHS[1] - WIDTHS[0]) * np.clip(shift, -1, 1))


def widening(from_fwhm: float, to_fwhm: float) -> float:
    """FWHM in mm of the Gaussian that takes one smoothness to another; 0 where it is reached already."""
    return float(np.sqrt(max(to_fwhm**2 - from_fwhm**2, 0.0)))


@lru_cache(maxsize=1)
def _bases():
    """For each width an orthonormal basis `(blocks, outlines + background)`, float32."""
    from scipy.ndimage import gaussian_filter

    padded = tuple(slice(part.start - _MARGIN, part.stop + _MARGIN) for part in _BOX)
    inside = (slice(None), *[slice(_MARGIN // _BLOCK, -_MARGIN // _BLOCK)] * 3)
    outlines = np.stack([_blocks(outline[padded].astype(np.float32)) for outline in _outlines(load_atlas())])
    background = _background()
    bases = []
    for width in WIDTHS:
        sigma = width / FWHM_PER_SIGMA / (GRID_SPACING * _BLOCK)
        blurred = np.stack([gaussian_filter(outline, sigma, truncate=3) for outline in outlines])[inside]
        design = np.concatenate([blurred, background]).reshape(len(outlines) + len(background), -1)
        bases.append(np.linalg.qr(design.T.astype(np.float64))[0].astype(np.float32))
    return bases


def _outlines(atlas: Atlas):
    """Masks `(91, 109, 91)` of what has an uptake of its own."""
    depth = (GRID_AFFINE[1, 3] + GRID_SPACING * np.arange(atlas.labels.shape[1]))[None, :, None]
    masks = []
    for side in SIDES:
        putamen = atlas.anatomical_region("putamen", side)
        masks += [atlas.anatomical_region("caudate", side)]
        masks += [putamen & (depth > _BACK_OF_PUTAMEN), putamen & (depth <= _BACK_OF_PUTAMEN)]
    for word in _NAMES:
        numbers = [number for number, (name, *_) in atlas.names.items() if word.casefold() in name.casefold()]
        masks.append(np.isin(atlas.labels, numbers))
    return [*masks, atlas.tissue == _FLUID, ~atlas.brain]


def _background():
    """Constant, linear and quadratic in each axis `(7, blocks...)`: attenuation and slow differences."""
    axes = np.stack(
        np.meshgrid(*[np.linspace(-1, 1, (part.stop - part.start) // _BLOCK) for part in _BOX], indexing="ij")
    )
    return np.concatenate([np.ones((1, *axes.shape[1:])), axes, axes**2]).astype(np.float32)


def _blocks(voxels):
    """Mean of each block of voxels."""
    x, y, z = (n // _BLOCK for n in voxels.shape)
    return voxels.reshape(x, _BLOCK, y, _BLOCK, z, _BLOCK).mean(axis=(1, 3, 5))
