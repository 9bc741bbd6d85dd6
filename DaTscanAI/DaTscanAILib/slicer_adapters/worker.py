"""The process in which the module's long work is done, so that Slicer stays alive and Cancel stops at once.

It reads `request.pickle` from the folder named on its command line, prints one JSON object a line on standard output
as it goes on, writes `answer.pickle` and ends with status 0. A file `stop` in the folder ends it: half-written
results are removed, finished cases of a batch stay.

With the word `kept` behind the folder it serves one request after the other: it says `{"answered": status, ...}`
after each and waits for the next, with the networks in its memory. It ends when the folder or Slicer is gone, when
nothing was asked for long, and after many requests, so that what a library may leak is bounded.
"""

import json
import os
import pickle
import sys
import threading
import time
from pathlib import Path

REQUEST, ANSWER, STOP = "request.pickle", "answer.pickle", "stop"
KEPT = "kept"
EVENT = "DaTscanAI:"
DONE, FAILED, UNUSABLE, STOPPED = 0, 1, 2, 3
MOST_REQUESTS, IDLE_S = 100, 1800.0
_POLL_S, _GRACE_S = 0.1, 3.0
_NEXT_POLL_S = 0.03


def main(folder: Path | str, how: str = "") -> int:
    """Do what the folder asks for, with `KEPT` until it is gone; gives the exit status."""
    # Before numpy and torch are loaded, as the command line does; not above, as Slicer imports this file too.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from ..base.allocator import MODEST, keep_freed_memory

    keep_freed_memory(MODEST)
    folder, is_kept = Path(folder), how == KEPT
    # A kept process writes nothing but its answer, so that it need not tidy up when it is stopped.
    grace = 0.0 if is_kept else _GRACE_S
    leftover = _Leftover(folder)
    threading.Thread(target=_stop_when_told, args=(folder, grace, leftover), daemon=True).start()
    try:
        return _serve(folder) if is_kept else _answer(folder)
    except KeyboardInterrupt:
        return STOPPED
    finally:
        leftover.is_removed()


def _answer(folder):
    """Read the request and write the answer; gives the status."""
    from ..base.errors import DaTscanError
    from ..base.files import atomic_write_bytes

    try:
        request = pickle.loads((folder / REQUEST).read_bytes())
        (folder / REQUEST).unlink()  # the scan is no longer on the disk than it must be
        atomic_write_bytes(folder / ANSWER, pickle.dumps(request.run(_tell)))
    except DaTscanError as error:
        _tell({"error": str(error)})
        return UNUSABLE
    return DONE


def _serve(folder):
    """One request after the other; gives the status with which to end."""
    if not (folder / REQUEST).exists():
        _warm_up(folder)
    for number in range(1, MOST_REQUESTS + 1):
        if not _comes(folder):
            break
        before = set(sys.modules)
        status = _answer(folder)
        loaded = len(set(sys.modules) - before)
        _tell({"answered": status, "process": os.getpid(), "number": number, "loaded": loaded})
    return DONE


def _comes(folder):
    """Wait for a request; False when none has come for long."""
    end = time.monotonic() + IDLE_S
    while not (folder / REQUEST).exists():
        if time.monotonic() > end:
            return False
        time.sleep(_NEXT_POLL_S)
    return True


class _RequestHasComeError(Exception):
    """Somebody waits: the warm-up ends."""


def _warm_up(folder):
    """Analyze a bundled sample, so that all that a scan needs is in memory, unless a request comes meanwhile."""
    from ..base.errors import DaTscanError
    from ..base.resources import resource_path
    from ..reading.scan import read_scan
    from .work import ScanRequest

    def look(_event):
        if (folder / REQUEST).exists():
            raise _RequestHasComeError

    try:
        ScanRequest(read_scan(resource_path("Samples", "normal.dcm")), "warm-up").run(look)
    except (_RequestHasComeError, DaTscanError, OSError):  # what is wrong is said when a scan comes
        return


def _tell(event):
    print(EVENT, json.dumps(event), flush=True)


def _stop_when_told(folder, grace, leftover):
    """End the process when the folder holds a stop file or is gone, or Slicer is, at the latest after a grace (s)."""
    import _thread

    while folder.is_dir() and not (folder / STOP).exists() and not leftover.is_removed():
        time.sleep(_POLL_S)
    if grace:
        _thread.interrupt_main()
        time.sleep(grace)
    leftover.is_removed()
    os._exit(STOPPED)


class _Leftover:
    """The task's folder, which must not outlive Slicer."""

    def __init__(self, folder):
        self.folder, self.owner_is_gone = folder, False

    def is_removed(self):
        """Remove the folder if Slicer has ended; gives whether it has.

        Once it has, that is remembered: what is written while the folder is removed brings it back without the name
        of its owner, and would stay.
        """
        from .leftovers import owner_is_gone, remove_folder

        self.owner_is_gone = self.owner_is_gone or owner_is_gone(self.folder)
        if self.owner_is_gone:
            remove_folder(self.folder)
        return self.owner_is_gone


if __name__ == "__main__":
    # Under its own name, not as `__main__`: what it pickles must be found again by the other side.
    from .worker import main as run

    sys.exit(run(*sys.argv[1:]))
