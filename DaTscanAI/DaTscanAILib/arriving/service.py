"""A service from start to end: folders, lock, ledger, log, status; then look, work, wait, until it is stopped."""

import logging
import os
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ..base.errors import DaTscanError
from ..reading.scan_checks import display_name
from ..reporting.result_files import prepare_results
from ..reporting.sole_use import sole_use
from .health import Status, close_log, make_log
from .ledger import Ledger
from .watch import Settings, Watcher, write_results
from .worker import Worker

LEDGER_FILE = "state.sqlite3"


def serve(
    service: str,
    settings: Settings,
    once: bool = False,
    send: Callable[[list[Path]], list[Path]] | None = None,
    source: Callable[[logging.Logger], AbstractContextManager[Callable[[], Iterable[Path]]]] | None = None,
    worker: Worker | None = None,
) -> None:
    """Analyze what arrives until interrupted (SIGINT, SIGTERM); then what was begun is left for the next start.

    Args:
        service: its name in the status.
        settings: as they say.
        once: end when nothing is left to do.
        send: of `Watcher`.
        source: what brings scans into the folder, from its log; open, it gives `completed` of `Watcher`.
        worker: in place of the usual process.

    Raises:
        DaTscanError: a folder cannot be used, or another service or batch uses the output.
    """
    output = settings.options.output
    if not settings.folder.is_dir():
        raise DaTscanError(f"{display_name(settings.folder)} is no folder that can be watched: make it first.")
    with sole_use(prepare_results(output)):
        _keep_to_ourselves(output)
        log, status, ledger = make_log(output), Status(output, service), Ledger(output / LEDGER_FILE)
        worker = worker or Worker(settings.options)
        log.info("%s begins", service)
        try:
            with source(log) if source else nullcontext(tuple) as completed:
                watcher = Watcher(settings, ledger, worker.run, log, send, completed)
                watcher.tell = lambda: status.write(watcher.state, **ledger.counts())
                _loop(watcher, settings.every_s, once)
        except KeyboardInterrupt:
            log.info("%s was told to stop", service)
        finally:
            worker.close()
            _end(ledger, status, output, log)
            log.info("%s ends", service)
            close_log(log)


def _end(ledger, status, output, log):
    write_results(ledger, output, log)
    status.write("stopped", **ledger.counts())
    ledger.close()


def _loop(watcher, every_s, once):
    while True:
        watcher.look()
        while watcher.work():
            watcher.write_table()
            watcher.look()
        watcher.write_table(at_once=True)
        watcher.tell()
        if once and watcher.idle():
            return
        time.sleep(every_s)


def _keep_to_ourselves(output):
    """The ledger holds the names of files, which may be those of patients: no other user of the machine reads it."""
    path = output / LEDGER_FILE
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
