"""The service that analyzes what arrives in a folder.

A series is complete when its files have not changed for a quiet time, or when whoever sent them says so. Each becomes
a folder of results, as `analyze` writes it. Nothing is moved. What has been done stands in a ledger, so that a
service that is killed goes on where it was: nothing twice, nothing lost.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..base.errors import DaTscanError
from ..batch.one_case import Outcome
from ..batch.options import Options
from ..reading.dicom_header import is_dicom
from ..reading.folders import files_below
from ..reading.inputs import Case
from ..reading.series_name import short_hash
from ..reporting.page import Page
from ..reporting.result_files import table_row, write_table
from .ledger import OTHER_OBJECTS, Ledger, Listed
from .units import cases_of, unit_of
from .worker import Killed

# Begun so often without coming to an end, a unit is given up: it may be what ends the service.
MOST_ATTEMPTS = 5
_RETRY_S, _LONGEST_RETRY_S = 30.0, 3600.0
_TABLE_EVERY_S = 5.0


@dataclass(frozen=True)
class Settings:
    """How a service works.

    Attributes:
        folder: in which scans arrive.
        options: of the analyses; `options.output` may lie below the folder.
        quiet_s: seconds without a change after which a series is complete.
        every_s: seconds between two looks at the folder.
        most_files, most_bytes: of a scan, and of a file.
        least_free: bytes of the output's disk below which no analysis is begun.
        keep: leave the files of a finished scan where they are. A receiver's own files may go.
    """

    folder: Path
    options: Options
    quiet_s: float = 30.0
    every_s: float = 5.0
    most_files: int = 2000
    most_bytes: int = 2**30
    least_free: int = 500 * 2**20
    keep: bool = True


class Watcher:
    """The work of a service, step by step.

    Args:
        settings: as they say.
        ledger: of this service.
        run: gives the outcome of a case; raises `Killed`, and whatever the function raises that it is given.
        log: takes lines without names.
        send: sends files on; gives those that it could not send. None: nothing is sent.
        completed: gives folders whose senders have said that all has been sent.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        run: Callable[[Case, Callable[[], None]], Outcome],
        log,
        send: Callable[[list[Path]], list[Path]] | None = None,
        completed: Callable[[], Iterable[Path]] = tuple,
        clock: Callable[[], float] = time.time,
    ):
        self._settings, self._ledger, self._run, self._log = settings, ledger, run, log
        self._send, self._completed, self._clock = send, completed, clock
        output = settings.options.output.resolve()
        self._output = output if output.is_relative_to(settings.folder.resolve()) else None
        self._table_is_old, self._table_written = False, 0.0
        self._page, self._page_is_old = Page(settings.options.output), True
        self.state = "waiting"
        self.tell = lambda: None

    def look(self) -> None:
        """See what is there, and where new files belong."""
        try:
            self._ledger.take_listing(self._listing(), self._clock())
        except DaTscanError:  # a share that is not there now
            self.state = "folder cannot be read"
            return
        for folder in self._completed():
            self._ledger.make_old(str(folder))
        # At once, half written or not: a series is not complete while any of its files still changes.
        for path in self._ledger.unknown_files():
            self._ledger.assign(path, *unit_of(Path(path)))
        self.state = "waiting"

    def work(self) -> bool:
        """Work on one unit that is complete, or send one unit's results; whether there was anything to do."""
        now = self._clock()
        unit = self._ledger.next_unit(now - self._settings.quiet_s, now)
        if unit is not None and self._has_space():
            self.state = "analyzing"
            self.tell()
            self._work_on(unit)
            self.state = "waiting"
            return True
        return self._send_some(now)

    def idle(self) -> bool:
        """Whether nothing is left to do until something new arrives."""
        return self._ledger.is_idle()

    def write_table(self, at_once: bool = False) -> None:
        """Bring `results.csv` up to date, now and then or at once. A disk that is full now may not be later."""
        if self._table_is_old and (at_once or time.monotonic() - self._table_written > _TABLE_EVERY_S):
            self._table_is_old = not write_results(self._ledger, self._settings.options.output, self._log)
            self._table_written, self._page_is_old = time.monotonic(), True
        if self._page_is_old and at_once:  # while nothing waits: a page is more work than the table
            self._page_is_old = not _write_page(self._page, self._ledger, self._log)

    def _listing(self):
        for path in files_below(self._settings.folder):
            if self._output and path.resolve().is_relative_to(self._output):
                continue
            try:
                status = path.stat()
                yield Listed(str(path), status.st_size, status.st_mtime_ns)
            except OSError:  # a link that leads nowhere, a file that is gone by now
                yield Listed(str(path), -1, 0)

    def _has_space(self):
        try:
            free = shutil.disk_usage(self._settings.options.output).free
        except OSError:
            free = 0
        if free < self._settings.least_free:
            if self.state != "waiting for space":
                self._log.warning("less than %d MiB are free: waiting", self._settings.least_free >> 20)
            self.state = "waiting for space"
            return False
        return True

    def _work_on(self, unit):
        files = self._ledger.files_of(unit)
        study = unit.removeprefix(OTHER_OBJECTS)
        if unit.startswith(OTHER_OBJECTS) and self._ledger.has_scan(study):
            self._ledger.begin(unit)
            self._ledger.finish(unit, files, [])
            self._log.info("passed over %d objects of a study beside its reconstruction", len(files))
            return
        attempts = self._ledger.begin(unit)
        try:
            outcomes = [self._outcome(case, unit, attempts) for case in self._cases(unit, files)]
        except Killed:
            self._postpone(unit, attempts, "the process was ended")
            return
        except BaseException:  # stopped by hand
            self._ledger.postpone(unit, 0, interrupted=True)
            raise
        if any(outcome.may_succeed_later for outcome in outcomes) and attempts < MOST_ATTEMPTS:
            self._postpone(unit, attempts, "no space or memory")
            return
        self._finish(unit, files, outcomes, attempts)

    def _cases(self, unit, files):
        """Cases whose names no other unit has."""
        settings = self._settings
        paths = [Path(file) for file in files]
        found = cases_of(paths, settings.folder, settings.most_files, settings.most_bytes)
        for case in found:
            name = case.name
            if not self._ledger.claim(name, unit):
                name = f"{case.name}_{short_hash(unit)}"
                self._ledger.claim(name, unit)
            yield replace(case, name=name)

    def _outcome(self, case, unit, attempts):
        if attempts > MOST_ATTEMPTS:
            error = DaTscanError(
                f"{case.source}: the process that analyzed it ended each time: give the scan to `analyze` by itself."
            )
            return Outcome(case.name, table_row(case.name, None, str(error), case.source))
        start = time.monotonic()
        outcome = self._run(case, self.tell)
        answer = "kept" if outcome.resumed else "failed" if outcome.failed else outcome.row["label"]
        self._log.info("scan %s: %s after %.1f s", short_hash(unit), answer, time.monotonic() - start)
        return outcome

    def _postpone(self, unit, attempts, why):
        wait = min(_RETRY_S * 2 ** (attempts - 1), _LONGEST_RETRY_S)
        self._ledger.postpone(unit, self._clock() + wait)
        self._log.warning("scan %s: %s, again in %.0f s", short_hash(unit), why, wait)

    def _finish(self, unit, files, outcomes, attempts):
        rows = [outcome.row for outcome in outcomes]
        # Results that are kept have been sent, unless the process ended between writing and noting them.
        noted = attempts == 1 and self._ledger.has_rows(unit)
        fresh = [outcome.case for outcome in outcomes if not (outcome.resumed and noted)]
        self._ledger.finish(unit, files, rows, self._to_send(fresh) if self._send else ())
        if not unit.startswith(OTHER_OBJECTS):
            self._ledger.forgive_others(unit)
        self._table_is_old = True
        if not self._settings.keep:
            for file in files:
                Path(file).unlink(missing_ok=True)
                _remove_if_empty(Path(file).parent, self._settings.folder)

    def _to_send(self, cases):
        """The DICOM files of these cases' results."""
        folders = [self._settings.options.output / case for case in cases]
        return [str(path) for folder in folders for path in sorted(folder.rglob("*")) if _is_dicom_file(path)]

    def _send_some(self, now):
        found = self._ledger.next_unsent(now) if self._send else None
        if found is None:
            return False
        unit, paths = found
        files = [Path(path) for path in paths if Path(path).is_file()]
        left = self._send(files)
        self._ledger.sent(unit, [str(path) for path in left], now + _RETRY_S)
        self._log.info("results of scan %s: %d sent, %d left", short_hash(unit), len(files) - len(left), len(left))
        return not left


def write_results(ledger: Ledger, output: Path, log) -> bool:
    """Write `results.csv` of all that has been done; whether that was possible."""
    try:
        write_table(output, list(ledger.all_rows()))
    except OSError:
        log.warning("results.csv cannot be written")
        return False
    return True


def _write_page(page, ledger, log):
    rows = list(ledger.all_rows())
    try:
        if rows:
            page.write(rows)
    except OSError:
        log.warning("index.html cannot be written")
        return False
    return True


def _is_dicom_file(path):
    try:
        with path.open("rb") as file:
            return is_dicom(file.read(400))
    except OSError:
        return False


def _remove_if_empty(folder, root):
    if folder != root and folder.is_relative_to(root) and not os.listdir(folder):  # noqa: PTH208 - one call
        folder.rmdir()
