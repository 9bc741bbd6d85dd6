"""Fitting the FP-CIT template and an affine together: the engine of `affine.py`.

    minimize  sum_i w_i v_i (scan(A m_i) / gain - mean(m_i) - sum_k c_k component_k(m_i))^2 + sum_k c_k^2 + prior(A)

over the affine A (scanner_from_mni), the gain and the coefficients c of a linear basis of templates, by Gauss-Newton
from coarse to fine smoothing. The components are scaled to unit variance in their population, the weights w are the
inverse of the variance that they leave unexplained, and the prior keeps turns, sizes and shears to those of heads, as
that of SPM's affine registration does (Ashburner 1997). The factors v are Cauchy's (Holland and Welsch 1977): points
that no scan of the population explains, glands and burnt-in frames, lose their say.
"""

from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .fit_features import LOST_FEATURES, parts_of_head, residual_features, shape_features, trust
from .landmarks import landmark_error
from .parameters import (
    PRIOR_MEAN,
    PRIOR_PRECISION,
    UNEQUAL_ZOOM_PRECISION,
    affine_derivatives,
    affine_from_parameters,
)
from .smooth_scan import SmoothScan
from .template import Template

# (additional smoothing FWHM mm, components, every n-th point, firmness of sizes) of each level. The mean alone comes
# first: components would let a scan far from its place be explained as an unusual one. Where the field of view ends
# in the head, a blurred scan looks like a squeezed one: sizes and shears keep to the prior, so many times as firmly,
# until the fine level.
_COARSE, _MIDDLE, _FINE = (20.0, 0, 4, 100.0), (9.0, 12, 4, 30.0), (0.0, None, 1, 1.0)
_COARSE_STEPS, _FINE_STEPS = (10, 6), 30  # at most
# A step of at least this share of the one before, in its direction, is one of a slow approach that goes on so.
_SLOW_FROM, _SAME_DIRECTION, _LONGEST_STRIDE = 0.3, 0.9, 4.0
_TRUST_ROUNDS = 5
# Of the template's smoothing: points so near to an end of the image are left out of the fine level; elsewhere less
# than 2 % of what a smoothed voxel is a mean of lies beyond the end. With them, heads that the field of view cuts
# above and below were squeezed into it. An image with parts not covered may end right at the brain: it keeps them.
_MARGIN = 0.9
_POINTS_PER_DATUM = 5.0  # smoothing makes neighboring points repeat each other: so many count as one
_LOST = 0.05  # share of points inside the scan under which a fit has left it
_STEP_DONE = np.array([0.03] * 3 + [3e-4] * 9)  # mm, then rad and log zooms


@dataclass(frozen=True)
class Fit:
    """One least-squares fit: the parameters and how well the template then explains the scan.

    Attributes:
        parameters: (12,).
        coefficients: (k,) of the components, unit variance expected; empty for a fit that was lost.
        features: what the quality is judged by.
        cost: what the fit minimizes, for each point inside the scan; infinite for a fit that was lost.
    """

    parameters: np.ndarray
    coefficients: np.ndarray
    features: dict[str, float]
    cost: float = np.inf

    @property
    def scanner_from_mni(self) -> np.ndarray:
        """4x4, MNI to scanner RAS mm."""
        return affine_from_parameters(self.parameters)


class TemplateFitter:
    """A scan made ready once for fits from many starts; they never raise.

    Args:
        scan: smoothed to the template's own smoothing.
        template: the basis.
    """

    def __init__(self, scan: SmoothScan, template: Template):
        self.scan, self.template = scan, template

    @cached_property
    def _coarse(self):
        return [self._level(*level) for level in (_COARSE, _MIDDLE)]

    @cached_property
    def _fine(self):
        level = self._level(*_FINE)
        if level.scan.covered is None:
            level.margin = _MARGIN * self.template.fwhm
        return level

    def _level(self, fwhm, *others):
        return _Level(self.scan.smoothed(fwhm, every=2 if fwhm else 1), self.template, *others)

    def moved(self, change: np.ndarray) -> "TemplateFitter":
        """The same scan elsewhere: its affine multiplied by a 4x4 from the left; nothing is smoothed again."""
        other = TemplateFitter(self.scan.moved(change), self.template)
        other.__dict__["_coarse"] = [level.moved(change) for level in self._coarse]
        return other

    def approach(self, start: np.ndarray) -> np.ndarray | None:
        """(12,) parameters after the two coarse levels; None where the template left the scan."""
        parameters = start
        try:
            for level, steps in zip(self._coarse, _COARSE_STEPS, strict=True):
                parameters, _ = level.fit(parameters, steps)
        except (_FitLostError, np.linalg.LinAlgError):
            return None
        return parameters

    def finish(self, parameters: np.ndarray | None) -> Fit:
        """The fine level from where `approach` has led; a lost fit has the features of one."""
        if parameters is None:
            return _lost()
        try:
            return self._fine.described(*self._fine.fit(parameters, _FINE_STEPS))
        except (_FitLostError, np.linalg.LinAlgError):
            return _lost()

    def held(self, parameters: np.ndarray | None) -> Fit:
        """The gain and the components alone, with an affine that stays as it is; None has no head's shape."""
        if parameters is None:
            return _lost()
        try:
            return self._fine.described(parameters, np.eye(1, self.template.basis.shape[1])[0])
        except (_FitLostError, np.linalg.LinAlgError):
            return _lost()

    def fit(self, start: np.ndarray) -> Fit:
        """Gauss-Newton from coarse to fine, from (12,) parameters."""
        return self.finish(self.approach(start))


def _lost():
    return Fit(PRIOR_MEAN, np.zeros(0), dict(LOST_FEATURES))


class _FitLostError(Exception):
    """The template has left the scan, or there is no uptake under it."""


class _Level:
    """One smoothing of the scan and the part of the template that is fitted at it."""

    margin = 0.0  # mm, of `SmoothScan.sample`

    def __init__(self, scan, template, components, every, firmness):
        self.scan, self.brain = scan, template.brain[::every]
        self.points = template.points[::every]
        self.basis = template.basis[::every, : None if components is None else 1 + components]
        self.weight = template.weight[::every]
        self.homogeneous = np.column_stack([self.points, np.ones(len(self.points), np.float32)]).T
        precision = np.ones(12 + self.basis.shape[1])
        precision[:12] = PRIOR_PRECISION
        precision[6:12] *= firmness
        precision[12] = 0  # the mean's coefficient is the gain, which is free
        self.penalty = np.diag(precision)
        self.penalty[6:9, 6:9] += UNEQUAL_ZOOM_PRECISION * (np.eye(3) - 1 / 3)
        self.penalty *= _POINTS_PER_DATUM / every

    def moved(self, change):
        other = copy(self)
        other.scan = self.scan.moved(change)
        return other

    def fit(self, parameters, iterations):
        """Parameters and coefficients after Gauss-Newton steps."""
        coefficients, before = np.eye(1, self.basis.shape[1])[0], None
        for _ in range(iterations):
            values, gradient, inside, gain = self.sampled(parameters)
            weight = self.weight * inside * trust(values - self.fitted(coefficients), self.weight, inside)
            design = np.column_stack([self.slopes(parameters, gradient / gain), self.basis])
            target = -self.penalty[:12, :12] @ (parameters - PRIOR_MEAN)
            step, coefficients = np.split(_solved(design, weight, values, self.penalty, target), [12])
            stride = _stride(step, before)
            parameters, before = parameters + stride * step, step if stride == 1 else None
            if not np.isfinite(parameters).all() or np.abs(parameters[3:]).max() > 2 * np.pi:
                raise _FitLostError
            if (np.abs(step) < _STEP_DONE).all():
                break
        return parameters, coefficients

    def described(self, parameters, coefficients):
        """The fit at these parameters: the coefficients with the affine held, and the features of both."""
        values, gradient, inside, gain = self.sampled(parameters)
        for _ in range(_TRUST_ROUNDS):
            trusted = trust(values - self.fitted(coefficients), self.weight, inside)
            coefficients = _solved(self.basis, self.weight * inside * trusted, values, self.penalty[12:, 12:])
        if not coefficients[0] > 0:
            raise _FitLostError
        pattern = coefficients[1:] / coefficients[0]
        values, gradient = values / np.float32(coefficients[0]), gradient / np.float32(gain * coefficients[0])
        residual = values - self.fitted(np.array([1.0, *pattern]))
        robust = self.weight * inside * trusted
        features = {
            **residual_features(values, residual, self.weight, inside, self.points),
            **shape_features(parameters, pattern),
            "coverage": self.coverage(parameters),
            "disagreement": self.disagreement(parameters, gradient, residual, robust),
        }
        return Fit(parameters, pattern, features, self.cost(parameters, pattern, residual, robust))

    def cost(self, parameters, pattern, residual, weight):
        """Robust squared residuals for each point inside, and the penalties as if all points were inside."""
        unusual = np.concatenate([parameters - PRIOR_MEAN, [0.0], pattern])
        penalty = float(unusual @ self.penalty @ unusual) / len(weight)
        return float(weight @ residual**2) / np.count_nonzero(weight) + penalty

    def coverage(self, parameters):
        """Share of the brain in the image, its margin counted too."""
        return float(self.scan.sample(affine_from_parameters(parameters), self.points[self.brain])[2].mean())

    def disagreement(self, parameters, gradient, residual, weight):
        """Largest shift in mm of the landmarks when one part of the head is left out: one step of Gauss-Newton."""
        design = np.column_stack([self.slopes(parameters, gradient), self.basis])
        parts = parts_of_head(self.points, self.brain)
        sides = []
        for part in range(parts.max() + 1):
            own = np.flatnonzero(parts == part)
            weighted = design[own] * weight[own, None]
            sides.append(((weighted.T @ design[own]).astype(float), (weighted.T @ residual[own]).astype(float)))
        normal = sum(matrix for matrix, _ in sides) + self.penalty
        right = sum(vector for _, vector in sides)
        # The whole head's own step is what the prior and the last step of the fit leave: it is no disagreement.
        whole = np.linalg.solve(normal, right)[:12]
        steps = [np.linalg.solve(normal - matrix, right - vector)[:12] - whole for matrix, vector in sides]
        here = affine_from_parameters(parameters)
        return max(landmark_error(affine_from_parameters(parameters + step), here) for step in steps)

    def sampled(self, parameters):
        """Values over the gain, the scan's gradient, what the scan covers, and the gain, with the affine as it is."""
        values, gradient, inside = self.scan.sample(affine_from_parameters(parameters), self.points, self.margin)
        weighted = self.basis[:, 0] * self.weight * inside
        gain = float(weighted @ values) / max(float(weighted @ self.basis[:, 0]), 1e-9)
        if inside.mean() < _LOST or not gain > 0:
            raise _FitLostError
        return values / np.float32(gain), gradient, inside, gain

    def slopes(self, parameters, gradient):
        """(n, 12) by how much the template's side of the equation falls with each parameter."""
        # By the 12 entries of the affine, then by the parameters: scan gradient times position.
        by_entry = (gradient[:, None] * self.homogeneous).reshape(12, -1)
        to_parameters = np.einsum("ij,kjl->ilk", self.scan.voxel_from_scanner[:3, :3], affine_derivatives(parameters))
        return -(to_parameters.reshape(12, 12).T.astype(np.float32) @ by_entry).T

    def fitted(self, coefficients):
        return self.basis @ coefficients.astype(np.float32)


def _stride(step, before):
    """How many times a step is taken at once: the sum of the steps to come, if each is the same share of the last.

    Noise in the scan's own gradient makes the steps of Gauss-Newton too short, and the approach linear (Aitken 1926).
    """
    if before is None:
        return 1.0
    step, before = step / _STEP_DONE, before / _STEP_DONE
    share = float(step @ before) / max(float(before @ before), 1e-12)
    direction = float(step @ before) / max(float(np.linalg.norm(step) * np.linalg.norm(before)), 1e-12)
    if share < _SLOW_FROM or direction < _SAME_DIRECTION:
        return 1.0
    return 1 / max(1 - share, 1 / _LONGEST_STRIDE)


def _solved(design, weight, values, penalty, target=()):
    """Weighted and penalized least squares; `target` is added to the right side of the first unknowns."""
    weighted = design * weight[:, None]
    right = (weighted.T @ values).astype(float)
    right[: len(target)] += target
    return np.linalg.solve((weighted.T @ design).astype(float) + penalty, right)
