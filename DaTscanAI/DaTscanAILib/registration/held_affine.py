"""How well the template explains a scan through an affine that is given and stays as it is."""

import numpy as np

from ..mni.geometry import apply_affine
from .template_fit import (
    _LOST,
    _LOST_FEATURES,
    _POINTS_PER_DATUM,
    CENTER,
    Fit,
    SmoothScan,
    Template,
    _features,
)

_LARGEST_ZOOM = 3.0  # and its inverse the smallest: beyond, the affine is of no head


def evaluate_affine(scan: SmoothScan, template: Template, scanner_from_mni: np.ndarray) -> Fit:
    """The fit of gain and components alone, with the features of an automatic one.

    Args:
        scan: smoothed to the template's own smoothing.
        template: the basis.
        scanner_from_mni: 4x4, an invertible affine; one that mirrors or is of no head's size counts as lost.
    """
    parameters = parameters_from_affine(scanner_from_mni)
    values, _, inside = scan.sample(scanner_from_mni, template.points)
    weight = template.weight * inside
    mean = template.basis[:, 0] * weight
    gain = float(mean @ values) / max(float(mean @ template.basis[:, 0]), 1e-9)
    if parameters is None or inside.mean() < _LOST or gain <= 0:
        return Fit(np.zeros(12), np.zeros(0), {**_LOST_FEATURES, "coverage": float(inside.mean())})
    weighted = template.basis * weight[:, None]
    penalty = np.full(template.basis.shape[1], _POINTS_PER_DATUM)
    penalty[0] = 0  # the mean's coefficient is the gain, which is free
    normal = (weighted.T @ template.basis).astype(float) + np.diag(penalty)
    coefficients = np.linalg.solve(normal, (weighted.T @ (values / gain)).astype(float))
    pattern = coefficients[1:] / coefficients[0]
    coverage = inside[template.brain].mean()
    features = _features(values / gain, template.basis @ coefficients, parameters, pattern, weight, coverage)
    return Fit(parameters, pattern, features)


def parameters_from_affine(matrix: np.ndarray) -> np.ndarray | None:
    """The twelve parameters of `affine_from_parameters`; None for a matrix that mirrors or that no head needs."""
    turn, upper = np.linalg.qr(matrix[:3, :3])
    signs = np.sign(np.diag(upper))
    turn, upper = turn * signs, upper * signs[:, None]
    zooms = np.diag(upper)
    if np.linalg.det(turn) < 0 or not (zooms.min() > 1 / _LARGEST_ZOOM and zooms.max() < _LARGEST_ZOOM):
        return None
    shears = upper / zooms
    angles = [
        np.arctan2(turn[2, 1], turn[2, 2]),
        np.arcsin(np.clip(-turn[2, 0], -1, 1)),
        np.arctan2(turn[1, 0], turn[0, 0]),
    ]
    return np.array([*apply_affine(matrix, CENTER), *angles, *np.log(zooms), *shears[np.triu_indices(3, 1)]])
