"""One patient's head in the scanner: anatomy, individual shape, pose, glands; activity and attenuation maps."""

import numpy as np
from scipy import ndimage

from .anatomy import FIRST_INTRACRANIAL, Anatomy, Region
from .deformation import (
    COARSE,
    head_field,
    person_field,
    smaller_nuclei,
    smooth_noise,
    widened_ventricles,
    without_affine_part,
)
from .glands import Gland
from .patterns import Focus, kept_around
from .pose import MIDDLE, Pose
from .sampling import at, filter_reach, may_be_near, smoothed
from .uptake import Uptake

SPACING = 2.0  # mm of the working maps
NECK = 84.0  # mm added below the MRI, so that glands and neck can lie in the field of view
_STRIATUM = (Region.CAUDATE_L, Region.ACCUMBENS_R)  # first and last of the codes that foci take from


class Head:
    """Activity and attenuation of one patient, in MNI space at 2 mm, to be sampled on any scanner grid.

    Args:
        anatomy: the brain and the head it lies in.
        uptake: concentrations of its regions.
        glands: uptake outside the brain.
        pose: size, position, deformation.
        random: for the deformation and the texture.
        foci: lesions of the striatum.
    """

    def __init__(
        self,
        anatomy: Anatomy,
        uptake: Uptake,
        glands: list[Gland],
        pose: Pose,
        random: np.random.Generator,
        foci: tuple[Focus, ...] = (),
    ):
        self.pose = pose
        self.anatomy = anatomy
        pad = int(NECK / SPACING)
        code = np.arange(len(Region))
        concentration = uptake.concentration.astype(np.float32)
        inside = (code >= FIRST_INTRACRANIAL).astype(np.float32)
        outside = np.where(code == Region.SKULL, concentration[Region.SKULL], concentration[Region.SOFT_TISSUE])
        brain = anatomy.halved(inside * concentration)
        if foci:
            _take(brain, anatomy, concentration, foci)
        self.brain = _extend(brain, pad, 0)
        self.cover = _extend(anatomy.halved(inside), pad, 0)
        self.outline = _extend(anatomy.halved((code > Region.AIR).astype(np.float32)), pad, "edge")
        self.around = _extend(anatomy.halved(outside), pad, concentration[Region.SOFT_TISSUE]) * self.outline
        self.origin = anatomy.origin + 0.5 + (0, 0, -pad * SPACING)
        self.brain *= 1 + 0.04 * smooth_noise(self.brain.shape, 8 / SPACING, random)
        for gland in glands:
            self._add(gland)
        self.deformation = self._deform(anatomy, random)

    def _deform(self, anatomy, random):
        """All displacements together, mm `(3, x, y, z)` on the coarse grid, free of affine parts."""
        shape = tuple(int(n * SPACING / COARSE) + 2 for n in self.brain.shape)
        points = self.origin + COARSE * np.moveaxis(np.indices(shape), 0, -1)
        field = (
            self.pose.warp_amplitude * person_field(shape, random)
            + head_field(anatomy, shape)
            + widened_ventricles(points, self.pose.ventricles)
            + smaller_nuclei(anatomy, points, self.pose.shrinkage)
        )
        step = int(COARSE / SPACING)
        return without_affine_part(field, self.cover[::step, ::step, ::step] > 0.5)

    def _add(self, gland):
        axes = np.ix_(*[o + SPACING * np.arange(n) for o, n in zip(self.origin, self.brain.shape, strict=True)])
        distance = sum(((x - c) / r) ** 2 for x, c, r in zip(axes, gland.center, gland.radii, strict=True))
        self.around[distance <= 1] = gland.concentration

    def sample(self, scanner_from_voxel: np.ndarray, shape, antialias: float):
        """Activity and head mask on a scanner grid.

        Args:
            scanner_from_voxel: 4x4 of the grid, RAS mm.
            shape: of the grid.
            antialias: sigma in mm of a Gaussian before sampling, about 0.3 of the grid's spacing.

        Returns:
            (activity, head), two float32 arrays of `shape`; head is the share of each voxel inside the head.
        """
        points = self._points(scanner_from_voxel, shape)
        sigma = antialias / SPACING
        reach = filter_reach(sigma) + 1
        places = self._in_maps(points)
        strongest = np.abs(self.deformation).max(axis=(1, 2, 3)) / SPACING
        near = may_be_near(self.cover > 0, strongest + reach, places)
        deformed = self._deformed(places[:, near])
        brain, cover = (at(smoothed(volume, sigma, deformed), deformed, near) for volume in (self.brain, self.cover))
        middle = MIDDLE[:, None]
        places = self._in_maps((points - middle) / self.pose.head_scale + middle)
        near = may_be_near((self.outline > 0) | (self.around > 0), np.full(3, reach), places)
        places = places[:, near].astype(np.float32)
        around, outline = (
            at(smoothed(volume, sigma, places), places, near) for volume in (self.around, self.outline)
        )
        return (brain + (1 - cover) * around).reshape(shape), np.maximum(outline, cover).reshape(shape)

    def share_of(self, regions: tuple[Region, ...], scanner_from_voxel: np.ndarray, shape) -> np.ndarray:
        """Share of each voxel of a grid that lies in the union of regions, float32."""
        wanted = np.isin(np.arange(len(Region)), regions).astype(np.float32)
        mask = _extend(self.anatomy.halved(wanted), int(NECK / SPACING), 0)
        places = self._in_maps(self._points(scanner_from_voxel, shape))
        return ndimage.map_coordinates(mask, self._deformed(places), order=1).reshape(shape)

    def _points(self, scanner_from_voxel, shape):
        """MNI mm `(3, n)` of a grid's voxels, float32."""
        mni_from_voxel = np.linalg.inv(self.pose.scanner_from_mni) @ scanner_from_voxel
        # Three long rows: a product with three columns takes ten times as long.
        grid = np.indices(shape, dtype=np.float64).reshape(3, -1)
        return (mni_from_voxel[:3, :3] @ grid + mni_from_voxel[:3, 3:]).astype(np.float32)

    def _in_maps(self, points):
        """Places `(3, n)` in voxels of the maps of points in MNI mm."""
        return (points - self.origin[:, None]) / SPACING

    def _deformed(self, places):
        """Where places `(3, n)` of the maps lie in the undeformed brain, float32."""
        coarse = places * (SPACING / COARSE)
        shift = [ndimage.map_coordinates(field, coarse, order=1, mode="nearest") for field in self.deformation]
        return (places + np.stack(shift) / SPACING).astype(np.float32)


def _take(brain, anatomy, concentration, foci):
    """Lower the specific binding (concentration over 1) of the striatum within foci, in a map of 2-mm voxels."""
    box, kept = kept_around(foci, anatomy)
    codes = anatomy.codes[box]
    striatum = (codes >= _STRIATUM[0]) & (codes <= _STRIATUM[1])
    x, y, z = np.nonzero(striatum & (kept < 1))
    lost = (concentration[codes[x, y, z]] - 1) * (1 - kept[x, y, z])
    places = tuple((axis + part.start) // 2 for axis, part in zip((x, y, z), box, strict=True))
    np.subtract.at(brain, places, lost / 8)


def _extend(volume, below, fill):
    """Add slices below: a constant, or for `edge` the neck's outline repeated."""
    if isinstance(fill, str):
        return np.pad(volume, ((0, 0), (0, 0), (below, 0)), mode=fill)
    return np.pad(volume, ((0, 0), (0, 0), (below, 0)), constant_values=fill)
