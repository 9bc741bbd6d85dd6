"""Left and right exchanged, so that the lower putamen lies left in what a network sees."""

import numpy as np


def mirror(volume: np.ndarray) -> np.ndarray:
    """Left and right exchanged: the grid and both boxes are symmetric about x = 0."""
    return np.ascontiguousarray(volume[::-1])


def ipsilateral_left(volume: np.ndarray, mirrored: bool) -> np.ndarray:
    """A map on the grid with the lower putamen on the left; the same call takes it back."""
    return mirror(volume) if mirrored else volume
