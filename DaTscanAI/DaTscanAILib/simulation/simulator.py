"""One simulated scan from a seed: person, disease, head, camera, projections, image, truth."""

from dataclasses import asdict, dataclass, field, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from ..mni.geometry import FWHM_PER_SIGMA, scaling_and_translation, translation
from ..reconstruction.camera import Camera
from ..reconstruction.projector import Projector
from .anatomy import ANATOMIES, load_anatomy
from .cameras import FAMILIES, draw_camera
from .disease import Degeneration, draw_degeneration, draw_subtype
from .head import Head, Pose, draw_glands, draw_pose
from .recording import record, scatter
from .scanner_software import reconstruct_counts, widen
from .uptake import Person, Uptake, draw_person, draw_uptake

FIELD_OF_VIEW = 264.0  # mm across: wide enough for every head and shift


@dataclass(frozen=True)
class Settings:
    """What the random draws may choose from.

    Attributes:
        anatomies: names of `ANATOMIES`.
        families: camera families.
        label: `normal`, `borderline` or `reduced`; None draws 45 / 5 / 50 %.
        subtype: of `disease.SUBTYPES`; None draws one of the label.
        extrastriatal_loss: whether disease lowers binding outside the striatum.
        variation: factor on the spread of head size, shape and deformation.
        smoothing: FWHM in mm of a Gaussian filter on the finished image; Wenzel 2019 has 18 for a poor camera.
    """

    anatomies: tuple[str, ...] = ANATOMIES
    families: tuple[str, ...] = FAMILIES
    label: str | None = None
    subtype: str | None = None
    extrastriatal_loss: bool = True
    variation: float = 1.0
    smoothing: float = 0.0


@dataclass(frozen=True)
class SimulatedScan:
    """A scan and all that is true of it.

    Attributes:
        voxels: `(x, y, z)` float32, x to the right, y to the front, z up (RAS order).
        affine: 4x4 from voxel to scanner RAS mm.
        projections: `(views, columns, slices)` counts.
    """

    voxels: np.ndarray
    affine: np.ndarray
    seed: int
    anatomy: str
    person: Person
    degeneration: Degeneration
    uptake: Uptake
    pose: Pose
    camera: Camera
    moved: float
    projections: np.ndarray = field(repr=False)

    def truth(self) -> dict:
        """The scan's truth as plain JSON data."""
        return {
            "seed": self.seed,
            "anatomy": self.anatomy,
            "label": self.degeneration.label,
            "subtype": self.degeneration.subtype,
            "severity": self.degeneration.severity,
            "progression_left_right": list(self.degeneration.progression),
            **asdict(self.person),
            "scanner_from_mni_ras": self.pose.scanner_from_mni.tolist(),
            "warp_amplitude_mm": self.pose.warp_amplitude,
            "head_scale": self.pose.head_scale,
            "true_specific_ratio": self.uptake.specific_ratio,
            "camera": asdict(self.camera),
            "motion_mm": self.moved,
        }


def simulate_scan(seed: int, settings: Settings | None = None) -> SimulatedScan:
    """Simulate one scan; the same seed and settings give the same voxels.

    Args:
        seed: of all random draws.
        settings: what they may choose from; everything by default.
    """
    settings = settings or Settings()
    random = np.random.default_rng([seed, 20210915])
    label = settings.label or str(random.choice(["normal", "borderline", "reduced"], p=[0.45, 0.05, 0.50]))
    person = draw_person(random)
    degeneration = draw_degeneration(settings.subtype or draw_subtype(label, random), random)
    uptake = draw_uptake(person, degeneration, random, settings.extrastriatal_loss)
    anatomy = load_anatomy(str(random.choice(settings.anatomies)))
    pose = draw_pose(person.age, random, settings.variation)
    camera = draw_camera(random, settings.families)
    head = Head(anatomy, uptake, draw_glands(random), pose, random)
    moved = float(random.uniform(2, 7)) if random.random() < 0.1 else 0.0
    image, affine, projections, drift = acquire(head, camera, moved, random)
    if settings.smoothing:
        image = gaussian_filter(image, settings.smoothing / FWHM_PER_SIGMA / camera.pixel, truncate=3)
    # After a movement the image shows the mean position, weighted with time: that is the true one.
    pose = replace(pose, scanner_from_mni=translation(drift) @ pose.scanner_from_mni)
    return SimulatedScan(
        image, affine, seed, anatomy.name, person, degeneration, uptake, pose, camera, moved, projections
    )


def acquire(head: Head, camera: Camera, moved: float, random: np.random.Generator):
    """Record a head and reconstruct it.

    Args:
        moved: mm by which the head shifts at a random moment of the acquisition.

    Returns:
        (voxels, affine, projections, drift): image and projections are as wide as the camera's matrix; drift (3,) mm
        is the head's mean displacement over the acquisition.
    """
    size = 2 * int(np.ceil(FIELD_OF_VIEW / camera.pixel / 2))
    bottom, top = _axial_range(head.pose, random)
    shape = (size, size, int(np.ceil((top - bottom) / camera.pixel)))
    grid = _centered_grid(size, camera.pixel, bottom)
    activity, outline = head.sample(grid, shape, antialias=0.3 * camera.pixel)
    # Only OSEM asks for the transmissions again.
    projector = Projector(camera, size, camera.attenuation * outline, remember="osem_ac" in camera.reconstruction)
    primary = projector.project(activity)
    drift = np.zeros(3)
    if moved:
        shift = random.standard_normal(3)
        shift *= moved / np.linalg.norm(shift)
        late = range(int(random.uniform(0.2, 0.8) * camera.views), camera.views)
        drift = shift * len(late) / camera.views
        activity, outline = head.sample(translation(-shift) @ grid, shape, antialias=0.3 * camera.pixel)
        primary[list(late)] = Projector(camera, size, camera.attenuation * outline).project(activity, late)
    scattered = scatter(primary, camera)
    counts = record(primary + scattered, camera.counts, random)
    scattered *= counts.sum() / (primary.sum() + scattered.sum())
    image = reconstruct_counts(counts, camera, projector, scattered)
    affine = _centered_grid(camera.matrix, camera.pixel, bottom)
    return image, affine, widen(counts, camera.matrix, axes=(1,)), drift


def _centered_grid(size, pixel, bottom):
    half = (size - 1) / 2 * pixel
    return scaling_and_translation(pixel, (-half, -half, bottom))


def _axial_range(pose: Pose, random) -> tuple[float, float]:
    """Lower and upper end in scanner mm: may cut 15 mm of the vertex or half of the cerebellum, or reach the neck."""
    vertex, cerebellum = (float((pose.scanner_from_mni @ (*point, 1))[2]) for point in ((0, -20, 80), (0, -55, -62)))
    return cerebellum - random.uniform(-30, 60), vertex + random.uniform(-15, 45)
