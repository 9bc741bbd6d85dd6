"""Gamma cameras, acquisitions and reconstructions as they differ between hospitals."""

from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True)
class Camera:
    """One acquisition and its reconstruction.

    Attributes:
        family: name of the camera family, a key for tests on unseen cameras.
        reconstruction: one of `RECONSTRUCTIONS`.
        pixel: edge of a detector pixel and of an image voxel, mm.
        matrix: pixels across the image.
        views: projections over 360 degrees.
        radius: of rotation, mm.
        counts: total counts of all projections inside the axial field of view.
        attenuation: linear coefficient of the head, 1/mm (the photopeak's 0.0147 narrow, 0.011 broad beam).
        resolution_at_face, resolution_slope: sigma of the collimator and detector in mm is face + slope * distance.
        scatter_ratio: scattered over primary counts in the energy window.
        penetration_ratio: counts of 529-keV photons through the septa over primary counts.
        butterworth_cutoff, butterworth_order: of the two-dimensional filter, cycles/mm.
        post_filter: FWHM in mm of a Gaussian after OSEM.
        iterations, subsets: of OSEM.
    """

    family: str
    reconstruction: str
    pixel: float
    views: int
    radius: float
    counts: float
    attenuation: float
    resolution_at_face: float
    resolution_slope: float
    scatter_ratio: float
    penetration_ratio: float
    matrix: int = 128
    butterworth_cutoff: float = 0.045
    butterworth_order: float = 5.0
    post_filter: float = 7.0
    iterations: int = 3
    subsets: int = 8

    def sigma(self, distance):
        """Standard deviation in mm of the point-spread function at `distance` mm before the detector."""
        return self.resolution_at_face + self.resolution_slope * np.asarray(distance)


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
