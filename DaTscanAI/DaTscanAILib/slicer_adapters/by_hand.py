"""A registration corrected by hand: an offset from the automatic one, and how well the result fits."""

import numpy as np

from ..mni.geometry import apply_affine, translation
from .case import TRANSFORM, Case, automatic_registration, registration_of, scanner_from_mni, set_scanner_from_mni
from .inputs import scan_inputs
from .volumes import scan_of

_CENTER = np.array([0.0, -18.0, 8.0])  # MNI mm, the middle of the brain: turns act about it
_last: dict = {}  # the registration by hand that was judged last, as it takes a tenth of a second
SLIDERS = ("right", "front", "up", "pitch", "roll", "yaw")  # mm along the axes of MNI, then degrees about them


def offset_matrix(values: np.ndarray) -> np.ndarray:
    """4x4 in MNI space of three shifts (mm: to the right, the front, up) and three turns (degrees about x, y, z)."""
    a, b, c = np.deg2rad(values[3:])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    turn = np.eye(4)
    turn[:3, :3] = about_z @ about_y @ about_x
    return translation(np.asarray(values[:3]) + _CENTER) @ turn @ translation(-_CENTER)


def offset_values(matrix: np.ndarray) -> np.ndarray:
    """The six values of an offset; of a matrix that also zooms or shears, those of the nearest turn."""
    left, _, right = np.linalg.svd(matrix[:3, :3])
    turn = left @ right
    angles = [
        np.arctan2(turn[2, 1], turn[2, 2]),
        np.arcsin(np.clip(-turn[2, 0], -1, 1)),
        np.arctan2(turn[1, 0], turn[0, 0]),
    ]
    return np.array([*(apply_affine(matrix, _CENTER) - _CENTER), *np.rad2deg(angles)])


def base_of(transform) -> np.ndarray:
    """The scanner-from-MNI matrix from which offsets count: the automatic one, or else the present one."""
    automatic = automatic_registration(transform)
    return np.array(automatic["scanner_from_mni_ras"]) if automatic else scanner_from_mni(transform)


def move_by(transform, base: np.ndarray, values: np.ndarray) -> None:
    """Let a transform node take the scan to MNI by the base and then by an offset in MNI space."""
    set_scanner_from_mni(transform, base @ np.linalg.inv(offset_matrix(values)))


def values_of(transform, base: np.ndarray) -> np.ndarray:
    """The offset of a transform node from a base."""
    return offset_values(np.linalg.inv(scanner_from_mni(transform)) @ base)


def distance_from_automatic(transform) -> float | None:
    """mm, mean over the landmarks; None for a transform that has no automatic registration behind it."""
    from ..registration.landmarks import landmark_error

    automatic = automatic_registration(transform)
    if automatic is None:
        return None
    return float(landmark_error(scanner_from_mni(transform), np.array(automatic["scanner_from_mni_ras"])))


def judged(volume):
    """The registration that a volume's transform stands for, with its quality, by hand or not; None without any.

    Raises:
        DaTscanError: volume or transform cannot be used.
    """
    from ..registration.affine import manual_registration

    case = Case.of(volume)
    transform = case.get(TRANSFORM) if case else None
    if transform is None:
        return None
    registration = registration_of(transform)
    if not isinstance(registration, np.ndarray):
        return registration
    inputs = scan_inputs(volume, case)
    if _last.get("inputs") != inputs:
        _last.update(inputs=inputs, registration=manual_registration(registration, scan_of(volume, transform)))
    return _last["registration"]
