"""Simulation of a scan from its seed to the reconstructed image, on one thread."""

import time

from ..simulation.simulator import simulate_scan
from .child import environment, in_child
from .goals import Findings, Measured
from .settings import FIRST_SEED, Settings
from .timing import middle


def run(settings: Settings) -> Findings:
    """A few seeds, so that all camera families come up."""
    seeds = [FIRST_SEED + number for number in range(2 * settings.repetitions)]
    seconds = in_child(time_simulation, environment(threads=1), seeds=seeds)
    note = f"median of {len(seeds)} scans, slowest {max(seconds):.1f} s"
    return Findings({"simulation_time": Measured(middle(seconds), note=note, repetitions={"ours": seconds})})


def time_simulation(seeds: list[int]) -> list[float]:
    """CPU seconds of each seed's scan; anatomies are loaded before."""
    simulate_scan(seeds[0] - 1)
    seconds = []
    for seed in seeds:
        start = time.process_time()
        simulate_scan(seed)
        seconds.append(time.process_time() - start)
    return seconds
