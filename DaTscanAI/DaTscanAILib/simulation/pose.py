"""Where the head lies in the camera, how large it is, and what the person's own shape is."""

from dataclasses import dataclass

import numpy as np

from .anatomy import HEADS, Traits

POSES = ("usual", "wide", "moderate")
MIDDLE = np.array((0.0, -18.0, 8.0))  # MNI mm, about the middle of the brain
LARGEST_PITCH, LARGEST_ROLL, LARGEST_YAW = 35.0, 15.0, 30.0  # degrees
LARGEST_SHIFT = 25.0  # mm from the axis of rotation, in each direction
_WILD_SHARE = 0.20  # of usual poses: yaw beyond 5 degrees in 32 % of routine scans (DaT-Park), up to 30


@dataclass(frozen=True)
class Pose:
    """Where and how large the brain is.

    Attributes:
        scanner_from_mni: 4x4, RAS mm.
        warp_amplitude: standard deviation in mm of the smooth individual deformation.
        head_scale: size of the skull relative to the brain; over 1 the brain has shrunk inside (atrophy).
        ventricles: mm by which each wall of the lateral ventricles has moved outwards.
        shrinkage: share of their linear size that caudates and putamina have lost.
    """

    scanner_from_mni: np.ndarray
    warp_amplitude: float
    head_scale: float
    ventricles: float = 0.0
    shrinkage: float = 0.0


def rotation(pitch: float, roll: float, yaw: float) -> np.ndarray:
    """3x3 rotation, degrees: pitch about the left-right, roll about the front-back, yaw about the body axis."""
    a, b, c = np.deg2rad([pitch, roll, yaw])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def draw_pose(
    age: float,
    random: np.random.Generator,
    variation: float = 1.0,
    kind: str = "usual",
    traits: Traits = HEADS["colin27"],
    placement: np.random.Generator | None = None,
) -> Pose:
    """Brains 4 % smaller than MNI's on average, in a pose of a kind.

    Args:
        age: years; brains shrink inside the skull, ventricles open, nuclei shrink.
        random: source of the draws that belong to the person.
        variation: factor on the spread of size, shape and deformation.
        kind: `usual`, most turns moderate and a fifth wild; `wide`, all wild (pitch to 35, yaw to 30, roll to 15);
            `moderate`, none wild.
        traits: of the head.
        placement: source of the draws that belong to the examination; by default the person's.
    """
    size = np.clip(random.normal(0.965, 0.035 * variation), 0.87, 1.06)
    own = np.array([np.sqrt(traits.breadth), 1 / np.sqrt(traits.breadth), traits.height])
    shape = np.diag(size * own * random.normal(1, 0.02 * variation, 3))
    shape[np.triu_indices(3, 1)] = random.normal(0, 0.015 * variation, 3)
    atrophy = np.clip(random.normal(0.0005 * (age - 40), 0.008), 0, 0.045)
    ventricles = np.clip(random.normal(0.04 * (age - 50), 0.7), -0.5, 2.5) + traits.ventricles
    shrinkage = np.clip(random.normal(0.0006 * (age - 55), 0.015), -0.03, 0.05) + 1 - traits.nuclei
    warp = variation * random.uniform(0.8, 2.2)
    turn, shift = _draw_placement(placement or random, kind)
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ shape
    matrix[:3, 3] = shift - matrix[:3, :3] @ MIDDLE
    return Pose(matrix, warp, 1 + atrophy, float(ventricles), float(shrinkage))


def _draw_placement(random, kind):
    """Rotation and the place of the brain's middle in mm from the axis of rotation."""
    largest = np.array((LARGEST_PITCH, LARGEST_ROLL, LARGEST_YAW))
    if kind == "wide" or (kind == "usual" and random.random() < _WILD_SHARE):
        angles, spread = random.uniform(-largest, largest), LARGEST_SHIFT
    else:
        angles, spread = np.clip(random.normal(0, (10, 4, 4)), -largest, largest), 15.0
    return rotation(*angles), random.uniform(-spread, spread, 3)
