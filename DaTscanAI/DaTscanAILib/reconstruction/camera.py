"""A gamma camera's geometry, resolution and the way its images are made."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """One acquisition and its reconstruction.

    Attributes:
        family: name of the camera family, a key for tests on unseen cameras.
        reconstruction: one of `simulation.cameras.RECONSTRUCTIONS`.
        pixel: edge of a detector pixel and of an image voxel, mm.
        matrix: pixels across the image.
        views: projections over 360 degrees.
        radius: of rotation, mm.
        counts: total counts of all projections inside the axial field of view.
        attenuation: linear coefficient of the head, 1/mm (the photopeak's 0.0147 narrow, 0.011 broad beam).
        resolution_at_face, resolution_slope: sigma of the collimator and detector in mm is face + slope * distance.
        scatter_ratio: scattered over primary counts in the energy window.
        penetration_ratio: counts of 529-keV photons through the septa over primary counts.
        scatter_correction: share of the scatter that the correction takes out, 0 for none; of OSEM with attenuation.
        chang_attenuation: coefficient that Chang's correction takes, 1/mm.
        butterworth_cutoff, butterworth_order: of the three-dimensional filter; the cutoff in cycles/mm.
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
    scatter_correction: float = 1.0
    chang_attenuation: float = 0.011
    matrix: int = 128
    butterworth_cutoff: float = 0.045
    butterworth_order: float = 5.0
    post_filter: float = 7.0
    iterations: int = 3
    subsets: int = 8

    def sigma(self, distance):
        """Standard deviation in mm of the point-spread function at `distance` mm before the detector."""
        return self.resolution_at_face + self.resolution_slope * np.asarray(distance)
