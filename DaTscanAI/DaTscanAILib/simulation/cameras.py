"""Gamma cameras, acquisitions and reconstructions as they differ between hospitals."""

import numpy as np

from ..reconstruction.camera import Camera

RECONSTRUCTIONS = ("fbp_shepp_logan", "fbp_butterworth", "fbp_butterworth_chang", "osem", "osem_ac", "osem_ac_rr")
# Families as hospitals have them: (share, reconstruction, pixel mm, post-filter FWHM mm).
_FAMILIES = {
    "papers": (0.34, "fbp_shepp_logan", (3.0, 4.0)),
    "butterworth": (0.22, "fbp_butterworth", (3.0, 4.5)),
    "chang": (0.12, "fbp_butterworth_chang", (3.0, 4.5)),
    "osem": (0.12, "osem", (3.2, 4.5)),
    "osem_ac": (0.12, "osem_ac", (3.2, 4.5)),
    "osem_ac_rr": (0.08, "osem_ac_rr", (3.4, 4.5)),
}


def draw_camera(random: np.random.Generator, families=tuple(_FAMILIES)) -> Camera:
    """A random acquisition of one of the given families."""
    shares = np.array([_FAMILIES[name][0] for name in families])
    family = str(random.choice(families, p=shares / shares.sum()))
    _, reconstruction, pixels = _FAMILIES[family]
    quality = random.uniform(0.85, 1.12)  # of collimators: low-energy high-resolution, fan beam, general purpose
    return Camera(
        family=family,
        reconstruction=reconstruction,
        pixel=round(random.uniform(*pixels), 2),
        views=int(random.choice([60, 64, 90, 96, 120, 120, 120, 128, 128])),
        radius=random.uniform(130, 180),
        counts=random.uniform(0.7e6, 3.5e6),
        attenuation=random.uniform(0.011, 0.015),
        # 7.4 mm FWHM at 100 mm and 10.4 mm at 150 mm with a 3.8-mm intrinsic resolution.
        resolution_at_face=1.35 * quality,
        resolution_slope=0.0195 * quality,
        scatter_ratio=random.uniform(0.2, 0.42),
        penetration_ratio=random.uniform(0.01, 0.05),
        butterworth_cutoff=random.uniform(0.032, 0.055),
        butterworth_order=float(random.choice([5, 7, 8, 10])),
        post_filter=random.uniform(5, 9),
        iterations=int(random.integers(2, 6)),
        subsets=int(random.choice([8, 10])),
    )


FAMILIES = tuple(_FAMILIES)
