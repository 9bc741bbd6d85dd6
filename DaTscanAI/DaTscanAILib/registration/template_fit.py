"""Fitting the FP-CIT template and an affine together: the engine of `affine.py`.

    minimize  sum_i w_i (scan(A m_i) / gain - mean(m_i) - sum_k c_k component_k(m_i))^2 + sum_k c_k^2 + prior(A)

over the affine A (scanner_from_mni), the gain and the coefficients c of a linear basis of templates, by Gauss-Newton
from coarse to fine smoothing. The components are scaled to unit variance in their population, the weights are the
inverse of the variance that they leave unexplained, and the prior keeps turns, sizes and shears to those of heads, as
that of SPM's affine registration does (Ashburner 1997).
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..base.resources import resource_path
from ..mni.geometry import FWHM_PER_SIGMA, apply_affine, voxel_spacing

CENTER = np.array([0.0, -18.0, 8.0])  # MNI mm, the middle of the brain: turns and zooms act about it

# Twelve parameters: translation of CENTER (mm), pitch, roll, yaw (rad), log zooms, shears. Heads are some 4 % smaller
# than MNI's; the standard deviations are wider than the population's, so that the prior decides only without data.
EXPECTED_ZOOM = 0.965
PRIOR_MEAN = np.array([0, 0, 0, 0, 0, 0, *[np.log(EXPECTED_ZOOM)] * 3, 0, 0, 0])
_PRIOR_PRECISION = np.array([0, 0, 0, *[np.deg2rad(15) ** -2] * 3, *[0.05**-2] * 3, *[0.03**-2] * 3])

# (additional smoothing FWHM mm, most iterations, components, every n-th point) of each level. The mean alone comes
# first: components would let a scan far from its place be explained as an unusual one.
LEVELS = ((20.0, 10, 0, 4), (9.0, 6, 12, 4), (0.0, 8, None, 1))
_POINTS_PER_DATUM = 5.0  # smoothing makes neighboring points repeat each other: so many count as one
_ABOVE_DIAGONAL = np.triu_indices(3, 1)

_LOST = 0.05  # share of points inside the scan under which a fit has left it
_LOST_FEATURES = {
    "unexplained": 3.0,
    "residual": 2.0,
    "unusual_pattern": 10.0,
    "largest_component": 30.0,
    "unusual_shape": 20.0,
    "turn": 6.0,
}


@dataclass(frozen=True)
class Fit:
    """One least-squares fit: the parameters and how well the template then explains the scan.

    Attributes:
        parameters: (12,).
        coefficients: (k,) of the components, unit variance expected.
        features: what the quality is judged by.
    """

    parameters: np.ndarray
    coefficients: np.ndarray
    features: dict[str, float]

    @property
    def scanner_from_mni(self) -> np.ndarray:
        return affine_from_parameters(self.parameters)


class Template:
    """The basis at the points of a regular MNI grid inside and around the brain.

    Attributes:
        points: `(n, 3)` MNI mm.
        basis: `(n, 1 + k)`, mean first, then components of unit variance; the reference region's mean is 1.
        weight: `(n,)` inverse of the variance that the components leave.
        brain: `(n,)` bool.
        fwhm: smoothing in mm of the scans behind it.
    """

    def __init__(self, points, basis, weight, brain, fwhm):
        self.points = np.asarray(points, np.float32)
        self.basis = np.ascontiguousarray(basis, np.float32)
        self.weight = np.asarray(weight, np.float32)
        self.brain = np.asarray(brain, bool)
        self.fwhm = float(fwhm)


@lru_cache(maxsize=1)
def load_template() -> Template:
    """The basis that ships with the extension (`Resources/Templates/fpcit_basis.npz`)."""
    return read_template(resource_path("Templates", "fpcit_basis.npz"))


def read_template(path: Path) -> Template:
    """A basis that `Resources/Templates/build_fpcit_basis.py` has written."""
    with np.load(path) as data:
        basis = data["basis"].astype(np.float32) * data["scale"].astype(np.float32)
        return Template(data["points"], basis, data["weight"], data["brain"], data["fwhm"])


def affine_from_parameters(parameters: np.ndarray) -> np.ndarray:
    """4x4 `scanner_from_mni` = translation, turn, shear, zoom about `CENTER`."""
    turn, shear = _rotation(parameters[3:6]), np.eye(3)
    shear[_ABOVE_DIAGONAL] = parameters[9:12]
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ shear @ np.diag(np.exp(parameters[6:9]))
    matrix[:3, 3] = parameters[:3] - matrix[:3, :3] @ CENTER
    return matrix


def _rotation(angles):
    (a, b, c), (s, t, u) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, a, -s], [0, s, a]])
    about_y = np.array([[b, 0, t], [0, 1, 0], [-t, 0, b]])
    about_z = np.array([[c, -u, 0], [u, c, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _affine_derivatives(parameters, step=1e-5):
    """(12, 3, 4) central differences of the affine by each parameter."""
    shifts = step * np.eye(12)
    return np.stack(
        [
            (affine_from_parameters(parameters + shift) - affine_from_parameters(parameters - shift))[:3]
            for shift in shifts
        ]
    ) / (2 * step)


class SmoothScan:
    """A scan smoothed for one level, sampled with its spatial gradient.

    Args:
        voxels: `(x, y, z)` float32.
        affine: voxel to scanner RAS mm.
    """

    def __init__(self, voxels: np.ndarray, affine: np.ndarray):
        self.voxels = voxels
        self.affine = affine
        self.voxel_from_scanner = np.linalg.inv(affine)

    def smoothed(self, fwhm: float, every: int = 1) -> "SmoothScan":
        """Blurred further by `fwhm` mm and thinned to every n-th voxel."""
        sigma = fwhm / FWHM_PER_SIGMA / voxel_spacing(self.affine)
        voxels = ndimage.gaussian_filter(self.voxels, sigma, mode="nearest", truncate=2.5) if fwhm else self.voxels
        return SmoothScan(
            np.ascontiguousarray(voxels[::every, ::every, ::every]), self.affine @ np.diag([every, every, every, 1.0])
        )

    def sample(self, scanner_from_mni: np.ndarray, points: np.ndarray):
        """Trilinear values, their gradient by voxel index, and which points the scan covers.

        Returns:
            values `(n,)`, gradient `(3, n)`, inside `(n,)` bool.
        """
        index = apply_affine((self.voxel_from_scanner @ scanner_from_mni).astype(np.float32), points).T
        shape = np.array(self.voxels.shape)[:, None]
        inside = np.logical_and(index >= 0, index <= shape - 1).all(axis=0)
        low = np.clip(np.floor(index).astype(np.intp), 0, shape - 2)
        x, y, z = np.clip(index - low, 0, 1)
        flat, (sx, sy, _) = self.voxels.ravel(), np.array(self.voxels.strides) // self.voxels.itemsize
        corner = flat.take(
            (low[0] * sx + low[1] * sy + low[2])
            + np.array([0, 1, sy, sy + 1, sx, sx + 1, sx + sy, sx + sy + 1])[:, None]
        )
        edge = corner[::2] + z * (corner[1::2] - corner[::2])  # along z: four edges, x slow, y fast
        face = edge[::2] + y * (edge[1::2] - edge[::2])
        gradient_y = edge[1::2] - edge[::2]
        slope_z = corner[1::2] - corner[::2]
        slope_z = slope_z[::2] + y * (slope_z[1::2] - slope_z[::2])
        gradient = np.stack(
            [
                face[1] - face[0],
                gradient_y[0] + x * (gradient_y[1] - gradient_y[0]),
                slope_z[0] + x * (slope_z[1] - slope_z[0]),
            ]
        )
        return face[0] + x * (face[1] - face[0]), gradient, inside


def center_of_mass(scan: SmoothScan) -> np.ndarray:
    """Scanner mm of the middle of the head: uptake clipped at its 98th percentile, without the background."""
    ceiling = np.percentile(scan.voxels, 98)
    clipped = np.minimum(scan.voxels, ceiling)
    clipped = np.where(clipped > 0.4 * ceiling, clipped, 0)
    return apply_affine(scan.affine, np.array(ndimage.center_of_mass(clipped)))


def fit_template(scan: SmoothScan, template: Template, start: np.ndarray) -> Fit:
    """Gauss-Newton from coarse to fine.

    Args:
        scan: smoothed to the template's own smoothing.
        template: the basis.
        start: (12,) parameters.
    """
    parameters, fit = start, None
    for fwhm, iterations, components, every in LEVELS:
        level = scan.smoothed(fwhm, every=2 if fwhm else 1)
        fit = _fit_level(level, template, parameters, iterations, components, every)
        parameters = fit.parameters
    return fit


def _fit_level(scan, template, parameters, iterations, components, every):
    points = template.points[::every]
    basis = template.basis[::every, : None if components is None else 1 + components]
    weight, strength = template.weight[::every], _POINTS_PER_DATUM / every
    penalty = np.full(12 + basis.shape[1], strength)
    penalty[:12] *= _PRIOR_PRECISION
    penalty[12] = 0  # the mean's coefficient is the gain, which is free
    homogeneous = np.column_stack([points, np.ones(len(points), np.float32)])
    coefficients = np.zeros(basis.shape[1])
    for _ in range(iterations):
        values, gradient, inside = scan.sample(affine_from_parameters(parameters), points)
        weighted = basis * (weight * inside)[:, None]
        gain = float(weighted[:, 0] @ values) / max(float(weighted[:, 0] @ basis[:, 0]), 1e-9)
        if inside.mean() < _LOST or gain <= 0:
            return Fit(parameters, np.zeros(0), {**_LOST_FEATURES, "coverage": float(inside.mean())})
        # Derivative by the 12 entries of the affine, then by the parameters: scan gradient times position.
        by_entry = (gradient[:, None] * homogeneous.T).reshape(12, -1)
        to_parameters = np.einsum("ij,kjl->ilk", scan.voxel_from_scanner[:3, :3], _affine_derivatives(parameters))
        design = np.column_stack([-(to_parameters.reshape(12, 12).T.astype(np.float32) @ by_entry / gain).T, basis])
        weighted = design * (weight * inside)[:, None]
        target = (weighted.T @ (values / gain)).astype(float)
        target[:12] += penalty[:12] * (PRIOR_MEAN - parameters)
        solution = np.linalg.solve((weighted.T @ design).astype(float) + np.diag(penalty), target)
        step, coefficients = solution[:12], solution[12:]
        parameters = parameters + step
        if np.abs(step[:3]).max() < 0.03 and np.abs(step[3:]).max() < 3e-4:
            break
    pattern = coefficients[1:] / coefficients[0]
    features = _features(
        values / gain,
        basis @ coefficients,
        parameters,
        pattern,
        weight * inside,
        inside[template.brain[::every]].mean(),
    )
    return Fit(parameters, pattern, features)


def _features(values, model, parameters, pattern, weight, coverage):
    """What tells a good fit from a bad one."""
    total = max(float(weight.sum()), 1e-9)
    centered = values - float((weight * values).sum()) / total
    left = float((weight * (values - model) ** 2).sum())
    prior = _PRIOR_PRECISION * (parameters - PRIOR_MEAN) ** 2
    return {
        "coverage": float(coverage),
        "unexplained": left / max(float((weight * centered**2).sum()), 1e-9),
        "residual": float(np.sqrt(left / total)),
        "unusual_pattern": float(np.sqrt((pattern**2).mean())) if pattern.size else 0.0,
        "largest_component": float(np.abs(pattern).max(initial=0)),
        "unusual_shape": float(np.sqrt(prior[6:].mean())),
        "turn": float(np.sqrt(prior[3:6].sum())),
    }
