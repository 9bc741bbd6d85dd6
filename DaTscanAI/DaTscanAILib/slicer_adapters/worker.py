"""The process in which the module's long work is done, so that Slicer stays alive and Cancel stops at once.

It reads `request.pickle` from the folder named on its command line, prints one JSON object a line on standard output
as it goes on, writes `answer.pickle` and ends with status 0. A file `stop` in the folder ends it: half-written
results are removed, finished cases of a batch stay.
"""

import json
import os
import pickle
import sys
import threading
import time
from pathlib import Path

REQUEST, ANSWER, STOP = "request.pickle", "answer.pickle", "stop"
EVENT = "DaTscanAI:"
DONE, FAILED, UNUSABLE, STOPPED = 0, 1, 2, 3
_POLL_S, _GRACE_S = 0.1, 3.0


def main(folder: Path | str) -> int:
    """Do what the folder asks for; gives the exit status."""
    # Before numpy and torch are loaded, as the command line does; not above, as Slicer imports this file too.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    folder = Path(folder)
    threading.Thread(target=_stop_when_told, args=(folder,), daemon=True).start()
    from ..base.errors import DaTscanError
    from ..base.files import atomic_write_bytes

    try:
        request = pickle.loads((folder / REQUEST).read_bytes())
        (folder / REQUEST).unlink()  # the scan is no longer on the disk than it must be
        atomic_write_bytes(folder / ANSWER, pickle.dumps(request.run(_tell)))
    except DaTscanError as error:
        _tell({"error": str(error)})
        return UNUSABLE
    except KeyboardInterrupt:
        return STOPPED
    finally:
        _is_removed_as_leftover(folder)
    return DONE


def _tell(event):
    print(EVENT, json.dumps(event), flush=True)


def _stop_when_told(folder):
    """End the process when the folder holds a stop file or is gone, or Slicer is, at the latest after a grace."""
    import _thread

    while folder.is_dir() and not (folder / STOP).exists() and not _is_removed_as_leftover(folder):
        time.sleep(_POLL_S)
    _thread.interrupt_main()
    time.sleep(_GRACE_S)
    os._exit(STOPPED)


def _is_removed_as_leftover(folder):
    """Remove the folder if Slicer has ended; gives whether it has."""
    from .leftovers import owner_is_gone, remove_folder

    if is_gone := owner_is_gone(folder):
        remove_folder(folder)
    return is_gone


if __name__ == "__main__":
    # Under its own name, not as `__main__`: what it pickles must be found again by the other side.
    from .worker import main as run

    sys.exit(run(sys.argv[1]))
