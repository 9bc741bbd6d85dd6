"""What a service tells of itself: a status file and a log. Neither holds a name, of a patient or of a file."""

import json
import logging
import logging.handlers
import os
import time
from pathlib import Path

from ..base.files import atomic_write_bytes
from ..base.version import RESEARCH_USE, VERSION

STATUS_FILE, LOG_FILE = "status.json", "service.log"
_LOG_BYTES, _LOGS = 2**20, 5
_EVERY_S = 10.0


class Status:
    """The status file: written when the state changes, and now and then, so that its age tells a service that hangs.

    Args:
        folder: of the results.
        service: "watch" or "listen".
    """

    def __init__(self, folder: Path, service: str):
        self._path, self._service, self._started = folder / STATUS_FILE, service, _now()
        self._last, self._written = None, 0.0

    def write(self, state: str, **facts) -> None:
        """Write it if anything has changed, or the last time was long ago. A full disk is no reason to stop."""
        said = {"state": state, **facts}
        if said == self._last and time.monotonic() - self._written < _EVERY_S:
            return
        content = {
            "service": self._service,
            **said,
            "updated": _now(),
            "started": self._started,
            "process": os.getpid(),
            "version": VERSION,
            "research_use": RESEARCH_USE,
        }
        try:
            atomic_write_bytes(self._path, (json.dumps(content, indent=1) + "\n").encode())
        except OSError:
            return
        self._last, self._written = said, time.monotonic()


def _now():
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def make_log(folder: Path) -> logging.Logger:
    """The service's log, in the folder of the results and on standard error; old parts of it are overwritten.

    It does not take what libraries say: that may quote a header.
    """
    log = logging.getLogger("DaTscanAILib.service")
    log.handlers.clear()
    log.propagate = False
    log.setLevel(logging.INFO)
    for handler in (_log_file(folder), logging.StreamHandler()):
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
    return log


def close_log(log: logging.Logger) -> None:
    """Close its files."""
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()


class _PatientFile(logging.handlers.RotatingFileHandler):
    """A log that misses lines on a full disk rather than telling standard error how it failed."""

    def handleError(self, record):
        pass


def _log_file(folder):
    return _PatientFile(folder / LOG_FILE, maxBytes=_LOG_BYTES, backupCount=_LOGS, encoding="utf-8", delay=True)
