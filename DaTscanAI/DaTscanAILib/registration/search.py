"""Where a fit starts, and what is tried when it does not convince: the strategy of `affine.py`.

The usual scan needs one fit from its center of mass. While the best quality is below `SURE_FROM`, others follow, the
likelier first; each goes through the coarse levels, and only where it leads to another place is it finished.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ..mni.geometry import apply_affine
from .landmarks import landmark_error
from .parameters import PRIOR_MEAN, affine_from_parameters, parameters_from_affine
from .quality import ACCEPTED_FROM, GOOD_ERROR, SURE_FROM, quality_of
from .smooth_scan import SmoothScan, center_of_head
from .template import Template
from .template_fit import Fit, TemplateFitter

_HOPELESS = 0.05  # qualities below it are all the same: they are of fits of other images, and of lost ones
_MUCH_WORSE = 1.1  # times the cost; fits that end in one place differ by less than 1 %
_SAME_PLACE = 3.0  # mm between the landmarks of two coarse fits that need not both be finished
_LEAST_ZEROS = 0.2  # of the voxels, for zeros to be taken as not measured
_BODY_LEVELS = (0.4, 0.2)  # of the 98th percentile
_OPENING = 10.0  # mm; removes frames, tables and glands, not brains
# What is added to a start's parameters: height, pitch, yaw, front to back; mm and radians.
_OTHER_STARTS = (
    (2, 30.0),
    (2, -30.0),
    (3, np.deg2rad(35)),
    (3, np.deg2rad(-35)),
    (5, np.deg2rad(40)),
    (5, np.deg2rad(-40)),
    (1, 30.0),
    (1, -30.0),
)

# The axes that are reversed where a patient lies otherwise than assumed: feet first, prone, or both.
TURNS = ("RS", "RA", "SA")


@dataclass(frozen=True)
class Found:
    """A judged fit and how the scan was seen for it.

    Attributes:
        fit: the parameters and features.
        quality: of `quality_of`.
        flipped: scanner axes along which the header was reversed, "" if none.
        turned: two scanner axes that a turn by 180 degrees has reversed, "" if none.
        sides_known: False where a mirrored scan would be accepted too.
        without_zeros: zeros were taken as not measured.
    """

    fit: Fit
    scanner_from_mni: np.ndarray
    quality: float
    flipped: str = ""
    turned: str = ""
    sides_known: bool = True
    without_zeros: bool = False


def search(voxels: np.ndarray, affine: np.ndarray, template: Template, orientation_assumed: bool = False) -> Found:
    """The fit of the best quality.

    Args:
        voxels: `(x, y, z)` float32; NaN where nothing was measured.
        affine: 4x4, voxel to scanner RAS mm.
        template: the basis.
        orientation_assumed: whether the patient may have lain otherwise than the affine says.
    """
    plain = _plain(voxels, affine, template)
    start = _start(plain)
    best, fitter = _judged(plain, plain.fit(start)), plain
    bare = _without_zeros(voxels, affine, template) if best.quality < SURE_FROM else None
    if bare is not None:
        found = _judged(bare, bare.fit(start), without_zeros=True)
        if _worth(found) > _worth(best):
            best, fitter = found, bare
    if best.quality < SURE_FROM:
        best = _from_other_starts(fitter, start, best)
    if best.quality < ACCEPTED_FROM and orientation_assumed:
        best = max(best, _turned(plain), key=_worth)
    if best.quality < ACCEPTED_FROM:
        flips = [_mirrored(plain, axes) for axes in ("S", "A", "SA")]
        best = max([best, *flips], key=_worth)
    return best


def fits_from_center(voxels: np.ndarray, affine: np.ndarray, template: Template) -> list[Fit]:
    """The first fit of `search` and, where many voxels are zero, the one without them, for calibrations."""
    plain, bare = _plain(voxels, affine, template), _without_zeros(voxels, affine, template)
    start = _start(plain)
    return [fitter.fit(start) for fitter in (plain, bare) if fitter is not None]


def judge(voxels: np.ndarray, affine: np.ndarray, template: Template, scanner_from_mni: np.ndarray) -> Found:
    """How well the template explains a scan through an affine that is given and stays as it is.

    The quality model knows fits, which lie where the scan is explained best. So what a fit from there would move the
    affine counts too: up to `GOOD_ERROR` is within what the quality means, twice as much leaves nothing of it.
    """
    parameters = parameters_from_affine(scanner_from_mni)
    fitter = _plain(voxels, affine, template)
    found = _judged(fitter, fitter.held(parameters))
    bare = _without_zeros(voxels, affine, template) if found.quality < SURE_FROM else None
    if bare is not None:
        without_zeros = _judged(bare, bare.held(parameters), without_zeros=True)
        if without_zeros.quality > found.quality:
            found, fitter = without_zeros, bare
    if not found.quality:
        return found
    moved = _moved_by_fit(fitter, parameters, found)
    features = {**found.fit.features, "moved_by_fit": moved}
    quality = round(found.quality * float(np.clip(2 - moved / GOOD_ERROR, 0, 1)), 6)
    return replace(found, fit=replace(found.fit, features=features), quality=quality)


def _moved_by_fit(fitter, parameters, held):
    """mm, mean over the landmarks, that a fit from an affine moves it; 0 where that explains the scan no better."""
    fit = _judged(fitter, fitter.fit(parameters))
    return landmark_error(held.scanner_from_mni, fit.scanner_from_mni) if fit.quality > held.quality else 0.0


def _worth(found):
    """By which of several fits the best one is chosen: the quality, and among hopeless ones what they explain.

    What an image is that is no DAT scan is told by its parts, where the fit has put them.
    """
    hopeless = found.quality < _HOPELESS
    return (0.0 if hopeless else found.quality, -found.fit.features["unexplained"])


def _better(found, best):
    """Whether a fit of the same scan from another start takes the place of the best one so far.

    One that is accepted gives way to none that explains the scan much worse: fits that have run into a wrong place
    can look the likelier ones by their quality.
    """
    much_worse = found.fit.cost > _MUCH_WORSE * best.fit.cost
    return _worth(found) > _worth(best) and not (much_worse and best.quality >= ACCEPTED_FROM)


def _start(fitter):
    return np.concatenate([center_of_head(fitter.scan.smoothed(12.0, every=2)), PRIOR_MEAN[3:]])


def _plain(voxels, affine, template):
    return _fitter(voxels, affine, template, np.isfinite(voxels))


def _without_zeros(voxels, affine, template):
    """Zeros, and their neighbors that a reslicing has mixed with them, taken as not measured; None for few zeros."""
    zero = voxels == 0
    if zero.mean() < _LEAST_ZEROS:
        return None
    return _fitter(voxels, affine, template, np.isfinite(voxels) & ~ndimage.binary_dilation(zero))


def _fitter(voxels, affine, template, covered):
    if covered.all():
        return TemplateFitter(SmoothScan(voxels, affine).smoothed(template.fwhm), template)
    scan = SmoothScan(np.where(covered, voxels, 0), affine, covered.astype(np.float32))
    return TemplateFitter(scan.smoothed(template.fwhm), template)


def _judged(fitter, fit, **seen):
    # Rounded far below the accuracy, so that rounding noise of thread counts does not reach the results.
    return Found(fit, np.round(fit.scanner_from_mni, 6), round(quality_of(fit, fitter.template), 6), **seen)


def _from_other_starts(fitter, start, best):
    """The best of `best` and of fits from other middles and turns."""
    visited = [best.scanner_from_mni]
    for other in _starts(fitter.scan, start):
        parameters = fitter.approach(other)
        if parameters is None:
            continue
        place = affine_from_parameters(parameters)
        if any(landmark_error(place, known) < _SAME_PLACE for known in visited):
            continue
        found = _judged(fitter, fitter.finish(parameters), without_zeros=best.without_zeros)
        visited += [place, found.scanner_from_mni]
        best = found if _better(found, best) else best
        if best.quality >= SURE_FROM:
            break
    return best


def _starts(scan, start):
    for middle in _middles_of_bodies(scan):
        yield np.concatenate([middle, start[3:]])
    for index, shift in _OTHER_STARTS:
        other = start.copy()
        other[index] += shift
        yield other


def _middles_of_bodies(scan):
    """Scanner mm of the middle of the largest compact body, at two levels of uptake."""
    coarse = scan.smoothed(12.0, every=2)
    ceiling = np.percentile(coarse.voxels, 98)
    edges = np.linalg.norm(coarse.affine[:3, :3], axis=0)
    ball = np.ones([2 * max(1, round(_OPENING / edge)) + 1 for edge in edges], bool)
    for level in _BODY_LEVELS:
        body, count = ndimage.label(ndimage.binary_opening(coarse.voxels > level * ceiling, ball))
        if count:
            largest = 1 + np.argmax(np.bincount(body.ravel())[1:])
            yield apply_affine(coarse.affine, np.array(ndimage.center_of_mass(body == largest)))


def _turned(fitter):
    """The best fit of a patient who lies otherwise than assumed, head or feet first, supine or prone.

    Brains are nearly symmetric, so the same scan mirrored from right to left mostly fits as well.
    """
    turns = [(_mirrored(fitter, axes), axes) for axes in TURNS]
    best, axes = max(turns, key=lambda turn: turn[0].quality)
    best = replace(best, flipped="", turned=axes)
    if best.quality < ACCEPTED_FROM:
        return best
    mirrored = _mirrored(fitter, axes.replace("R", "") if "R" in axes else f"R{axes}")
    return replace(best, sides_known=mirrored.quality < ACCEPTED_FROM)


def _mirrored(fitter, axes):
    """Fit with the header reversed along scanner axes."""
    reflection = np.diag([*(-1.0 if axis in axes else 1.0 for axis in "RAS"), 1.0])
    mirrored = fitter.moved(reflection)
    found = _judged(mirrored, mirrored.fit(_start(mirrored)), flipped=axes)
    return replace(found, scanner_from_mni=reflection @ found.scanner_from_mni)
