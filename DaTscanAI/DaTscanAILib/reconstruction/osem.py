"""Ordered-subsets expectation maximization (Hudson and Larkin 1994)."""

import numpy as np

from .projector import Projector


def osem(
    projections: np.ndarray, projector: Projector, iterations: int, subsets: int, background: np.ndarray | float = 0.0
) -> np.ndarray:
    """Ordered-subsets expectation maximisation (Hudson and Larkin 1994).

    Args:
        projections: `(views, size, slices)` counts.
        projector: models what shall be corrected (attenuation, resolution).
        background: expected scatter, of the projections' shape.

    Returns:
        Image `(size, size, slices)`, never negative.
    """
    views = projections.shape[0]
    image = np.ones((projector.size, projector.size, projections.shape[2]), np.float32)
    # A Fortran-like order of subsets keeps neighbouring updates far apart in angle.
    order = np.argsort([int(f"{k:08b}"[::-1], 2) for k in range(subsets)])
    parts = [range(int(start), views, subsets) for start in order]
    # One slice stands for all where they are alike.
    shape = (projector.size, 1 if projector.slices_alike else projections.shape[2])
    sensitivity = [projector.back_project(np.ones((len(part), *shape), np.float32), part) for part in parts]
    scattered = np.broadcast_to(background, projections.shape)
    for _ in range(iterations):
        for part, norm in zip(parts, sensitivity, strict=True):
            expected = projector.project(image, part) + scattered[list(part)]
            ratio = projections[list(part)] / np.maximum(expected, 1e-6)
            image *= projector.back_project(ratio, part) / np.maximum(norm, 1e-6)
    return image
