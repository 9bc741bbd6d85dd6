"""A measured scan set beside a database of normals, first smoothed to their common resolution where they have one."""

from dataclasses import replace

import numpy as np

from ..mni.atlas import GRID_SPACING, load_atlas
from ..mni.geometry import FWHM_PER_SIGMA
from ..reading.scan import Scan
from .against_normals import AgainstNormals, against_normals, no_comparison
from .fingerprint import Fingerprint, fingerprint_of
from .measures import measures_of
from .normals import NormalDatabase
from .sbr import describe_quantification, quantify
from .scaling import REFERENCE_PERCENTILE, Normalized
from .smoothness import widening


def compare_with_normals(
    scan: Scan,
    normalized: Normalized,
    quantification: dict,
    database: NormalDatabase,
    usual_method: bool = True,
    accepted: bool = True,
) -> AgainstNormals:
    """What a database says of a scan.

    Args:
        scan: as read.
        normalized: the same scan in MNI space.
        quantification: as `result.json` has it.
        database: the normals.
        usual_method: whether the SBRs were measured by the default method, as those of all normals are.
        accepted: whether the registration was.
    """
    if not accepted:
        return no_comparison(database, "the registration was not accepted")
    if not usual_method:
        return no_comparison(database, "the SBRs were measured by another method than the normals'")
    fingerprint = fingerprint_of(scan, normalized.voxels)
    if database.common_smoothness_mm is None:
        values = measures_of(quantification)
    else:
        values = smoothed_measures(normalized, fingerprint, database.common_smoothness_mm)
    return against_normals(values, scan.patient.age, scan.patient.sex, fingerprint, database)


def smoothed_measures(normalized: Normalized, fingerprint: Fingerprint, smoothness: float) -> dict[str, float | None]:
    """Measures of a scan after it has been smoothed to a common smoothness (mm); a smoother scan stays as it is."""
    atlas = load_atlas()
    width = widening(fingerprint.smoothness_mm, smoothness)
    return measures_of(describe_quantification(quantify(_smoothed(normalized, width, atlas), atlas)))


def _smoothed(normalized, width, atlas):
    """The scan blurred by a Gaussian (FWHM in mm) and scaled again; outside the field of view nothing leaks in."""
    from scipy.ndimage import gaussian_filter

    if not width:
        return normalized
    sigma = width / FWHM_PER_SIGMA / GRID_SPACING
    share = gaussian_filter(normalized.covered.astype(np.float32), sigma)
    voxels = np.where(
        normalized.covered, gaussian_filter(normalized.voxels, sigma) / np.maximum(share, 1e-3), 0
    ).astype(np.float32)
    level = np.percentile(voxels[atlas.reference & normalized.covered], REFERENCE_PERCENTILE)
    return replace(normalized, voxels=voxels / np.float32(level))
