"""Uptake outside the brain: parotid and submandibular glands, nasal mucosa."""

from dataclasses import dataclass

import numpy as np

_HOT_SHARE = 0.18
_HOTTEST = 6.0  # times the brain's background, as a quarter of routine scans shows the maximum there


@dataclass(frozen=True)
class Gland:
    """An ellipsoid of uptake outside the brain: center and radii in MNI mm, concentration."""

    center: tuple[float, float, float]
    radii: tuple[float, float, float]
    concentration: float


def draw_glands(random: np.random.Generator) -> list[Gland]:
    """Parotid and submandibular glands and nasal mucosa, in a share of persons up to six times the background."""
    parotid, submandibular, nasal = random.uniform(0.4, 3.5), random.uniform(0.4, 3.0), random.uniform(0.2, 2.5)
    hot, heat = random.random() < _HOT_SHARE, random.uniform(3.0, _HOTTEST, 2)
    if hot:
        parotid, submandibular = heat
    glands = [
        Gland(
            (side * 54, -14 + random.normal(0, 3), -62 + random.normal(0, 4)),
            (11, 14, 22),
            parotid * random.uniform(0.8, 1.2),
        )
        for side in (-1, 1)
    ]
    glands += [
        Gland((side * 26, 22, -98 + random.normal(0, 4)), (10, 14, 11), submandibular * random.uniform(0.8, 1.2))
        for side in (-1, 1)
    ]
    return [*glands, Gland((0, 62, -42 + random.normal(0, 3)), (13, 22, 13), nasal)]
