"""Times of tasks that take turns, so that a drift of the machine meets all of them alike."""

import time
from collections.abc import Callable, Iterable
from statistics import median


def take_turns(
    tasks: dict[str, Callable[[], object]],
    repetitions: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of every repetition of each task.

    Each round runs every task once; the next round begins with the next task, so that none always follows the same.

    Args:
        tasks: by name.
        repetitions: timed rounds.
        warm_up: rounds before them that are not timed.
        clock: `time.perf_counter`, or `time.process_time` for the CPU time of tasks of one thread.
    """
    seconds = {name: [] for name in tasks}
    for number in range(-warm_up, repetitions):
        for name in in_turn(tasks, number):
            start = clock()
            tasks[name]()
            elapsed = clock() - start
            if number >= 0:
                seconds[name].append(elapsed)
    return seconds


def in_turn(names: Iterable[str], number: int) -> list[str]:
    """The names in the order of a round of this number: each round begins with the next one."""
    names = list(names)
    first = number % len(names)
    return names[first:] + names[:first]


def ratio(ours: float | None, peer: float | None) -> float | None:
    """How many times larger the peer's figure is; None where one is missing or ours is 0."""
    return None if ours is None or peer is None or ours == 0 else peer / ours


def middle(values: list[float]) -> float | None:
    """Median; None of nothing."""
    return float(median(values)) if values else None
