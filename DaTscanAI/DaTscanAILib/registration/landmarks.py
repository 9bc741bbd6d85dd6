"""Points of the brain by which the error of a registration is told in millimetres."""

import numpy as np

from ..mni.geometry import apply_affine

# MNI mm: heads of the caudates, putamina front and back; poles, vertex, temporal and parietal cortex.
LANDMARKS = np.array(
    [
        (-12, 12, 8),
        (12, 12, 8),
        (-25, 8, 2),
        (25, 8, 2),
        (-28, -10, 4),
        (28, -10, 4),
        (0, 66, 2),
        (0, -100, 2),
        (0, -20, 76),
        (-64, -20, 6),
        (64, -20, 6),
        (-44, 10, -32),
        (44, 10, -32),
        (-46, -62, 42),
        (46, -62, 42),
    ],
    float,
)


def landmark_error(scanner_from_mni: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance in mm between the landmarks taken through two affines."""
    difference = apply_affine(scanner_from_mni, LANDMARKS) - apply_affine(truth, LANDMARKS)
    return float(np.linalg.norm(difference, axis=1).mean())
