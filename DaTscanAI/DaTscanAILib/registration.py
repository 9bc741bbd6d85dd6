"""Affine registration of a scan to the FP-CIT template in MNI space, with a quality that tells when it failed.

Striatal uptake runs from full to none, left unlike right, and cameras differ in attenuation and resolution: one mean
template would pull the fit. So a linear basis of templates (mean and leading principal components of simulated scans)
is fitted together with the affine (`template_fit.py`), from a start at the center of mass; other starts and reversed
headers are tried only where the quality is low.
"""

import json
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .errors import DaTscanError
from .geometry import apply_affine
from .resources import resource_path
from .scan import Scan
from .template_fit import PRIOR_MEAN, Fit, SmoothScan, Template, center_of_mass, fit_template, load_template

# A fit is accepted from the first quality on; a header's flip is corrected from the second.
ACCEPTED_FROM, FLIP_CORRECTED_FROM = 0.5, 0.8
GOOD_ERROR = 4.0  # mm, mean over `LANDMARKS`
MOST_TURN = 4.0  # standard deviations of 15 degrees
TYPICAL_TRACER_SCORE = -2.2  # of DAT scans

# MNI mm: heads of the caudates, putamina front and back; poles, vertex, temporal and parietal cortex.
LANDMARKS = np.array(
    [
        (-12, 12, 8),
        (12, 12, 8),
        (-25, 8, 2),
        (25, 8, 2),
        (-28, -10, 4),
        (28, -10, 4),
        (0, 66, 2),
        (0, -100, 2),
        (0, -20, 76),
        (-64, -20, 6),
        (64, -20, 6),
        (-44, 10, -32),
        (44, 10, -32),
        (-46, -62, 42),
        (46, -62, 42),
    ],
    float,
)


@dataclass(frozen=True)
class Registration:
    """An affine and how far it can be trusted.

    Attributes:
        scanner_from_mni: 4x4, takes an MNI point (RAS mm) to the scanner point (RAS mm).
        quality: 0 to 1, the estimated probability that this is a DAT scan of a whole brain whose mean landmark error
            is below `GOOD_ERROR` mm; 1 for a transform that a person gave.
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


def manual_registration(scanner_from_mni: np.ndarray) -> Registration:
    """A transform that a person gave, taken as it is.

    Raises:
        DaTscanError: not an invertible affine.
    """
    matrix = np.asarray(scanner_from_mni, float)
    is_affine = matrix.shape == (4, 4) and np.isfinite(matrix).all() and np.allclose(matrix[3], (0, 0, 0, 1))
    if not is_affine or abs(np.linalg.det(matrix[:3, :3])) < 1e-3:
        raise DaTscanError("The given transform is no invertible affine: give a 4x4 matrix scanner-from-MNI, RAS mm.")
    return Registration(matrix, 1.0, True, {}, manual=True)


def landmark_error(scanner_from_mni: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance in mm between the landmarks taken through two affines."""
    difference = apply_affine(scanner_from_mni, LANDMARKS) - apply_affine(truth, LANDMARKS)
    return float(np.linalg.norm(difference, axis=1).mean())


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


def quality_of(fit: Fit, template: Template) -> float:
    """Logistic model of a fit's features, made by `Resources/Templates/calibrate_registration.py`.

    A brain of which less than 70 % is in the field of view is never accepted, whatever the rest of it looks like, nor
    is a head turned by more than 60 degrees against the header. A header that runs back to front, or that exchanges
    two axes, looks like a turn of 180 or 90 degrees, as brains are nearly symmetric, but exchanges left and right.
    """
    model = _quality_model()
    inputs = quality_inputs(fit, other_tracer_score(fit, template))
    score = model["intercept"] + float(np.dot(model["weights"], inputs))
    probability = 1 / (1 + np.exp(-np.clip(score, -60, 60)))
    return float(probability * limits_factor(fit))


def quality_inputs(fit: Fit, other_tracer: float) -> np.ndarray:
    """The logistic model's inputs, each within its useful range."""
    features = fit.features
    return np.array(
        [
            np.log(np.clip(features["unexplained"], 0.01, 3)),
            np.log(np.clip(features["residual"], 0.03, 2)),
            np.log(np.clip(features["unusual_pattern"], 0.4, 10)),
            np.log(np.clip(features["largest_component"], 1.5, 30)),
            np.log(np.clip(features["unusual_shape"], 0.4, 20)),
            np.clip(features["turn"], 1, 6),
            np.clip(features["coverage"], 0.6, 1),
            np.clip(other_tracer, -6, 6),
        ]
    )


def other_tracer_score(fit: Fit, template: Template) -> float:
    """How much the components look like blood flow or glucose (positive) rather than DAT (negative)."""
    direction = np.asarray(_quality_model()["other_tracer"]["weights"])
    if fit.coefficients.size != direction.size:  # a lost fit
        return 0.0
    if template is not load_template():  # its components have another order
        return TYPICAL_TRACER_SCORE
    return float(direction @ np.clip(fit.coefficients, -10, 10) + _quality_model()["other_tracer"]["intercept"])


def limits_factor(fit: Fit) -> float:
    """0 for 60 % of the brain in the field of view, 1 from 80 %; 0 for a head turned by more than `MOST_TURN`."""
    if fit.features["turn"] > MOST_TURN:
        return 0.0
    return float(np.clip((fit.features["coverage"] - 0.6) / 0.2, 0, 1))


@lru_cache(maxsize=1)
def _quality_model():
    return json.loads(resource_path("Templates", "registration_quality.json").read_text())
