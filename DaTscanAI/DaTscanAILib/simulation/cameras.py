"""Gamma cameras, acquisitions and reconstructions as they differ between hospitals."""

import numpy as np

from ..reconstruction.camera import Camera

RECONSTRUCTIONS = ("fbp_shepp_logan", "fbp_butterworth", "fbp_butterworth_chang", "osem", "osem_ac", "osem_ac_rr")
_POOR_SHARE = 0.08
# Families as hospitals have them: (share, reconstruction, pixel mm, post-filter FWHM mm).
_FAMILIES = {
    "papers": (0.34, "fbp_shepp_logan", (3.0, 4.0)),
    "butterworth": (0.22, "fbp_butterworth", (3.0, 4.5)),
    "chang": (0.12, "fbp_butterworth_chang", (3.0, 4.5)),
    "osem": (0.12, "osem", (3.2, 4.5)),
    "osem_ac": (0.12, "osem_ac", (3.2, 4.5)),
    "osem_ac_rr": (0.08, "osem_ac_rr", (3.4, 4.5)),
}


def draw_camera(
    random: np.random.Generator, families=tuple(_FAMILIES), scatter_corrected: bool | None = None
) -> Camera:
    """A random acquisition of one of the given families.

    Args:
        random: source of all draws.
        families: to choose from, by their shares in hospitals.
        scatter_corrected: whether methods that correct attenuation correct scatter too; None draws it (half do).
    """
    shares = np.array([_FAMILIES[name][0] for name in families])
    family = str(random.choice(families, p=shares / shares.sum()))
    _, reconstruction, pixels = _FAMILIES[family]
    quality = random.uniform(0.85, 1.12)  # of collimators: low-energy high-resolution, fan beam, general purpose
    corrected = bool(random.random() < 0.5)
    corrected = corrected if scatter_corrected is None else scatter_corrected
    # Energy windows beside the photopeak estimate scatter with an error.
    scatter_correction = random.uniform(0.8, 1.1) * corrected
    # Guidelines want 3 million; some scans have far fewer.
    counts = random.uniform(2.5e6, 5.0e6) if random.random() > _POOR_SHARE else random.uniform(0.7e6, 2.5e6)
    return Camera(
        family=family,
        reconstruction=reconstruction,
        pixel=round(random.uniform(*pixels), 2),
        views=int(random.choice([60, 64, 90, 96, 120, 120, 120, 128, 128])),
        radius=random.uniform(130, 180),
        counts=counts,
        attenuation=random.uniform(0.0105, 0.0135),
        # 7.4 mm FWHM at 100 mm and 10.4 mm at 150 mm with a 3.8-mm intrinsic resolution.
        resolution_at_face=1.35 * quality,
        resolution_slope=0.0195 * quality,
        scatter_ratio=random.uniform(0.2, 0.42),
        penetration_ratio=random.uniform(0.01, 0.05),
        scatter_correction=scatter_correction,
        # With scatter in the image 0.05 to 0.11 per cm were best in a phantom (PMC6038970); Lange 2014 gained 22 %.
        chang_attenuation=random.uniform(0.005, 0.009),
        # Published: 0.032 to 0.046 (PMC6038970), 0.046 and 0.058 (Winz 2012), 0.064 (PySBR), 0.07 (Kim 2018).
        butterworth_cutoff=random.uniform(0.033, 0.07),
        butterworth_order=float(random.choice([5, 7, 8, 10])),
        post_filter=random.uniform(6, 10),
        iterations=int(random.integers(2, 6)),
        subsets=int(random.choice([8, 10])),
    )


FAMILIES = tuple(_FAMILIES)
