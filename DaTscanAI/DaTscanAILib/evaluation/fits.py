"""How far the fits of simulated scans lie from the truth, and whether they were trusted rightly."""

import json
from dataclasses import dataclass

import numpy as np

from ..reading.inputs import Case
from ..registration.landmarks import landmark_error
from .metrics import share_of

FAR = 6.0  # mm, mean over the landmarks, from which a fit must not be accepted


@dataclass(frozen=True)
class JudgedFit:
    """A fit beside the truth.

    Attributes:
        accepted: whether the fit was accepted.
        error: mean distance of the landmarks in mm.
    """

    accepted: bool
    error: float


def judged_fits(results: list[tuple[Case, dict]]) -> list[JudgedFit]:
    """The fits of results, as far as `simulate` wrote their truth.

    Args:
        results: of `read_results`; the truth of `one.nii.gz` is `one.json` beside it.
    """
    found = []
    for case, result in results:
        fit, truth = result.get("registration") or {}, _truth(case)
        if truth is not None and "scanner_from_mni_ras" in fit:
            error = landmark_error(np.array(fit["scanner_from_mni_ras"]), truth)
            found.append(JudgedFit(bool(fit["accepted"]), error))
    return found


def _truth(case):
    """The true affine of a simulated scan, RAS mm from MNI; None for other scans."""
    if case.path is None:
        return None
    path = case.path.with_name(case.path.name.removesuffix(".nii.gz") + ".json")
    if not path.is_file():
        return None
    try:
        truth = json.loads(path.read_text(encoding="utf-8"))
        return np.array(truth["scanner_from_mni_ras"], float).reshape(4, 4)
    except (ValueError, KeyError, TypeError):
        return None  # a file of somebody else's


def describe_fits(fits: list[JudgedFit]) -> dict | None:
    """Shares and errors as JSON data; None without fits.

    Returns:
        `accepted`, `accepted_though_far` (of the accepted), `refused_though_near` (of the near ones), each a share;
        `error_mm` of the accepted: `median`, `percentile_95`, `largest`.
    """
    if not fits:
        return None
    accepted, error = np.array([fit.accepted for fit in fits]), np.array([fit.error for fit in fits])
    near, known = error <= FAR, error[accepted]
    median, high = np.percentile(known, [50, 95]) if known.size else (None, None)
    return {
        "accepted": share_of(accepted),
        "accepted_though_far": share_of(~near[accepted]),
        "refused_though_near": share_of(~accepted[near]),
        "error_mm": {"median": median, "percentile_95": high, "largest": known.max() if known.size else None},
    }
