"""Affine registration of a scan to the FP-CIT template in MNI space, with a quality that tells when it failed.

Striatal uptake runs from full to none, left unlike right, and cameras differ in attenuation and resolution: one mean
template would pull the fit. So a linear basis of templates (mean and leading principal components of simulated scans)
is fitted together with the affine (`template_fit.py`), from a start at the center of mass; other starts and reversed
headers are tried only where the quality is low.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..base.errors import DaTscanError
from ..reading.scan import Scan
from .held_affine import evaluate_affine
from .quality import ACCEPTED_FROM, quality_of
from .template_fit import PRIOR_MEAN, SmoothScan, Template, center_of_mass, fit_template, load_template

# A fit is accepted from the first quality on; a header's flip is corrected from the second.
FLIP_CORRECTED_FROM = 0.8
BAD_BY_HAND = (
    "The registration that was given by hand does not fit the template (quality {quality:.2f}): compare both, then "
    "correct it or go back to the automatic one."
)


@dataclass(frozen=True)
class Registration:
    """An affine and how far it can be trusted.

    Attributes:
        scanner_from_mni: 4x4, takes an MNI point (RAS mm) to the scanner point (RAS mm).
        quality: 0 to 1, the estimated probability that this is a DAT scan of a whole brain whose mean landmark error
            is below `GOOD_ERROR` mm.
        accepted: the quality reaches `ACCEPTED_FROM`.
        features: what the quality was computed from.
        flipped: axes along which the header runs the wrong way (`S`, `A` or `SA`), None if it is right.
        manual: a person gave the transform.
        warnings: one sentence each.
    """

    scanner_from_mni: np.ndarray
    quality: float
    accepted: bool
    features: dict[str, float]
    flipped: str | None = None
    manual: bool = False
    warnings: tuple[str, ...] = ()


def register(scan: Scan, template: Template | None = None) -> Registration:
    """Register a scan; it never fails, but the result may not be accepted.

    The header's orientation and the center of mass start the fit. If its quality is low, other starts follow: turned
    heads, a center higher or lower, and headers that run the wrong way.

    Args:
        scan: any orientation, voxel size and field of view.
        template: another basis, for experiments; its quality is judged as if the tracer were right.
    """
    template = template or load_template()
    smooth = SmoothScan(scan.voxels, scan.affine).smoothed(template.fwhm)
    start = PRIOR_MEAN.copy()
    start[:3] = center_of_mass(smooth.smoothed(12.0, every=2))
    best = _judged(fit_template(smooth, template, start), template)
    starts = iter(_other_starts(start))
    while best.quality < ACCEPTED_FROM and (other := next(starts, None)) is not None:
        best = max(best, _judged(fit_template(smooth, template, other), template), key=_quality)
    if best.quality < ACCEPTED_FROM:
        best = max([best, *(_mirrored_fit(smooth, template, start, axes) for axes in ("S", "A", "SA"))], key=_quality)
    return _decide_on_flip(best)


def manual_registration(scanner_from_mni: np.ndarray, scan: Scan, template: Template | None = None) -> Registration:
    """A transform that a person gave: it stays where it is, and is judged as an automatic one.

    Raises:
        DaTscanError: not an invertible affine.
    """
    matrix = checked_affine(scanner_from_mni)
    template = template or load_template()
    smooth = SmoothScan(scan.voxels, scan.affine).smoothed(template.fwhm)
    judged = _judged(evaluate_affine(smooth, template, matrix), template)
    warnings = () if judged.accepted else (BAD_BY_HAND.format(quality=judged.quality),)
    return replace(judged, scanner_from_mni=matrix, manual=True, warnings=warnings)


def checked_affine(matrix: np.ndarray) -> np.ndarray:
    """The matrix as floats.

    Raises:
        DaTscanError: not an invertible affine.
    """
    matrix = np.asarray(matrix, float)
    is_affine = matrix.shape == (4, 4) and np.isfinite(matrix).all() and np.allclose(matrix[3], (0, 0, 0, 1))
    if not is_affine or abs(np.linalg.det(matrix[:3, :3])) < 1e-3:
        raise DaTscanError("The given transform is no invertible affine: give a 4x4 matrix scanner-from-MNI, RAS mm.")
    return matrix


def _other_starts(start):
    """Pitched and turned heads, and a center of mass that a hot gland or a cut field of view has pulled away."""
    for index, shift in (
        (2, 30),
        (2, -30),
        (3, np.deg2rad(35)),
        (3, np.deg2rad(-35)),
        (5, np.deg2rad(40)),
        (5, np.deg2rad(-40)),
        (1, 30),
        (1, -30),
    ):
        other = start.copy()
        other[index] += shift
        yield other


def _mirrored_fit(scan, template, start, axes):
    """Fit with the header reversed along scanner axes about the middle of the head."""
    reflection = np.eye(4)
    for axis in axes:
        row = "RAS".index(axis)
        reflection[row, row], reflection[row, 3] = -1, 2 * start[row]
    mirrored = SmoothScan(scan.voxels, reflection @ scan.affine)
    fit = _judged(fit_template(mirrored, template, start), template)
    return replace(fit, scanner_from_mni=reflection @ fit.scanner_from_mni, flipped=axes)


def _decide_on_flip(registration):
    """Correct a header that is upside down, with a warning; refuse those that leave left and right in doubt."""
    if registration.flipped is None or registration.quality < ACCEPTED_FROM:
        return replace(registration, flipped=None)
    if registration.flipped == "S" and registration.quality >= FLIP_CORRECTED_FROM:
        return replace(
            registration,
            warnings=(
                "The header stacks the slices upside down: they were reversed. Check left and right in the original.",
            ),
        )
    way = {"S": "upside down", "A": "back to front", "SA": "upside down and back to front"}[registration.flipped]
    return replace(
        registration,
        accepted=False,
        warnings=(
            f"The header seems to hold the head {way}: correct its orientation, then left and right can be trusted.",
        ),
    )


def _judged(fit, template):
    # Rounded far below the accuracy, so that rounding noise of thread counts does not reach the results.
    quality = round(quality_of(fit, template), 6)
    features = {name: round(value, 6) for name, value in fit.features.items()}
    return Registration(np.round(fit.scanner_from_mni, 6), quality, quality >= ACCEPTED_FROM, features)


def _quality(registration):
    return registration.quality


def describe_registration(registration: Registration) -> dict:
    return {
        "scanner_from_mni_ras": registration.scanner_from_mni.tolist(),
        "quality": registration.quality,
        "accepted": registration.accepted,
        "manual": registration.manual,
        "flipped": registration.flipped,
        "features": registration.features,
    }
