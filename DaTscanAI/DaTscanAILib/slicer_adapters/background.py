"""Long work in another process: progress comes back line by line, Cancel stops it, Slicer stays alive."""

import contextlib
import logging
import os
import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import slicer

from ..base.errors import DaTscanError
from . import worker
from .leftovers import new_folder, remove_folder

_LIBRARY = Path(__file__).resolve().parents[2]
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

    Args:
        request: a `ScanRequest` or a `BatchRequest`.
        progress: called with each event of the request.
        finished: called once with the `Outcome`.
        launch: starts the process; as `slicer.util.launchConsoleProcess`.
    """

    def __init__(
        self,
        request,
        progress: Callable[[dict], None],
        finished: Callable[[Outcome], None],
        launch: Callable | None = None,
    ):
        self._request, self._progress, self._finished = request, progress, finished
        self._launch = launch or slicer.util.launchConsoleProcess
        self._outcome = Outcome()
        self.isDone = False
        self._folder = new_folder()

    def start(self) -> "Task":
        """Start the process.

        Raises:
            DaTscanError: Slicer's Python interpreter is not found.
        """
        try:
            (self._folder / worker.REQUEST).write_bytes(pickle.dumps(self._request))
            self._launch(
                _command(self._folder),
                useStartupEnvironment=False,
                updateEnvironment={"PYTHONIOENCODING": "utf-8"},
                blocking=False,
                logCallback=self._on_line,
                completedCallback=self._on_completed,
            )
        except BaseException:
            remove_folder(self._folder)
            raise
        return self

    def cancel(self) -> None:
        """Let the process stop; `finished` is called when it has."""
        self._outcome.cancelled = True
        if self._folder.is_dir():
            (self._folder / worker.STOP).touch()

    def abandon(self) -> None:
        """Slicer closes: the process ends when its folder is gone, and nobody is told."""
        self._outcome.cancelled, self._finished = True, lambda _outcome: None
        remove_folder(self._folder)

    def _on_line(self, line):
        if not line.startswith(worker.EVENT):
            self._outcome.log.append(line)
            return
        try:
            self._on_event(line[len(worker.EVENT) :])
        except Exception:  # it would end Slicer's polling, and so the completion would never be told
            logging.exception("DaTscanAI: an event could not be shown")

    def _on_event(self, text):
        import json

        event = json.loads(text)
        if "error" in event:
            self._outcome.error = event["error"]
        elif not self._outcome.cancelled:
            self._progress(event)

    def _on_completed(self, status):
        outcome = self._outcome
        try:
            self._take_answer(status)
        except Exception:  # cut short, or of another version
            logging.exception("DaTscanAI")
            outcome.error = "The result of the analysis could not be read: see the log."
        remove_folder(self._folder)
        if outcome.cancelled and hasattr(self._request, "options"):
            remove_partial_results(self._request.options.output)
        self.isDone = True
        self._finished(outcome)

    def _take_answer(self, status):
        outcome, answer = self._outcome, self._folder / worker.ANSWER
        if status == worker.DONE and answer.is_file() and not outcome.cancelled:
            outcome.answer = pickle.loads(answer.read_bytes())
        elif outcome.error is None and not outcome.cancelled:
            outcome.error = f"The analysis ended unexpectedly (status {status}): see the log."
            logging.error("DaTscanAI: %s\n%s", outcome.error, "\n".join(outcome.log))


def _command(folder):
    # "PythonSlicer" is on the application's path; "-c" finds the library whatever the launcher does to PYTHONPATH.
    python = shutil.which("PythonSlicer")
    if python is None:
        raise DaTscanError("Slicer's Python interpreter (PythonSlicer) was not found: install Slicer again.")
    code = (
        f"import sys; sys.path.insert(0, {os.fspath(_LIBRARY)!r}); "
        "from DaTscanAILib.slicer_adapters.worker import main; sys.exit(main(sys.argv[1]))"
    )
    return [python, "-c", code, os.fspath(folder)]


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
