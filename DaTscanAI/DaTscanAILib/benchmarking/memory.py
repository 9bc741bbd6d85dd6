"""Peak memory: how far a task raises that of this process, and what a tree of processes holds (Linux)."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

_PROC = Path("/proc")
MEGABYTE = 1e6


def peak_growth(task: Callable[[], object]) -> float | None:
    """MB by which the resident memory of this process peaks above its start while a task runs.

    Call it in a fresh child process: memory that an earlier task has left behind would be used again unseen.

    Returns:
        None on systems that cannot tell.
    """
    try:
        (_PROC / "self/clear_refs").write_text("5")  # the peak starts anew
        start = _resident("self", "VmRSS")
    except OSError:
        return None
    task()
    return (_resident("self", "VmHWM") - start) / MEGABYTE


class TreeWatch:
    """Samples the resident memory of a process's descendants while it runs, not its own.

    Attributes:
        samples: `{process: [(seconds since the start, MB), ...]}`.
    """

    def __init__(self, root: int, every: float = 0.25):
        self.samples: dict[int, list[tuple[float, float]]] = {}
        self._root, self._every, self._start = root, every, time.perf_counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _watch(self):
        while not self._stop.wait(self._every):
            for process in descendants(self._root):
                try:
                    megabytes = _resident(process, "VmRSS") / MEGABYTE
                except OSError:  # it has ended in between
                    continue
                seconds = round(time.perf_counter() - self._start, 2)
                self.samples.setdefault(process, []).append((seconds, round(megabytes, 1)))

    def peak(self) -> float | None:
        """MB of the largest process at its largest."""
        return max((megabytes for series in self.samples.values() for _, megabytes in series), default=None)

    def growth(self) -> float | None:
        """MB by which a process's peak in the last quarter of its time exceeds that in the second quarter."""
        growths = map(late_growth, self.samples.values())
        return max((growth for growth in growths if growth is not None), default=None)


def late_growth(series: list[tuple[float, float]]) -> float | None:
    """Peak of the last quarter minus peak of the second quarter of a series of (seconds, MB).

    The first quarter is left out, as programs load their parts in it.
    """
    if len(series) < 8:
        return None
    start, end = series[0][0], series[-1][0]
    second = [megabytes for at, megabytes in series if 0.25 <= (at - start) / (end - start) < 0.5]
    last = [megabytes for at, megabytes in series if (at - start) / (end - start) >= 0.75]
    return max(last) - max(second) if second else None


def descendants(root: int) -> list[int]:
    """Numbers of the processes that a process has started, and of theirs; empty on systems that cannot tell."""
    found, waiting = [], [root]
    while waiting:
        parent = waiting.pop()
        for file in (_PROC / str(parent) / "task").glob("*/children"):
            try:
                children = [int(number) for number in file.read_text().split()]
            except OSError:
                continue
            found += children
            waiting += children
    return found


def _resident(process, entry) -> int:
    """Bytes of an entry of `/proc/PROCESS/status`; 0 for a process that has ended and is still listed."""
    lines = (_PROC / str(process) / "status").read_text().splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{entry}:")), 0)
