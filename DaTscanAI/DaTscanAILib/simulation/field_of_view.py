"""From the reconstructed head to the image as it is exported: field of view, neck and shoulders, headrest, grid.

Only the head's region is simulated photon by photon; what lies below it in a long field is drawn into the image at
the image's own level, resolution and noise, because it is far from the brain and no one measures it.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..mni.geometry import resample, scaling_and_translation
from .pose import MIDDLE, Pose, rotation

FIELDS = ("usual", "wide", "camera")
SHORTEST, LONGEST = 108.0, 630.0  # mm along the body, as in routine scans (DaT-Park)
WIDEST = 630.0  # mm across
_LONGEST_BODY = 260.0  # mm of neck, shoulders and chest that a detector can see below the head
_SMALLEST_ACROSS = 220.0  # mm
_MOST_VOXELS = 160  # along each axis

# Points on the brain's surface, MNI mm, that tell how high and how low it lies in the scanner.
_SURFACE = np.array(
    [
        *[(0, -20, 80), (0, 70, 10), (0, 45, 60), (0, -105, 10), (0, -70, 65)],
        *[(0, -55, -62), (-40, 10, -42), (40, 10, -42), (0, 45, -28), (-25, -75, -60), (25, -75, -60)],
    ]
)


@dataclass(frozen=True)
class Field:
    """What of the scanner's space the exported image shows.

    Attributes:
        bottom, top: ends in scanner mm of the part that is simulated.
        below, above: mm added to it; below with neck and shoulders, above with air.
        body: mm of what is below that holds a body.
        across: mm of the image in the transaxial plane.
        shift: (x, y) mm of the image's middle from the axis of rotation.
        origin: (3,) mm of the axis of rotation in the file's own coordinates.
        headrest: its level against the head's mean, 0 for none.
        turn: 3x3 of the exported grid's axes in the scanner, None for the camera's own grid.
        spacing: mm of the exported grid where it is turned or finer.
    """

    bottom: float
    top: float
    below: float
    above: float
    body: float
    across: float
    shift: tuple[float, float]
    origin: tuple[float, float, float]
    headrest: float
    turn: np.ndarray | None
    spacing: float


def draw_field(pose: Pose, pixel: float, matrix: int, random: np.random.Generator, kind: str = "usual") -> Field:
    """A field of view for a pose.

    Args:
        pose: of the head.
        pixel: mm of the camera's image.
        matrix: its pixels across.
        random: source of all draws.
        kind: `usual`, as routine scans mix them; `wide`, long and wide ones only, all turned, far off the middle;
            `camera`, the camera's own matrix with what was recorded, nothing added.
    """
    wide = kind == "wide"
    bottom, top, length = _axial(pose, random, wide)
    if kind == "camera":
        nowhere = (0.0, 0.0, 0.0)
        return Field(bottom, top, 0.0, 0.0, 0.0, pixel * matrix, nowhere[:2], nowhere, 0.0, None, pixel)
    room = max(length - (top - bottom), 0)
    above = room * random.uniform(0, 0.4)
    body = random.uniform(0, _LONGEST_BODY)
    across = _across(pixel * matrix, random, wide)
    spread = 40.0 if wide or random.random() < 0.15 else 12.0
    most = max((across - _SMALLEST_ACROSS) / 2, 0)
    shift = np.clip(random.uniform(-spread, spread, 2), -most, most)
    origin = random.uniform(-40, 40, 3) if wide or random.random() < 0.4 else np.zeros(3)
    resting = random.random() < (0.7 if wide else 0.25)
    headrest = float(random.uniform(0.02, 0.15)) * resting
    turn, spacing = _grid(pose, pixel, random, wide)
    spacing = max(spacing, across / _MOST_VOXELS, (top - bottom + room) / _MOST_VOXELS)
    return Field(
        bottom, top, room - above, above, body, across, tuple(shift), tuple(origin), headrest, turn, float(spacing)
    )


def _axial(pose, random, wide):
    """Ends of the simulated part and the length of the whole field."""
    heights = (pose.scanner_from_mni[:3, :3] @ _SURFACE.T)[2] + pose.scanner_from_mni[2, 3]
    draw = random.random()
    if wide:
        draw = 0.5 + draw / 2
    if draw < 0.08:  # a short field around the striata
        length = random.uniform(SHORTEST, 150)
        middle = (pose.scanner_from_mni @ (*MIDDLE, 1))[2] + random.uniform(-12, 12)
        return middle - length / 2, middle + length / 2, length
    # May cut 15 mm of the vertex or half of the cerebellum, or reach the neck.
    bottom, top = heights.min() - random.uniform(-30, 60), heights.max() + random.uniform(-15, 45)
    bottom = min(bottom, top - SHORTEST)
    if draw < 0.45:
        return bottom, top, top - bottom
    return bottom, top, random.uniform(250, 400) if draw < 0.93 else random.uniform(400, LONGEST)


def _across(full, random, wide):
    draw = random.random()
    if draw < 0.25 and not wide:
        return random.uniform(_SMALLEST_ACROSS, 300)
    if draw < 0.85 and not wide:
        return full
    return random.uniform(min(full, 450), WIDEST)


def _grid(pose, pixel, random, wide):
    """Axes and spacing of the exported grid; 40 % of routine scans are turned against the scanner's axes."""
    draw, amount = random.random(), random.uniform(0.3, 1.1)
    errors, finer = random.normal(0, 3, 3), random.uniform(0.55, 1.0)
    if wide or draw < 0.38:  # turned upright after the head, never quite
        left, _, right = np.linalg.svd(pose.scanner_from_mni[:3, :3])
        head = left @ right
        return _part_of(head, amount) @ rotation(*errors), pixel * finer
    if draw < 0.53:
        return np.eye(3), pixel * finer  # a finer or zoomed grid
    return None, pixel


def _part_of(turn, share):
    """The rotation about the same axis by a share of its angle."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(share * Rotation.from_matrix(turn).as_rotvec()).as_matrix()


def export(
    image: np.ndarray, affine: np.ndarray, pose: Pose, field: Field, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The image as the scanner's software hands it out.

    Args:
        image: `(matrix, matrix, slices)`, reconstructed.
        affine: 4x4 of its grid; scanner RAS mm with the axis of rotation at x = y = 0.
        pose: of the head, for the headrest.
        field: what to show.
        random: of the body's shape and noise.

    Returns:
        (voxels, affine): float32, 4x4 to RAS mm with `field.origin` added.
    """
    pixel = affine[0, 0]
    below, above = (round(float(length / pixel)) for length in (field.below, field.above))
    if below:
        image = add_body(image, pixel, below, field.body, random)
        affine = affine @ scaling_and_translation(1.0, (0, 0, -below))
    image = np.pad(image, ((0, 0), (0, 0), (0, above)))
    if field.headrest:
        image = image + _headrest(image, affine, pose, field.headrest, random)
    image, affine = _regrid(image, affine, field)
    affine = affine.copy()
    affine[:3, 3] += field.origin
    return image.astype(np.float32), affine


def _regrid(image, affine, field):
    """Crop, pad, turn and resample, as the field says."""
    pixel = affine[0, 0]
    spacing = pixel if field.turn is None else field.spacing
    count = int(field.across / spacing / 2) * 2
    length = image.shape[2] * pixel
    slices = image.shape[2] if field.turn is None else round(float(length / spacing))
    middle = np.array((*field.shift, affine[2, 3] + (image.shape[2] - 1) / 2 * pixel))
    shape = (count, count, slices)
    target = np.eye(4)
    target[:3, :3] = spacing * (np.eye(3) if field.turn is None else field.turn)
    if field.turn is None:  # on the camera's own grid: whole pixels
        first = np.rint((middle[:2] - affine[:2, 3]) / pixel - (count - 1) / 2).astype(int)
        target[:3, 3] = (*(affine[:2, 3] + pixel * first), affine[2, 3])
        return _cut(image, first, count), target
    target[:3, 3] = middle - target[:3, :3] @ ((np.array(shape) - 1) / 2)
    return resample(image, np.linalg.inv(affine) @ target, shape), target


def _cut(image, first, count):
    """`count` columns from `first` on along the two transaxial axes, zeros where there is no image."""
    for axis, start in enumerate(first):
        size = image.shape[axis]
        margins = [(0, 0)] * 3
        margins[axis] = (max(-start, 0), max(start + count - size, 0))
        image = np.pad(image, margins)
        start = max(start, 0)
        image = image[(slice(None),) * axis + (slice(start, start + count),)]
    return image


# ---- what lies beside the head

_NECK = (62.0, 66.0)  # mm, half axes
_SHOULDERS = (205.0, 115.0)
_OVERLAP = 4  # slices over which head and body change into each other


def add_body(image: np.ndarray, pixel: float, slices: int, body: float, random: np.random.Generator) -> np.ndarray:
    """`slices` more slices below: for `body` mm neck and shoulders at the image's own level, then nothing."""
    place = _lowest_outline(image, pixel)
    volume = np.zeros((*image.shape[:2], slices + _OVERLAP), np.float32)
    steps = min(int(body / pixel), slices)
    if place is None or steps < 2:
        return np.concatenate([volume[..., :slices], image], axis=2)
    center, axes, level, roughness = place
    depth = (np.arange(steps + _OVERLAP) - _OVERLAP + 0.5) * pixel
    widths = _half_axes(depth, axes, random)
    x, y = ((np.arange(n) * pixel)[:, None] for n in image.shape[:2])
    inside = (((x - center[0]) / widths[0]) ** 2)[:, None] + (((y - center[1]) / widths[1]) ** 2)[None] < 1
    noise = ndimage.gaussian_filter(random.standard_normal(inside.shape, dtype=np.float32), 3.5 / pixel, truncate=2.5)
    noise *= roughness / noise.std()
    drawn = ndimage.gaussian_filter(inside * np.float32(level), 5 / pixel, truncate=2.5) * (1 + noise)
    volume[..., slices - steps :] = np.maximum(drawn, 0)[..., ::-1]
    weight = (np.arange(_OVERLAP, dtype=np.float32) + 0.5) / _OVERLAP
    joint = weight * image[..., :_OVERLAP] + (1 - weight) * volume[..., slices:]
    return np.concatenate([volume[..., :slices], joint, image[..., _OVERLAP:]], axis=2)


def _half_axes(depth, start, random):
    """Of the ellipses at depths below the head, `(2, depths)` mm: from the outline to the neck, then to shoulders."""
    neck_length, build = random.uniform(10, 80), random.uniform(0.85, 1.15)
    to_neck = np.clip(depth / 30, 0, 1)
    to_shoulders = np.clip((depth - neck_length) / 90, 0, 1) ** 0.7
    return [
        ((1 - to_neck) * own + to_neck * build * neck) * (1 - to_shoulders) + to_shoulders * build * shoulder
        for own, neck, shoulder in zip(start, _NECK, _SHOULDERS, strict=True)
    ]


def _lowest_outline(image, pixel):
    """Center, half axes (mm), level and relative noise of what the lowest slices show; None where nothing is."""
    lowest = image[..., :_OVERLAP].mean(axis=2)
    smooth = ndimage.gaussian_filter(lowest, 6 / pixel)
    inside = smooth > 0.35 * np.percentile(smooth, 97)
    if inside.sum() < 30 or lowest[inside].mean() < 0.02 * image.max():
        return None
    points = np.argwhere(inside) * pixel
    level = float(np.median(lowest[inside]))
    roughness = float(np.clip(image[..., 0][inside].std() / max(level, 1e-6), 0.1, 0.5))
    return points.mean(axis=0), np.maximum(2 * points.std(axis=0), 40), level, roughness


def _headrest(image, affine, pose, share, random):
    """A thin bowed shell behind the head along the whole field."""
    pixel = affine[0, 0]
    middle = (pose.scanner_from_mni @ (*MIDDLE, 1))[:2]
    gap, thickness = random.uniform(4, 22), random.uniform(6, 14)
    x, y = (affine[k, 3] + pixel * np.arange(image.shape[k]) - middle[k] for k in (0, 1))
    radius = np.hypot(x[:, None] / (88 + gap), y[None, :] / (104 + gap)) * (100 + gap)
    shell = (np.abs(radius - 100 - gap) < thickness / 2) & (y[None, :] < -20)
    level = share * float(image[image > 0.2 * np.percentile(image, 99)].mean())
    flat = ndimage.gaussian_filter(shell * np.float32(level), 5 / pixel)
    return flat[..., None] * np.float32(random.uniform(0.8, 1.2))
