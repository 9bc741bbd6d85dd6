"""An affine as twelve parameters, and what is known of heads before a scan is seen."""

import numpy as np

from ..base.errors import DaTscanError
from ..mni.geometry import apply_affine

CENTER = np.array([0.0, -18.0, 8.0])  # MNI mm, the middle of the brain: turns and zooms act about it

# Twelve parameters: translation of CENTER (mm), pitch, roll, yaw (rad), log zooms, shears. Heads are some 4 % smaller
# than MNI's; the standard deviations are wider than the population's, so that the prior decides only without data.
EXPECTED_ZOOM = 0.965
PRIOR_MEAN = np.array([0, 0, 0, 0, 0, 0, *[np.log(EXPECTED_ZOOM)] * 3, 0, 0, 0])
PRIOR_PRECISION = np.array([0, 0, 0, *[np.deg2rad(15) ** -2] * 3, *[0.05**-2] * 3, *[0.03**-2] * 3])
# Length, width and height go together; of their differences from the mean. Decides where height cannot be seen.
UNEQUAL_ZOOM_PRECISION = 0.013**-2
_LARGEST_ZOOM = 3.0  # and its inverse the smallest: beyond, the affine is of no head
_LARGEST_LOG_ZOOM = 7.0  # of a step that leads nowhere, whose exponential would overflow
_ABOVE_DIAGONAL = np.triu_indices(3, 1)


def affine_from_parameters(parameters: np.ndarray) -> np.ndarray:
    """4x4 `scanner_from_mni` = translation, turn, shear, zoom about `CENTER`.

    Log zooms are held within ±7, far beyond what a fit may reach, so that every finite step has a finite affine.
    """
    turn, shear = _rotation(parameters[3:6]), np.eye(3)
    shear[_ABOVE_DIAGONAL] = parameters[9:12]
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ shear @ np.diag(np.exp(np.clip(parameters[6:9], -_LARGEST_LOG_ZOOM, _LARGEST_LOG_ZOOM)))
    matrix[:3, 3] = parameters[:3] - matrix[:3, :3] @ CENTER
    return matrix


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
    return np.array([*apply_affine(matrix, CENTER), *angles, *np.log(zooms), *shears[_ABOVE_DIAGONAL]])


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


def affine_derivatives(parameters: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """(12, 3, 4) central differences of the affine by each parameter."""
    shifts = step * np.eye(12)
    return np.stack(
        [
            (affine_from_parameters(parameters + shift) - affine_from_parameters(parameters - shift))[:3]
            for shift in shifts
        ]
    ) / (2 * step)


def _rotation(angles):
    (a, b, c), (s, t, u) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, a, -s], [0, s, a]])
    about_y = np.array([[b, 0, t], [0, 1, 0], [-t, 0, b]])
    about_z = np.array([[c, -u, 0], [u, c, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
