"""Scans that differ in one known thing: with and without a lesion."""

from .patterns import Lesion
from .simulator import Settings, SimulatedScan, simulate_scan


def simulate_pair(seed: int, settings: Settings | None, lesion: Lesion) -> tuple[SimulatedScan, SimulatedScan]:
    """The scan of a seed without and with a lesion: same person, head, pose, camera, seed of the noise.

    Args:
        seed: of all random draws.
        settings: what they may choose from; everything by default.
        lesion: what the second scan lacks; see `patterns.Lesion`.

    Returns:
        (without, with); both have the same grid and the same true affine.
    """
    return simulate_scan(seed, settings), simulate_scan(seed, settings, lesion)
