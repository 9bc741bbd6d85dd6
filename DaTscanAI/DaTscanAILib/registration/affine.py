"""Affine registration of a scan to the FP-CIT template in MNI space, with a quality that tells when it failed.

Striatal uptake runs from full to none, left unlike right, and cameras differ in attenuation and resolution: one mean
template would pull the fit. So a linear basis of templates (mean and leading principal components of simulated scans)
is fitted together with the affine (`template_fit.py`), from a start at the center of mass; other starts and reversed
headers are tried only where the quality is low.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..reading.scan import Scan
from .content import content_of
from .other_images import looks_like
from .own_templates import own_template
from .parameters import checked_affine
from .quality import ACCEPTED_FROM, SURE_FROM
from .reasons import reason_of
from .search import Found, judge, search
from .template import Template, load_template

FLIP_CORRECTED_FROM = 0.8
# Scanner axes along which a header runs the wrong way, in words.
FLIPS = {"S": "upside down", "A": "back to front", "SA": "upside down and back to front"}
BAD_BY_HAND = (
    "The registration that was given by hand does not fit the template (quality {quality:.2f}): compare both, then "
    "correct it or go back to the automatic one."
)
DOUBTFUL = "The registration is doubtful (quality {quality:.2f}): check it by eye, and by hand if it is off."
MOSTLY_ZERO = 0.6  # of the voxels; a circle leaves a quarter
OF_OTHER_IMAGES = 0.01  # the quality of what its content tells to be no DAT scan
WITHOUT_SURROUNDINGS = (
    "The surroundings of the brain seem to be cut away (zeros): the scan was registered without them. Give the scan "
    "before that where you can."
)

TURNED = (
    "The header states no orientation, and the head lies turned by 180 degrees against what was assumed: the scan "
    "was turned."
)
SIDES_UNKNOWN = (
    "Left and right are unknown, because a mirrored scan would fit as well: no numbers by side are given. State the "
    "orientation in the header to have them."
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
        turned: two axes (`RS`, `RA` or `SA`) that a turn by 180 degrees has reversed, where the header states no
            orientation and the patient lay otherwise than assumed; None where nothing was turned.
        sides_known: False where a mirrored scan would fit as well and nothing in the header decides.
        manual: a person gave the transform.
        looks_like: what the image seems to be in place of a DAT scan, in words; None if it may be one.
        reason: why it was not accepted, in words; None if it was.
        warnings: one sentence each.
    """

    scanner_from_mni: np.ndarray
    quality: float
    accepted: bool
    features: dict[str, float]
    flipped: str | None = None
    turned: str | None = None
    sides_known: bool = True
    manual: bool = False
    looks_like: str | None = None
    reason: str | None = None
    warnings: tuple[str, ...] = ()


def register(scan: Scan, template: Template | None = None) -> Registration:
    """Register a scan; it never fails, but the result may not be accepted.

    The header's orientation and the center of mass start the fit. While its quality is below `SURE_FROM`, others
    follow: zeros taken as not measured, other middles, turned heads, and last headers that run the wrong way. Where
    the header states no orientation, patients who lay otherwise than assumed come before mirrored headers.

    Args:
        scan: any orientation, voxel size and field of view; NaN or not covered where it was not measured.
        template: another basis, for experiments; its quality is judged as if the tracer were right.
    """
    template = template or load_template()
    found = search(_measured(scan), scan.affine, template, scan.orientation_assumed)
    return _with_doubt(_decide_on_flip(_registration(found, scan, template)))


def manual_registration(scanner_from_mni: np.ndarray, scan: Scan, template: Template | None = None) -> Registration:
    """A transform that a person gave: it stays where it is, and is judged as an automatic one.

    Raises:
        DaTscanError: not an invertible affine.
    """
    matrix = checked_affine(scanner_from_mni)
    template = template or load_template()
    found = judge(_measured(scan), scan.affine, template, matrix)
    judged = _registration(found, scan, template)
    warnings = () if judged.accepted else (BAD_BY_HAND.format(quality=judged.quality),)
    return replace(judged, scanner_from_mni=matrix, manual=True, warnings=warnings)


def _measured(scan: Scan) -> np.ndarray:
    """float32 `(x, y, z)`, NaN where nothing was measured: a zero there would be taken for air."""
    voxels = np.asarray(scan.voxels, np.float32)
    return voxels if scan.covered is None else np.where(scan.covered, voxels, np.float32(np.nan))


def _registration(found: Found, scan: Scan, template: Template) -> Registration:
    """What was found, refused where the image's content is that of something else."""
    accepted = found.quality >= ACCEPTED_FROM
    voxels = _measured(scan)
    seen = np.where(voxels == 0, np.nan, voxels) if found.without_zeros else voxels
    content = content_of(seen, scan.affine, found.scanner_from_mni)
    other = own_template(voxels, scan.affine) or looks_like(content, accepted)
    quality = min(found.quality, OF_OTHER_IMAGES) if other else found.quality
    accepted = accepted and other is None
    return Registration(
        found.scanner_from_mni,
        quality,
        accepted,
        {name: round(value, 6) for name, value in found.fit.features.items()},
        flipped=found.flipped or None,
        turned=found.turned or None,
        sides_known=found.sides_known,
        looks_like=other,
        reason=None if accepted else reason_of(found.fit, template, _cut_away(found, voxels)),
        warnings=(WITHOUT_SURROUNDINGS,) if found.without_zeros and accepted else (),
    )


def _cut_away(found, voxels):
    """Whether the surroundings of the brain seem to be missing: fitted without zeros, or most of the scan is zero."""
    return found.without_zeros or np.mean(voxels == 0) > MOSTLY_ZERO


def _with_doubt(registration):
    """A warning where the quality lies in the band in which a person should look."""
    if not registration.accepted or registration.quality >= SURE_FROM:
        return registration
    doubt = DOUBTFUL.format(quality=registration.quality)
    return replace(registration, warnings=(*registration.warnings, doubt))


def _decide_on_flip(registration):
    """Correct a header that is upside down, with a warning; refuse those that leave left and right in doubt."""
    if not registration.accepted:
        return replace(registration, flipped=None, turned=None, sides_known=True)
    if registration.turned:
        warnings = (TURNED,) if registration.sides_known else (TURNED, SIDES_UNKNOWN)
        return replace(registration, warnings=(*registration.warnings, *warnings))
    if registration.flipped is None:
        return registration
    if registration.flipped == "S" and registration.quality >= FLIP_CORRECTED_FROM:
        return replace(
            registration,
            warnings=(
                "The header stacks the slices upside down: they were reversed. Check left and right in the original.",
            ),
        )
    way = FLIPS[registration.flipped]
    return replace(
        registration,
        accepted=False,
        reason=f"the header seems to hold the head {way}, so left and right are in doubt",
        warnings=(
            f"The header seems to hold the head {way}: correct its orientation, then left and right can be trusted.",
        ),
    )


def describe_registration(registration: Registration) -> dict:
    """The part `registration` of `result.json`."""
    return {
        "scanner_from_mni_ras": registration.scanner_from_mni.tolist(),
        "quality": registration.quality,
        "accepted": registration.accepted,
        "manual": registration.manual,
        "flipped": registration.flipped,
        "turned": registration.turned,
        "sides_known": registration.sides_known,
        "looks_like": registration.looks_like,
        "reason": registration.reason,
        "features": registration.features,
    }
