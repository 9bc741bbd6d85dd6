"""One case after the other in a process of its own: what kills that process, or never ends, does not end the service.

The process is exchanged for a fresh one now and then, so that a service of months has the memory of its first day.
"""

import multiprocessing
import signal
import time

from ..base.allocator import MODEST, keep_freed_memory
from ..batch.one_case import Outcome, finished_before, run_case
from ..batch.options import Options
from ..batch.workers import bound_memory
from ..reading.inputs import Case

_POLL_S = 0.2


class Killed(Exception):  # noqa: N818 - what the caller makes of it decides whether it is an error
    """The process was killed, or took too long and was ended."""


class Worker:
    """A process that analyzes cases.

    Args:
        options: of the batch.
        limit_s: seconds that a case may take.
        cases: how many it works on before another takes its place.
    """

    def __init__(self, options: Options, limit_s: float = 900.0, cases: int = 50):
        self._options, self._limit_s, self._cases = options, limit_s, cases
        self._process, self._pipe, self._left = None, None, 0

    def run(self, case: Case, keep_waiting=lambda: None) -> Outcome:
        """The outcome of a case; that of a former run where nothing has changed since.

        Args:
            case: to analyze.
            keep_waiting: called several times a second; may raise, and the process is ended then.

        Raises:
            Killed: it ended without an outcome.
        """
        if self._left == 0 or not self._process.is_alive():
            self.close()
            self._start()
        self._left -= 1
        try:
            self._pipe.send(case)
            return self._wait(keep_waiting)
        except (EOFError, OSError) as error:
            self.close()
            raise Killed from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._pipe.close()
        self._process, self._left = None, 0

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, self._options), daemon=True)
        self._process.start()
        other.close()
        self._left = self._cases

    def _wait(self, keep_waiting):
        end = time.monotonic() + self._limit_s
        while not self._pipe.poll(_POLL_S):
            keep_waiting()
            if time.monotonic() > end or not self._process.is_alive():
                raise EOFError
        return self._pipe.recv()


def work_on(case: Case, options: Options) -> Outcome:
    """The outcome of a former run with the same scan, or the case analyzed."""
    return finished_before(case, options) or run_case(case, options)


def _work(pipe, options):
    """Until the other end is closed, as it is when the service ends. It alone decides what an interrupt means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if options.device != "cuda":
        bound_memory(1)
    keep_freed_memory(MODEST)
    while True:
        try:
            case = pipe.recv()
        except EOFError:
            return
        pipe.send(work_on(case, options))
