"""What tells a good fit from a bad one: plain numbers of a fit's residuals, pattern and shape."""

import numpy as np

from .parameters import PRIOR_MEAN, PRIOR_PRECISION

# A residual of so many of the scan's own robust standard deviations keeps half its weight.
_HALF_TRUST_AT = 3.0
_CHI_SQUARED_MEDIAN = 0.455  # one degree of freedom
_STRANGE = 0.2  # of the trust: residuals of 6 standard deviations
_BELOW_BRAIN = -30.0  # MNI mm: glands, neck and the lowest cerebellum

LOST_FEATURES = {
    "coverage": 0.0,
    "unexplained": 3.0,
    "residual": 2.0,
    "strange": 1.0,
    "strange_below": 1.0,
    "unusual_pattern": 10.0,
    "largest_component": 30.0,
    "unusual_shape": 20.0,
    "turn": 6.0,
    "disagreement": 30.0,
}


def trust(residual: np.ndarray, weight: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Cauchy's factor of each point, 1 where it is explained, falling with its residual.

    Args:
        residual: `(n,)` values minus model.
        weight: `(n,)` inverse variances expected of it.
        inside: `(n,)` bool; the scale is the median of these.
    """
    surprise = weight * residual**2
    typical = float(np.median(surprise[inside])) / _CHI_SQUARED_MEDIAN
    return 1 / (1 + surprise / np.float32(max(_HALF_TRUST_AT**2 * typical, 1e-9)))


def residual_features(values, residual, weight, inside, points) -> dict[str, float]:
    """How much of the scan the template leaves unexplained.

    Args:
        values: `(n,)` of the scan, the mean template's coefficient 1.
        residual: `(n,)` values minus model.
        weight: `(n,)` inverse variances expected of it.
        inside: `(n,)` bool, covered by the scan.
        points: `(n, 3)` MNI mm.
    """
    trusted = trust(residual, weight, inside)
    robust = weight * inside * trusted
    total = max(float(robust.sum()), 1e-9)
    centered = values - float((robust * values).sum()) / total
    left = float((robust * residual**2).sum())
    below = points[:, 2] < _BELOW_BRAIN
    return {
        "unexplained": left / max(float((robust * centered**2).sum()), 1e-9),
        "residual": float(np.sqrt(left / total)),
        "strange": _share(trusted[inside & ~below] < _STRANGE, 1.0),
        "strange_below": _share(trusted[inside & below] < _STRANGE, 0.0),
    }


def shape_features(parameters: np.ndarray, pattern: np.ndarray) -> dict[str, float]:
    """How unusual the components' coefficients, the turn and the shape of the head are, in standard deviations."""
    prior = PRIOR_PRECISION * (parameters - PRIOR_MEAN) ** 2
    return {
        "unusual_pattern": float(np.sqrt((pattern**2).mean())) if pattern.size else 0.0,
        "largest_component": float(np.abs(pattern).max(initial=0)),
        "unusual_shape": float(np.sqrt(prior[6:].mean())),
        "turn": float(np.sqrt(prior[3:6].sum())),
    }


def parts_of_head(points: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """`(n,)` which of six parts each point belongs to: around, below, front, back, right and left of the brain."""
    x, y, z = points.T
    of_brain = np.select([z < -15, y > 20, y < -55, x > 0], [1, 2, 3, 4], default=5)
    return np.where(brain, of_brain, 0)


def _share(chosen, otherwise):
    return float(chosen.mean()) if chosen.size else otherwise
