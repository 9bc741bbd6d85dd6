"""Seconds by stage."""

import time
from collections.abc import Callable
from contextlib import contextmanager


class Stopwatch:
    """Seconds by stage: `with clock("registration"): ...`; `progress` is told each stage as it begins."""

    def __init__(self, progress: Callable[[str], None] | None = None):
        self._start = time.perf_counter()
        self._stages = {}
        self._progress = progress or (lambda _stage: None)

    @contextmanager
    def __call__(self, stage):
        self._progress(stage)
        start = time.perf_counter()
        try:
            yield
        finally:
            self._stages[stage] = time.perf_counter() - start

    def seconds(self) -> dict[str, float]:
        """By stage, and `total` since the beginning, time between the stages included."""
        return {**self._stages, "total": time.perf_counter() - self._start}
