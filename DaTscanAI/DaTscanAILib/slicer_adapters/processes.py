"""The processes that do requests: one for each, or one that is kept for the scans of a session."""

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import slicer

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from . import worker
from .leftovers import new_folder, remove_folder

_LIBRARY = Path(__file__).resolve().parents[2]


class OneProcess:
    """A process for one request, which ends with it."""

    def __init__(self):
        self._folder = new_folder()

    def start(self, request: bytes, on_line: Callable[[str], None], on_end: Callable[[int, bytes | None], None]):
        """Start it.

        Args:
            request: pickled.
            on_line: called with each line that it prints.
            on_end: called once with its exit status and the pickled answer, None without one.

        Raises:
            DaTscanError: Slicer's Python interpreter is not found.
        """

        def on_completed(status):
            answer = _taken_answer(self._folder)
            remove_folder(self._folder)
            on_end(status, answer)

        try:
            (self._folder / worker.REQUEST).write_bytes(request)
            _launch(self._folder, (), on_line, on_completed)
        except BaseException:
            remove_folder(self._folder)
            raise

    def stop(self) -> None:
        """Let it stop; `on_end` is called when it has."""
        if self._folder.is_dir():
            (self._folder / worker.STOP).touch()

    def abandon(self) -> None:
        """It ends when its folder is gone."""
        remove_folder(self._folder)


class KeptProcess:
    """A process that is kept between requests, so that only the first one waits for imports and networks.

    It is started by the first request, or by `prepare`, and again by the next one after it was stopped, has crashed
    or has ended by itself. It has one request at a time.
    """

    def __init__(self):
        self._folder = None
        self._current = None  # (request, on_line, on_end)
        self._is_prepared = self._is_stopped = self._is_retry = False

    @property
    def is_busy(self) -> bool:
        """It has a request."""
        return self._current is not None

    def prepare(self) -> None:
        """Start it now, in the background, and after each Cancel again, so that it is ready when a scan comes."""
        self._is_prepared = True
        if self._folder is None:
            try:
                self._start()
            except (DaTscanError, OSError):  # said when a scan comes
                logging.info("DaTscanAI: no process is kept ready", exc_info=True)

    def start(self, request: bytes, on_line: Callable[[str], None], on_end: Callable[[int, bytes | None], None]):
        """Hand it a request; arguments and errors as of `OneProcess.start`, with the status of the request."""
        self._current, self._is_retry = (request, on_line, on_end), False
        try:
            if self._folder is not None and self._folder.is_dir():
                atomic_write_bytes(self._folder / worker.REQUEST, request)
            else:
                self._start(request)
        except BaseException:
            self._current = None
            raise

    def stop(self) -> None:
        """End it with its request; the next one gets a new process."""
        if self._folder is not None and self._folder.is_dir():
            self._is_stopped = True
            (self._folder / worker.STOP).touch()

    def abandon(self) -> None:
        """End it, and tell nobody."""
        folder, self._folder, self._current, self._is_prepared = self._folder, None, None, False
        if folder is not None:
            remove_folder(folder)

    def _start(self, request=None):
        folder = self._folder = new_folder()
        self._is_stopped = False
        try:
            if request is not None:
                (folder / worker.REQUEST).write_bytes(request)
            _launch(
                folder,
                (worker.KEPT,),
                lambda line: self._on_line(folder, line),
                lambda status: self._on_completed(folder, status),
            )
        except BaseException:
            self._folder = None
            remove_folder(folder)
            raise

    def _on_line(self, folder, line):
        if folder != self._folder or self._current is None:
            return
        status = _answered(line)
        if status is None:
            self._current[1](line)
        elif not self._is_stopped:
            self._end_request(status, _taken_answer(folder))

    def _on_completed(self, folder, status):
        """It has ended, with a request or without."""
        is_unread, answer = (folder / worker.REQUEST).is_file(), _taken_answer(folder)
        remove_folder(folder)
        if folder != self._folder:
            return
        self._folder = None
        if (
            self._current is not None
            and is_unread
            and answer is None
            and status == worker.DONE
            and not self._is_retry
        ):
            self._is_retry = True
            self._start(self._current[0])  # it had waited for long, and has ended just when the request came
            return
        if self._current is not None:
            self._end_request(status, answer)
        if self._is_stopped and self._is_prepared:
            self.prepare()

    def _end_request(self, status, answer):
        (_, _, on_end), self._current = self._current, None
        try:
            on_end(status, answer)
        except Exception:  # it would end Slicer's polling, and so the next request would never be heard of again
            logging.exception("DaTscanAI: the end of a request could not be told")


SESSION = KeptProcess()  # for the scans of this session of Slicer


def _answered(line):
    """The status that a kept process tells at the end of a request; None for any other line."""
    if not line.startswith(worker.EVENT):
        return None
    try:
        return json.loads(line[len(worker.EVENT) :]).get("answered")
    except ValueError:
        return None


def _taken_answer(folder):
    """The pickled answer, which is removed; None where there is none."""
    path = folder / worker.ANSWER
    try:
        answer = path.read_bytes()
        path.unlink()
    except OSError:
        return None
    return answer


def _launch(folder, words, on_line, on_completed):
    """Start `worker.main` as Slicer starts processes; it polls for lines and the end in its own event loop."""
    # "PythonSlicer" is on the application's path; "-c" finds the library whatever the launcher does to PYTHONPATH.
    python = shutil.which("PythonSlicer")
    if python is None:
        raise DaTscanError("Slicer's Python interpreter (PythonSlicer) was not found: install Slicer again.")
    code = (
        f"import sys; sys.path.insert(0, {os.fspath(_LIBRARY)!r}); "
        "from DaTscanAILib.slicer_adapters.worker import main; sys.exit(main(*sys.argv[1:][::-1]))"
    )
    slicer.util.launchConsoleProcess(
        [python, "-c", code, *words, os.fspath(folder)],
        useStartupEnvironment=False,
        updateEnvironment={"PYTHONIOENCODING": "utf-8"},
        blocking=False,
        logCallback=on_line,
        completedCallback=on_completed,
    )
