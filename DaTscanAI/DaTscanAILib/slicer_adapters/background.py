"""Long work in another process: progress comes back line by line, Cancel stops it, Slicer stays alive."""

import contextlib
import json
import logging
import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import worker
from .processes import SESSION, OneProcess

_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.(partial|tmp)")


@dataclass
class Outcome:
    """How a task ended.

    Attributes:
        answer: what the request gives; None without one.
        error: one sentence; None when all went well.
        cancelled: a person stopped it.
        log: other lines that the process printed.
    """

    answer: Any = None
    error: str | None = None
    cancelled: bool = False
    log: list[str] = field(default_factory=list)


class Task:
    """A request on its way.

    A scan goes to the process that is kept for the session, unless that is busy; a batch gets one of its own.

    Args:
        request: a `ScanRequest` or a `BatchRequest`.
        progress: called with each event of the request.
        finished: called once with the `Outcome`.
    """

    def __init__(self, request, progress: Callable[[dict], None], finished: Callable[[Outcome], None]):
        self._request, self._progress, self._finished = request, progress, finished
        self._process = OneProcess() if hasattr(request, "options") or SESSION.is_busy else SESSION
        self._outcome = Outcome()
        self.isDone = False

    def start(self) -> "Task":
        """Start the work.

        Raises:
            DaTscanError: Slicer's Python interpreter is not found.
        """
        self._process.start(pickle.dumps(self._request), self._on_line, self._on_end)
        return self

    def cancel(self) -> None:
        """Let the process stop; `finished` is called when it has."""
        self._outcome.cancelled = True
        if not self.isDone:
            self._process.stop()

    def abandon(self) -> None:
        """Slicer closes: the process ends, and nobody is told."""
        self._outcome.cancelled, self._finished = True, lambda _outcome: None
        if not self.isDone:
            self._process.abandon()

    def _on_line(self, line):
        if not line.startswith(worker.EVENT):
            self._outcome.log.append(line)
            return
        try:
            self._on_event(json.loads(line[len(worker.EVENT) :]))
        except Exception:  # it would end Slicer's polling, and so the completion would never be told
            logging.exception("DaTscanAI: an event could not be shown")

    def _on_event(self, event):
        if "error" in event:
            self._outcome.error = event["error"]
        elif not self._outcome.cancelled:
            self._progress(event)

    def _on_end(self, status, answer):
        outcome = self._outcome
        try:
            self._take_answer(status, answer)
        except Exception:  # cut short, or of another version
            logging.exception("DaTscanAI")
            outcome.error = "The result of the analysis could not be read: see the log."
        if outcome.cancelled and hasattr(self._request, "options"):
            remove_partial_results(self._request.options.output)
        self.isDone = True
        self._finished(outcome)

    def _take_answer(self, status, answer):
        outcome = self._outcome
        if status == worker.DONE and answer is not None and not outcome.cancelled:
            outcome.answer = pickle.loads(answer)
        elif outcome.error is None and not outcome.cancelled:
            outcome.error = f"The analysis ended unexpectedly (status {status}): see the log."
            logging.error("DaTscanAI: %s\n%s", outcome.error, "\n".join(outcome.log))


def remove_partial_results(folder: Path | str) -> None:
    """Remove what a process that was killed may have left half-written in a results folder."""
    for path in Path(folder).glob(".*"):
        if not _PARTIAL.fullmatch(path.name):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # still open, on Windows
                path.unlink()
