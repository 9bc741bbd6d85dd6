"""Fit the logistic model that turns the features of a registration into its quality.

    FAMILIES="--families papers butterworth osem osem_ac"
    python -m DaTscanAILib simulate --count 320 --seed 300900 $FAMILIES --output USUAL
    python -m DaTscanAILib simulate --count 200 --seed 330000 --variation 1.6 $FAMILIES --output MORE/varied
    python -m DaTscanAILib simulate --count 50 --seed 331000 --subtype burst $FAMILIES --output MORE/severe
    python -m DaTscanAILib simulate --count 20 --seed 332000 --subtype PATTERN --variation 1.3 $FAMILIES \\
        --output MORE/atypical_PATTERN    # seed 332100 and so on for the next of patterns.ATYPICAL_SHARES
    SOME="colin27 icbm152 colin27_broad icbm152_long colin27_pale"
    OTHERS="icbm152_broad colin27_long icbm152_pale colin27_wide_ventricles icbm152_wide_ventricles"
    python Resources/Templates/build_fpcit_basis.py ALL --anatomies $SOME --output some.npz       # ALL: links to all
    python Resources/Templates/build_fpcit_basis.py ALL --anatomies $OTHERS --output others.npz
    python Resources/Templates/calibrate_registration.py USUAL --workers 2 \\
        --more MORE/varied MORE/severe MORE/atypical_* --without some.npz $OTHERS --without others.npz $SOME

Every case is a fit from one start: scans of the training heads that did not make the template (those before seed
300900 did), and of more cohorts: heads whose sizes and shapes lie further apart, as unknown ones do, and uptakes that
are rare. They are fitted as they are stored, from the middle of their head, and once more with a basis in which their
heads had no part, as patients' heads have none in the one that ships. Some of the first cohort are also turned,
mirrored, halved, masked or given hot glands; and phantoms, blood flow and glucose are fitted (what else is no DAT
scan, `other_images.py` tells without a fit's quality). A fit counts as good if it is a DAT scan of a whole brain and
its mean landmark error is below 4 mm. The weights keep the signs of `quality.INPUTS`. Needs scikit-learn. Writes
registration_quality.json and prints the calibration by tenfold cross-validation.
"""

import argparse
import json
import os
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy import ndimage
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "DaTscanAI"))

from DaTscanAILib.mni.atlas import GRID_AFFINE, GRID_SHAPE, load_atlas
from DaTscanAILib.mni.geometry import apply_affine, resample, translation
from DaTscanAILib.reading.scan import read_scan
from DaTscanAILib.registration.landmarks import landmark_error
from DaTscanAILib.registration.parameters import CENTER
from DaTscanAILib.registration.quality import (
    GOOD_ERROR,
    INPUTS,
    TYPICAL_TRACER_SCORE,
    limits_factor,
    quality_inputs,
)
from DaTscanAILib.registration.search import fits_from_center
from DaTscanAILib.registration.template import load_template, read_template
from DaTscanAILib.simulation import nonsense
from DaTscanAILib.simulation.pose import rotation

CHANGED = 4  # every so many scans of the first cohort give the variants and the other images too
TURNS = {
    "pitch 35": (35, 0, 0),
    "pitch -35": (-35, 0, 0),
    "pitch 60": (60, 0, 0),
    "roll 90": (0, 90, 0),
    "yaw 30": (0, 0, 30),
    "yaw 60": (0, 0, 60),
    "yaw 90": (0, 0, 90),
}
FLIPS = {"flip S": (1, 1, -1), "flip A": (1, -1, 1), "flip SA": (1, -1, -1)}
GLANDS = (((62, -20, -58), 1.0), ((-62, -20, -58), 1.0), ((24, 20, -82), 0.8), ((-24, 20, -82), 0.8))
GLAND_RADII = np.array((9.0, 13.0, 16.0))  # mm, standard deviations
OTHER_TRACERS = ("perfusion", "fdg")
UNKNOWN_HEAD = "unknown head"  # kind of a scan that is fitted with a basis of other heads
OTHER_TRACER_WEIGHT = 5.0  # an accepted scan of another tracer is worse than a refused DAT scan
RIDGE = 0.5


def about(center, matrix):
    """4x4 that applies a 3x3 matrix about a point."""
    whole = np.eye(4)
    whole[:3, :3] = matrix
    return translation(center) @ whole @ translation(-np.asarray(center))


def variants(voxels, affine, truth):
    """(name, voxels, affine, true affine, whole brain?) of one scan, changed."""
    center = apply_affine(affine, np.array(voxels.shape) / 2)
    for name, angles in TURNS.items():
        change = about(center, rotation(*angles))
        yield name, voxels, change @ affine, change @ truth, True
    for name, signs in FLIPS.items():
        yield name, voxels, about(center, np.diag(signs)) @ affine, None, False
    points = apply_affine(np.linalg.inv(truth) @ affine, np.moveaxis(np.indices(voxels.shape), 0, -1))
    level = np.percentile(voxels[voxels > 0.1 * voxels.max()], 50)
    glands = sum(a * np.exp(-0.5 * (((points - c) / GLAND_RADII) ** 2).sum(axis=-1)) for c, a in GLANDS)
    for peak in (3, 6):
        yield f"glands {peak}", (voxels + peak * level * glands).astype(np.float32), affine, truth, True
    brain = resample(load_atlas().brain.astype(np.float32), np.linalg.inv(truth @ GRID_AFFINE) @ affine, voxels.shape)
    mask = ndimage.binary_dilation(brain > 0.5, iterations=int(level * 1000) % 3 + 1)
    yield "masked", np.where(mask, voxels, 0), affine, truth, True
    in_mni = resample(voxels, np.linalg.inv(affine) @ truth @ GRID_AFFINE, GRID_SHAPE)
    yield "masked MNI", np.where(load_atlas().brain, in_mni, 0), GRID_AFFINE, np.eye(4), True
    for name, half in (("upper", points[..., 2] > CENTER[2]), ("lower", points[..., 2] < CENTER[2])):
        yield f"{name} half", np.where(half, voxels, np.nan), affine, None, False
    for name, half in (("right", points[..., 0] > 0), ("front", points[..., 1] > CENTER[1])):
        yield f"{name} half", np.where(half, voxels, 0), affine, None, False


def cases_of_scan(truth_file, turn, bases):
    """[(kind, landmark error or NaN, fit)] of one simulated scan, its variants, and images that are none.

    Args:
        turn: of the kinds of other images; None for the scan as it is stored alone.
        bases: `{head: file}` of a basis that the head had no part in.
    """
    truth = json.loads(truth_file.read_text())
    scan = read_scan(truth_file.with_suffix(".nii.gz"))
    scanner_from_mni = np.array(truth["scanner_from_mni_ras"])
    cases = judged(truth["storage"], scan.voxels, scan.affine, scanner_from_mni)
    if truth["anatomy"] in bases:
        other = read_basis(bases[truth["anatomy"]])
        cases += judged(UNKNOWN_HEAD, scan.voxels, scan.affine, scanner_from_mni, other)
    if turn is None:
        return cases
    if truth["storage"] == "plain":
        for name, voxels, affine, changed, whole in variants(scan.voxels, scan.affine, scanner_from_mni):
            cases += judged(name, voxels, affine, changed if whole else None)
    for kind in (nonsense.KINDS[turn % len(nonsense.KINDS)], ("perfusion", "fdg")[turn % 2]):
        cases += judged(kind, *nonsense.simulate_nonsense(kind, truth["seed"]), None)
    return cases


read_basis = lru_cache(read_template)


def judged(kind, voxels, affine, truth, template=None):
    """The fits of one image: as it is and, where many zeros are, without them."""
    fits = fits_from_center(np.ascontiguousarray(voxels, np.float32), affine, template or load_template())
    return [(kind, np.nan if truth is None else landmark_error(fit.scanner_from_mni, truth), fit) for fit in fits]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path, help="folder that `simulate` has written")
    parser.add_argument("--more", type=Path, nargs="*", default=(), help="other cohorts, taken as they are stored")
    parser.add_argument(
        "--without",
        nargs="+",
        action="append",
        default=[],
        metavar=("BASIS", "HEAD"),
        help="a basis made without these heads, with which their scans are fitted too",
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--fits", type=Path, help="file that keeps the fits; if it is there, they are read from it")
    arguments = parser.parse_args()
    if arguments.fits and arguments.fits.exists():
        calibrate(pickle.loads(arguments.fits.read_bytes()))
        return
    bases = {head: Path(basis) for basis, *heads in arguments.without for head in heads}
    files = truths(arguments.cohort)
    more = [file for folder in arguments.more for file in truths(folder)]
    turns = [None if k % CHANGED else k // CHANGED for k in range(len(files))] + [None] * len(more)
    with ProcessPoolExecutor(arguments.workers) as pool:
        by_scan = list(pool.map(partial(cases_of_scan, bases=bases), [*files, *more], turns))
    if arguments.fits:
        arguments.fits.write_bytes(pickle.dumps(by_scan))
    calibrate(by_scan)


def truths(cohort):
    """Truth files of a cohort's scans."""
    return sorted(cohort.glob("sim*.json"))


def calibrate(by_scan):
    """Write registration_quality.json from the cases of each scan."""
    cases = [case for group in by_scan for case in group]
    groups = np.repeat(np.arange(len(by_scan)), [len(group) for group in by_scan])
    kinds, fits = np.array([kind for kind, *_ in cases]), [fit for *_, fit in cases]
    error = np.array([error for _, error, _ in cases])
    tracer_model, tracer_score = calibrate_tracer(kinds, error, fits, groups)
    inputs = np.array([quality_inputs(fit, score) for fit, score in zip(fits, tracer_score, strict=True)])
    good = error < GOOD_ERROR
    counts = np.where(np.isin(kinds, OTHER_TRACERS), OTHER_TRACER_WEIGHT, 1.0)
    folds = StratifiedGroupKFold(10, shuffle=True, random_state=0)
    estimate = np.zeros(len(fits))
    for training, testing in folds.split(inputs, good, groups):
        weights, intercept = signed_logistic(inputs[training], good[training], counts[training])
        estimate[testing] = 1 / (1 + np.exp(-(inputs[testing] @ weights + intercept)))
    estimate *= [limits_factor(fit) for fit in fits]
    print_calibration(kinds, error, good, estimate)
    weights, intercept = signed_logistic(inputs, good, counts)
    content = {
        "inputs": [name for name, *_ in INPUTS],
        "weights": np.round(weights, 4).tolist(),
        "intercept": round(intercept, 4),
        "typical": np.round(np.median(inputs[good], axis=0), 4).tolist(),
        "other_tracer": as_json(tracer_model),
    }
    (HERE / "registration_quality.json").write_text(json.dumps(content) + "\n")


def signed_logistic(inputs, good, counts):
    """(weights, intercept) of a logistic model with a ridge, each weight of the sign that its input may have.

    Args:
        counts: how many times each row counts.
    """
    center, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
    design = np.column_stack([(inputs - center) / spread, np.ones(len(inputs))])
    sign = np.where(good, 1.0, -1.0)

    def loss(weights):
        margin = sign * (design @ weights)
        gradient = -(counts * sign / (1 + np.exp(np.clip(margin, -500, 500)))) @ design
        ridge = np.append(RIDGE * weights[:-1], 0)
        return counts @ np.logaddexp(0, -margin) + 0.5 * ridge @ weights, gradient + ridge

    bounds = [(0, None) if allowed > 0 else (None, 0) for *_, allowed in INPUTS] + [(None, None)]
    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = found[:-1] / spread
    return weights, float(found[-1] - weights @ center)


def calibrate_tracer(kinds, error, fits, groups):
    """Linear model of the components that tells other images from DAT scans, and its cross-validated score."""
    size = max(fit.coefficients.size for fit in fits)
    lost = np.array([fit.coefficients.size != size for fit in fits])
    patterns = np.array([fit.coefficients if fit.coefficients.size else np.zeros(size) for fit in fits]).clip(-10, 10)
    other = np.isin(kinds, OTHER_TRACERS)
    of_other_basis = kinds == UNKNOWN_HEAD  # whose components are others
    known = ~lost & ~of_other_basis & (other | (error < GOOD_ERROR))
    model = LogisticRegression(C=0.003, max_iter=100_000)
    score = np.zeros(len(fits))
    folds = StratifiedGroupKFold(10, shuffle=True, random_state=1)
    score[known] = cross_val_predict(
        model, patterns[known], other[known], cv=folds, groups=groups[known], method="decision_function"
    )
    model.fit(patterns[known], other[known])
    score[~known] = model.decision_function(patterns[~known])
    score[lost] = 0.0  # what a lost fit has for components says nothing
    score[of_other_basis] = TYPICAL_TRACER_SCORE
    return model, score


def as_json(model):
    return {"weights": np.round(model.coef_[0], 4).tolist(), "intercept": round(float(model.intercept_[0]), 4)}


def print_calibration(kinds, error, good, estimate):
    print("kind, fits, good ones, accepted, accepted though not good, over 6 mm, good but refused, median quality")
    for kind in dict.fromkeys(kinds):
        of_kind = kinds == kind
        accepted = of_kind & (estimate >= 0.5)
        print(
            f"{kind:20s} {of_kind.sum():4d} {good[of_kind].sum():4d} {accepted.sum():4d} "
            f"{(accepted & ~good).sum():4d} {(accepted & ~(error < 6)).sum():4d} "
            f"{(good & of_kind & ~accepted).sum():4d}  {np.median(estimate[of_kind]):.3f}"
        )
    print("quality, fits, share of good ones, median and 95 % of the landmark error in mm")
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.01)):
        inside = (estimate >= low) & (estimate < high)
        known = error[inside & np.isfinite(error)]
        spread = np.percentile(known, [50, 95]) if known.size else (np.nan, np.nan)
        print(f"{low:.2f}-{high:.2f} {inside.sum():4d}  {good[inside].mean():.3f}  {spread[0]:.1f} {spread[1]:.1f}")


if __name__ == "__main__":
    main()
