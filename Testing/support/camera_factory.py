"""The camera on which the simulator's laws are tested, and a cylinder to put before it."""

from dataclasses import replace

import numpy as np

from DaTscanAILib.simulation.cameras import draw_camera

SIZE, PIXEL = 64, 4.0
CAMERA = replace(
    draw_camera(np.random.default_rng(0), ("papers",)),
    pixel=PIXEL,
    views=60,
    radius=150.0,
    matrix=SIZE,
    resolution_at_face=1.35,
    resolution_slope=0.0195,
    chang_attenuation=0.011,
)
AXIS = (np.arange(SIZE) - (SIZE - 1) / 2) * PIXEL


def cylinder(radius_mm, center=(0, 0), slices=1) -> np.ndarray:
    """1 inside, 0 outside, the edge's pixels in part; `(SIZE, SIZE, slices)` float32, `center` in mm."""
    distance = np.hypot(*np.meshgrid(AXIS - center[0], AXIS - center[1], indexing="ij"))
    plane = np.clip((radius_mm - distance) / PIXEL + 0.5, 0, 1)
    return np.repeat(plane[:, :, None], slices, axis=2).astype(np.float32)
