"""How much alike two maps are."""

import numpy as np

_WINDOW = 7  # voxels: of the structural similarity
_K1, _K2 = 0.01, 0.03


def correlation(one: np.ndarray, other: np.ndarray, inside: np.ndarray) -> float:
    """Pearson's, over the voxels inside; 0 where a map is flat."""
    first, second = one[inside].astype(np.float64), other[inside].astype(np.float64)
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def structural_similarity(one: np.ndarray, other: np.ndarray, inside: np.ndarray) -> float:
    """Mean structural similarity (Wang et al. 2004, IEEE Trans Image Process 13:600, equation 13) over the inside.

    Both maps are first divided by the standard deviation of their values inside, as the strength of a map says
    nothing of its pattern. The range of values is that of the first.
    """
    from scipy.ndimage import uniform_filter

    first, second = (values / (values[inside].std() or 1.0) for values in (one.astype(float), other.astype(float)))
    span = np.ptp(first[inside])
    mean_first, mean_second = (uniform_filter(values, _WINDOW) for values in (first, second))
    variance_first = uniform_filter(first**2, _WINDOW) - mean_first**2
    variance_second = uniform_filter(second**2, _WINDOW) - mean_second**2
    covariance = uniform_filter(first * second, _WINDOW) - mean_first * mean_second
    c1, c2 = (_K1 * span) ** 2, (_K2 * span) ** 2
    likeness = (2 * mean_first * mean_second + c1) * (2 * covariance + c2)
    likeness /= (mean_first**2 + mean_second**2 + c1) * (variance_first + variance_second + c2)
    return float(likeness[inside].mean())
