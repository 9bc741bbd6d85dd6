"""One simulated scan from a seed: person, disease, head, camera, projections, image, truth.

Each kind of draw has a stream of its own, so that the same seed gives the same person, head, camera and noise with
and without a lesion, and the same person in another examination (`pairs.py`).
"""

from dataclasses import asdict, dataclass, field, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from ..mni.geometry import FWHM_PER_SIGMA, scaling_and_translation, translation
from ..reconstruction.camera import Camera
from ..reconstruction.projector import Projector
from .anatomy import TRAINING_ANATOMIES, load_anatomy
from .cameras import FAMILIES, draw_camera
from .disease import ATYPICAL_SHARE, Degeneration, draw_degeneration, draw_subtype, reduced_shares, with_lesion
from .field_of_view import Field, draw_field, export
from .glands import draw_glands
from .head import Head
from .patterns import PARTS, Lesion
from .pose import Pose, draw_pose
from .recording import record, scatter
from .scanner_software import reconstruct_counts, widen
from .uptake import Person, Uptake, draw_person, draw_uptake

FIELD_OF_VIEW = 264.0  # mm across of what is simulated: wide enough for every head and shift
LABEL_SHARES = {"normal": 0.45, "borderline": 0.05, "reduced": 0.50}
_OF_THE_PERSON = ("person", "disease", "uptake", "anatomy", "size", "head")
_OF_THE_EXAMINATION = ("camera", "placement", "field", "noise", "export")


@dataclass(frozen=True)
class Settings:
    """What the random draws may choose from.

    Attributes:
        anatomies: names of `ANATOMIES`.
        families: camera families.
        label: `normal`, `borderline` or `reduced`; None draws 45 / 5 / 50 %.
        subtype: of `disease.SUBTYPES`; None draws one of the label.
        atypical_share: of reduced scans, whose losses do not follow the order of Parkinson's disease.
        extrastriatal_loss: whether disease lowers binding outside the striatum.
        variation: factor on the spread of head size, shape and deformation.
        smoothing: FWHM in mm of a Gaussian filter on the finished image; Wenzel 2019 has 18 for a poor camera.
        pose: of `pose.POSES`.
        field: of `field_of_view.FIELDS`.
        scatter_corrected: see `cameras.draw_camera`.
        camera_seed: one camera for all scans, that of this seed; only the counts are each scan's own. None gives
            each scan its own camera.
    """

    anatomies: tuple[str, ...] = TRAINING_ANATOMIES
    families: tuple[str, ...] = FAMILIES
    label: str | None = None
    subtype: str | None = None
    atypical_share: float = ATYPICAL_SHARE
    extrastriatal_loss: bool = True
    variation: float = 1.0
    smoothing: float = 0.0
    pose: str = "usual"
    field: str = "usual"
    scatter_corrected: bool | None = None
    camera_seed: int | None = None


@dataclass(frozen=True)
class SimulatedScan:
    """A scan and all that is true of it.

    Attributes:
        voxels: `(x, y, z)` float32; axes near the patient's right, front and top (RAS order), see the affine.
        affine: 4x4 from voxel to scanner RAS mm.
        projections: `(views, columns, slices)` counts of the part that was simulated.
        projections_bottom: z in mm of the first slice's middle in them, the file's coordinates.
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
    field: Field
    moved: float
    projections: np.ndarray = field(repr=False)
    projections_bottom: float = 0.0

    def truth(self) -> dict:
        """The scan's truth as plain JSON data."""
        return {
            "seed": self.seed,
            "origin": "simulated",
            "anatomy": self.anatomy,
            "label": self.degeneration.label,
            "subtype": self.degeneration.subtype,
            "severity": self.degeneration.severity,
            **self.degeneration.losses,
            "foci": [asdict(focus) for focus in self.degeneration.foci],
            "progression_left_right": list(self.degeneration.progression),
            **asdict(self.person),
            "scanner_from_mni_ras": self.pose.scanner_from_mni.tolist(),
            "warp_amplitude_mm": self.pose.warp_amplitude,
            "head_scale": self.pose.head_scale,
            "ventricles_mm": self.pose.ventricles,
            "nuclei_shrinkage": self.pose.shrinkage,
            "true_specific_ratio": self.uptake.specific_ratio,
            "camera": asdict(self.camera),
            "motion_mm": self.moved,
        }


@dataclass(frozen=True, eq=False)
class Patient:
    """A person in the scanner, before the acquisition."""

    anatomy: str
    person: Person
    degeneration: Degeneration
    uptake: Uptake
    pose: Pose
    head: Head


def streams(seed: int, repeat: int = 0) -> dict[str, np.random.Generator]:
    """A source of random draws for each purpose; `repeat` changes those of the examination, camera excepted."""
    names = (*_OF_THE_PERSON, *_OF_THE_EXAMINATION)
    return {
        name: np.random.default_rng(
            [seed, 20261126, place, repeat if name in _OF_THE_EXAMINATION and name != "camera" else 0]
        )
        for place, name in enumerate(names)
    }


def simulate_scan(
    seed: int, settings: Settings | None = None, lesion: Lesion | None = None, repeat: int = 0
) -> SimulatedScan:
    """Simulate one scan; the same arguments give the same voxels.

    Args:
        seed: of all random draws.
        settings: what they may choose from; everything by default.
        lesion: takes its share of the striatum's binding; nothing else changes.
        repeat: number of the examination of the same person by the same camera, 0 is the first.
    """
    settings = settings or Settings()
    random = streams(seed, repeat)
    patient = draw_patient(random, settings, lesion)
    camera = _camera(random["camera"], settings)
    moved = draw_movement(random["noise"])
    pose = patient.pose
    shown = draw_field(pose, camera.pixel, camera.matrix, random["field"], settings.field)
    image, affine, projections, drift = acquire(
        patient.head, camera, moved, (shown.bottom, shown.top), random["noise"]
    )
    if settings.smoothing:
        image = gaussian_filter(image, settings.smoothing / FWHM_PER_SIGMA / camera.pixel, truncate=3)
    bottom = affine[2, 3] + shown.origin[2]
    image, affine = export(image, affine, pose, shown, random["export"])
    # After a movement the image shows the mean position, weighted with time: that is the true one.
    pose = replace(pose, scanner_from_mni=translation(drift + shown.origin) @ pose.scanner_from_mni)
    return SimulatedScan(
        image,
        affine,
        seed,
        patient.anatomy,
        patient.person,
        patient.degeneration,
        patient.uptake,
        pose,
        camera,
        shown,
        moved,
        projections,
        bottom,
    )


def draw_patient(random: dict[str, np.random.Generator], settings: Settings, lesion: Lesion | None = None) -> Patient:
    """The person, the disease and the head of a seed's streams."""
    label = settings.label or str(random["disease"].choice(list(LABEL_SHARES), p=list(LABEL_SHARES.values())))
    person = draw_person(random["person"])
    anatomy = load_anatomy(str(random["anatomy"].choice(settings.anatomies)))
    subtype = settings.subtype or draw_subtype(label, random["disease"], reduced_shares(settings.atypical_share))
    degeneration = draw_degeneration(subtype, random["disease"], anatomy)
    if lesion:
        degeneration = with_lesion(degeneration, lesion, anatomy)
    uptake = draw_uptake(person, degeneration, random["uptake"], settings.extrastriatal_loss, anatomy.traits)
    pose = draw_pose(
        person.age, random["size"], settings.variation, settings.pose, anatomy.traits, random["placement"]
    )
    head = Head(anatomy, uptake, draw_glands(random["head"]), pose, random["head"], degeneration.foci)
    return Patient(anatomy.name, person, degeneration, _with_foci(uptake, degeneration), pose, head)


def _camera(random, settings):
    camera = draw_camera(random, settings.families, settings.scatter_corrected)
    if settings.camera_seed is None:
        return camera
    shared = draw_camera(streams(settings.camera_seed)["camera"], settings.families, settings.scatter_corrected)
    return replace(shared, counts=camera.counts)


def _with_foci(uptake, degeneration):
    """The specific ratios as means over the parts, foci included."""
    ratio = dict(uptake.specific_ratio)
    for part in PARTS:
        for side in "LR":
            ratio[f"{part}_{side.lower()}"] *= 1 - degeneration.focal.get((part, side), 0.0)
    return replace(uptake, specific_ratio=ratio)


def draw_movement(random: np.random.Generator) -> float:
    """Millimeters by which the head moves during the acquisition; nine of ten lie still."""
    moves, distance = random.random() < 0.1, float(random.uniform(2, 7))
    return distance if moves else 0.0


def acquire(head: Head, camera: Camera, moved: float, ends: tuple[float, float], random: np.random.Generator):
    """Record a head and reconstruct it.

    Args:
        head: to be recorded.
        camera: that records.
        moved: mm by which the head shifts at a random moment of the acquisition.
        ends: lower and upper end of the field of view in scanner mm.
        random: of movement and noise.

    Returns:
        (voxels, affine, projections, drift): image and projections are as wide as the camera's matrix; drift (3,) mm
        is the head's mean displacement over the acquisition.
    """
    size = 2 * int(np.ceil(FIELD_OF_VIEW / camera.pixel / 2))
    bottom, top = ends
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
