"""One patient's head in the scanner: anatomy, individual shape, pose, glands; activity and attenuation maps."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..mni.geometry import apply_affine
from .anatomy import FIRST_INTRACRANIAL, Anatomy, Region
from .uptake import Uptake

SPACING = 2.0  # mm of the working maps
NECK = 84.0  # mm added below the MRI, so that glands and neck can lie in the field of view


@dataclass(frozen=True)
class Pose:
    """Where and how large the brain is.

    Attributes:
        scanner_from_mni: 4x4, RAS mm.
        warp_amplitude: standard deviation in mm of the smooth individual deformation.
        head_scale: size of the skull relative to the brain; over 1 the brain has shrunk inside (atrophy).
    """

    scanner_from_mni: np.ndarray
    warp_amplitude: float
    head_scale: float


@dataclass(frozen=True)
class Gland:
    """An ellipsoid of uptake outside the brain: centre and radii in MNI mm, concentration."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    concentration: float


def rotation(pitch: float, roll: float, yaw: float) -> np.ndarray:
    """3x3 rotation, degrees: pitch about the left-right, roll about the front-back, yaw about the body axis."""
    a, b, c = np.deg2rad([pitch, roll, yaw])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def draw_pose(age: float, random: np.random.Generator, variation: float = 1.0) -> Pose:
    """Pitch to 20, roll and yaw to 10 degrees, shifts to 25 mm; brains 4 % smaller than MNI's on average.

    Args:
        age: years; brains shrink inside the skull.
        random: source of all draws.
        variation: factor on the spread of size, shape and deformation.
    """
    turn = rotation(random.uniform(-20, 20), random.uniform(-10, 10), random.uniform(-10, 10))
    size = np.clip(random.normal(0.965, 0.035 * variation), 0.87, 1.06)
    shape = np.diag(size * random.normal(1, 0.02 * variation, 3))
    shape[np.triu_indices(3, 1)] = random.normal(0, 0.015 * variation, 3)
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ shape
    # The MNI point (0, -18, 8), about the middle of the brain, lies within 25 mm of the centre of rotation.
    matrix[:3, 3] = random.uniform(-25, 25, 3) - matrix[:3, :3] @ (0, -18, 8)
    atrophy = np.clip(random.normal(0.0005 * (age - 40), 0.008), 0, 0.045)
    return Pose(matrix, warp_amplitude=variation * random.uniform(0.8, 2.2), head_scale=1 + atrophy)


def draw_glands(random: np.random.Generator) -> list[Gland]:
    """Parotid and submandibular glands and nasal mucosa, sometimes hot."""
    parotid, submandibular, nasal = random.uniform(0.4, 3.5), random.uniform(0.4, 3.0), random.uniform(0.2, 2.5)
    if random.random() < 0.15:
        parotid, submandibular = 2.5 * parotid, 2.5 * submandibular
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


class Head:
    """Activity and attenuation of one patient, in MNI space at 2 mm, to be sampled on any scanner grid.

    Args:
        anatomy: the brain.
        uptake: concentrations of its regions.
        glands: uptake outside the brain.
        pose: size, position, deformation.
        random: for the deformation and the texture.
    """

    def __init__(
        self, anatomy: Anatomy, uptake: Uptake, glands: list[Gland], pose: Pose, random: np.random.Generator
    ):
        self.pose = pose
        pad = int(NECK / SPACING)
        code = np.arange(len(Region))
        concentration = uptake.concentration.astype(np.float32)
        inside = (code >= FIRST_INTRACRANIAL).astype(np.float32)
        outside = np.where(code == Region.SKULL, concentration[Region.SKULL], concentration[Region.SOFT_TISSUE])
        self.brain = _extend(anatomy.halved(inside * concentration), pad, 0)
        self.cover = _extend(anatomy.halved(inside), pad, 0)
        self.outline = _extend(anatomy.halved((code > Region.AIR).astype(np.float32)), pad, "edge")
        self.around = _extend(anatomy.halved(outside), pad, concentration[Region.SOFT_TISSUE]) * self.outline
        self.origin = anatomy.origin + 0.5 + (0, 0, -pad * SPACING)
        self.brain *= 1 + 0.04 * _smooth_noise(self.brain.shape, 8 / SPACING, random)
        for gland in glands:
            self._add(gland)
        self.deformation = _affine_free(_smooth_field(self.brain.shape, random), self.cover) * pose.warp_amplitude

    def _add(self, gland):
        axes = np.ix_(*[o + SPACING * np.arange(n) for o, n in zip(self.origin, self.brain.shape, strict=True)])
        distance = sum(((x - c) / r) ** 2 for x, c, r in zip(axes, gland.centre, gland.radii, strict=True))
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
        mni_from_voxel = np.linalg.inv(self.pose.scanner_from_mni) @ scanner_from_voxel
        points = apply_affine(
            mni_from_voxel,
            np.stack(np.meshgrid(*[np.arange(n, dtype=np.float32) for n in shape], indexing="ij"), axis=-1),
        ).astype(np.float32)
        position = np.moveaxis((points - self.origin) / SPACING, -1, 0)
        position_of_head = (
            position
            if self.pose.head_scale == 1
            else np.moveaxis(
                (((points - (0, -18, 8)) / self.pose.head_scale + (0, -18, 8)) - self.origin) / SPACING, -1, 0
            )
        )
        shift = [ndimage.map_coordinates(field, position / 4, order=1, mode="nearest") for field in self.deformation]
        position = position + np.stack(shift) / SPACING
        sigma = antialias / SPACING
        brain, cover, around, outline = (
            ndimage.map_coordinates(ndimage.gaussian_filter(volume, sigma), where.astype(np.float32), order=1)
            for volume, where in (
                (self.brain, position),
                (self.cover, position),
                (self.around, position_of_head),
                (self.outline, position_of_head),
            )
        )
        return brain + (1 - cover) * around, np.maximum(outline, cover)


def _extend(volume, below, fill):
    """Add slices below: a constant, or for `edge` the neck's outline repeated."""
    if isinstance(fill, str):
        return np.pad(volume, ((0, 0), (0, 0), (below, 0)), mode=fill)
    return np.pad(volume, ((0, 0), (0, 0), (below, 0)), constant_values=fill)


def _smooth_noise(shape, sigma, random):
    """Unit-variance Gaussian random field."""
    noise = ndimage.gaussian_filter(random.standard_normal(shape, dtype=np.float32), sigma, mode="wrap", truncate=3)
    return noise / noise.std()


def _smooth_field(shape, random):
    """Three fields on a grid four times coarser, correlation length about 28 mm, unit variance, mm."""
    coarse = tuple(n // 4 + 2 for n in shape)
    return np.stack([_smooth_noise(coarse, 28 / (4 * SPACING), random) for _ in range(3)])


def _affine_free(field, cover):
    """Remove the affine part inside the brain, so that the stated affine is the best one there."""
    inside = cover[::4, ::4, ::4] > 0.5
    grid = tuple(slice(0, n) for n in inside.shape)
    design = np.column_stack([np.ones(inside.sum()), *np.nonzero(inside)]).astype(np.float64)
    everywhere = np.column_stack([np.ones(field[0].size), *[axis.ravel() for axis in np.indices(field.shape[1:])]])
    out = np.empty_like(field)
    for k in range(3):
        coefficients, *_ = np.linalg.lstsq(design, field[k][grid][inside].astype(np.float64), rcond=None)
        out[k] = field[k] - (everywhere @ coefficients).reshape(field.shape[1:])
    return out
