"""Fit the logistic model that turns the features of a registration into its quality.

    python Resources/Templates/calibrate_registration.py --workers 2

Every case is a fit from one start: simulated DAT scans (seeds 200000 and up) from their center of mass, the same with
turned, mirrored or halved heads, and images that are no DAT scan. A fit counts as good if it is a DAT scan of a whole
brain and its mean landmark error is below 4 mm. Needs scikit-learn. Writes registration_quality.json and prints the
calibration by tenfold cross-validation.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "DaTscanAI"))

from DaTscanAILib.mni.geometry import translation
from DaTscanAILib.registration.landmarks import landmark_error
from DaTscanAILib.registration.quality import GOOD_ERROR, limits_factor, quality_inputs
from DaTscanAILib.registration.template_fit import PRIOR_MEAN, SmoothScan, center_of_mass, fit_template, load_template
from DaTscanAILib.simulation.head import rotation
from DaTscanAILib.simulation.nonsense import KINDS, simulate_nonsense
from DaTscanAILib.simulation.simulator import simulate_scan

FIRST_SEED = 200_000
TURNS = {
    "pitch 35": (35, 0, 0),
    "pitch -35": (-35, 0, 0),
    "pitch 60": (60, 0, 0),
    "roll 90": (0, 90, 0),
    "yaw 60": (0, 0, 60),
    "yaw 90": (0, 0, 90),
}
FLIPS = {"flip S": (1, 1, -1), "flip A": (1, -1, 1), "flip SA": (1, -1, -1)}


def about(center, matrix):
    """4x4 that applies a 3x3 matrix about a point."""
    whole = np.eye(4)
    whole[:3, :3] = matrix
    return translation(center) @ whole @ translation(-np.asarray(center))


def variants(scan):
    """(name, voxels, affine, true affine, whole brain?) of one scan, the unchanged one first."""
    truth, center = (
        scan.pose.scanner_from_mni,
        scan.affine[:3, :3] @ (np.array(scan.voxels.shape) / 2) + scan.affine[:3, 3],
    )
    yield "as it is", scan.voxels, scan.affine, truth, True
    for name, angles in TURNS.items():
        change = about(center, rotation(*angles))
        yield name, scan.voxels, change @ scan.affine, change @ truth, True
    for name, signs in FLIPS.items():
        yield name, scan.voxels, about(center, np.diag(signs)) @ scan.affine, None, False
    middle = np.rint((np.linalg.inv(scan.affine) @ truth @ (0, -18, 8, 1))[:3]).astype(int)
    lower = scan.affine.copy()
    lower[:3, 3] += scan.affine[:3, 2] * middle[2]
    yield "upper half", scan.voxels[:, :, middle[2] :], lower, None, False
    yield "lower half", scan.voxels[:, :, : middle[2]], scan.affine, None, False
    for name, axis in (("right half", 0), ("front half", 1)):
        half = scan.voxels.copy()
        half[tuple(slice(None, middle[axis]) if k == axis else slice(None) for k in range(3))] = 0
        yield name, half, scan.affine, None, False


def fit_of(voxels, affine):
    template = load_template()
    smooth = SmoothScan(np.ascontiguousarray(voxels, np.float32), affine).smoothed(template.fwhm)
    start = PRIOR_MEAN.copy()
    start[:3] = center_of_mass(smooth.smoothed(12.0, every=2))
    return fit_template(smooth, template, start)


def cases_of_seed(seed):
    """[(kind, landmark error or None, fit)] of one simulated scan, its variants, and images that are none."""
    cases = []
    changed = seed % 4 == 0  # the unchanged scan is the common case
    for number, (name, voxels, affine, truth, whole) in enumerate(variants(simulate_scan(seed))):
        if number and not changed:
            break
        fit = fit_of(voxels, affine)
        cases.append((name, landmark_error(fit.scanner_from_mni, truth) if whole else None, fit))
    if changed:
        for kind in KINDS:
            for extra in range(3 if kind in ("perfusion", "fdg") else 1):
                cases.append((kind, None, fit_of(*simulate_nonsense(kind, 10 * seed + extra))))
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=320)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.workers) as pool:
        by_seed = list(pool.map(cases_of_seed, range(FIRST_SEED, FIRST_SEED + arguments.seeds)))
    cases = [case for group in by_seed for case in group]
    groups = np.repeat(np.arange(len(by_seed)), [len(group) for group in by_seed])
    kinds = np.array([kind for kind, *_ in cases])
    error = np.array([np.nan if error is None else error for _, error, _ in cases])
    fits = [fit for *_, fit in cases]
    tracer_model, tracer_score = calibrate_tracer(kinds, error, fits, groups)
    inputs = np.array([quality_inputs(fit, score) for fit, score in zip(fits, tracer_score, strict=True)])
    good = error < GOOD_ERROR
    model = LogisticRegression(C=1.0, max_iter=100_000)
    folds = StratifiedGroupKFold(10, shuffle=True, random_state=0)
    estimate = cross_val_predict(model, inputs, good, cv=folds, groups=groups, method="predict_proba")[:, 1]
    estimate *= [limits_factor(fit) for fit in fits]
    print_calibration(kinds, error, good, estimate)
    model.fit(inputs, good)
    content = {**as_json(model), "other_tracer": as_json(tracer_model)}
    (HERE / "registration_quality.json").write_text(json.dumps(content) + "\n")


def calibrate_tracer(kinds, error, fits, groups):
    """Linear model of the components that tells blood flow and glucose from DAT, and its cross-validated score."""
    size = max(fit.coefficients.size for fit in fits)
    patterns = np.array(
        [np.clip(fit.coefficients, -10, 10) if fit.coefficients.size == size else np.zeros(size) for fit in fits]
    )
    other = np.isin(kinds, ["perfusion", "fdg"])
    known = other | ((kinds == "as it is") & (error < GOOD_ERROR))
    model = LogisticRegression(C=0.003, max_iter=100_000)
    score = np.zeros(len(fits))
    folds = StratifiedGroupKFold(10, shuffle=True, random_state=1)
    score[known] = cross_val_predict(
        model, patterns[known], other[known], cv=folds, groups=groups[known], method="decision_function"
    )
    model.fit(patterns[known], other[known])
    score[~known] = model.decision_function(patterns[~known])
    # What a lost fit has for components says nothing.
    score[[fit.coefficients.size != size for fit in fits]] = 0.0
    return model, score


def as_json(model):
    return {"weights": np.round(model.coef_[0], 4).tolist(), "intercept": round(float(model.intercept_[0]), 4)}


def print_calibration(kinds, error, good, estimate):
    print("kind, fits, good ones, accepted, accepted though not good, median quality")
    for kind in dict.fromkeys(kinds):
        of_kind = kinds == kind
        accepted = of_kind & (estimate >= 0.5)
        print(
            f"{kind:12s} {of_kind.sum():4d} {good[of_kind].sum():4d} {accepted.sum():4d} "
            f"{(accepted & ~good).sum():4d}  {np.median(estimate[of_kind]):.3f}"
        )
    print("quality, fits, share of good ones, median and 95 % of the landmark error in mm")
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.01)):
        inside = (estimate >= low) & (estimate < high)
        known = error[inside & np.isfinite(error)]
        spread = np.percentile(known, [50, 95]) if known.size else (np.nan, np.nan)
        print(f"{low:.2f}-{high:.2f} {inside.sum():4d}  {good[inside].mean():.3f}  {spread[0]:.1f} {spread[1]:.1f}")


if __name__ == "__main__":
    main()
