"""What has arrived and what became of it: one SQLite file, each step committed before the next begins.

A file is *new* until its unit (a series of slices, or a file that stands alone) has been worked on with it as it is.
Whatever ends the process, the next one finds each unit either untouched, begun, or done with its rows.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
_TABLES = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, seen REAL, unit TEXT, study TEXT, settled INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS files_of_unit ON files (unit);
CREATE INDEX IF NOT EXISTS files_of_study ON files (study);
CREATE TABLE IF NOT EXISTS units (
    unit TEXT PRIMARY KEY, state TEXT, attempts INTEGER DEFAULT 0, not_before REAL DEFAULT 0, rows TEXT DEFAULT '[]',
    unsent TEXT DEFAULT '[]', send_after REAL DEFAULT 0);
CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY COLLATE NOCASE, unit TEXT);
"""
# Before the bytes of a path that is no UTF-8, as old Windows CDs have them: SQLite takes no such text.
_BYTES = "//bytes/"
# The unit of files that belong to no scan, and the beginning of that of a study's objects beside its reconstruction.
NO_SCAN, OTHER_OBJECTS = "", "study "


@dataclass(frozen=True)
class Listed:
    """A file as the folder lists it: path, size in bytes, time of change in ns."""

    path: str
    size: int
    mtime: int


class Ledger:
    """The state of a service.

    Args:
        path: of the SQLite file; made if it is not there.
    """

    def __init__(self, path: Path):
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_TABLES)

    def close(self) -> None:
        """Give the database file free."""
        self._database.close()

    @contextmanager
    def _all_or_nothing(self):
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    # --- files ---

    def take_listing(self, listing: Iterable[Listed], now: float) -> None:
        """Remember what a folder lists: a file that is there for the first time, or has changed, is new from now on.

        Files that are gone are forgotten; what became of their unit stays.
        """
        with self._all_or_nothing():
            self._database.execute("CREATE TEMP TABLE IF NOT EXISTS listing (path TEXT PRIMARY KEY, size, mtime)")
            self._database.execute("DELETE FROM listing")
            rows = ((_stored(file.path), file.size, file.mtime) for file in listing)
            self._database.executemany("INSERT OR REPLACE INTO listing VALUES (?, ?, ?)", rows)
            self._database.execute("DELETE FROM files WHERE path NOT IN (SELECT path FROM listing)")
            self._database.execute(
                "INSERT INTO files (path, size, mtime, seen) SELECT path, size, mtime, ? FROM listing WHERE true "
                "ON CONFLICT (path) DO UPDATE SET "
                "size = excluded.size, mtime = excluded.mtime, seen = excluded.seen, unit = NULL, settled = 0 "
                "WHERE files.size != excluded.size OR files.mtime != excluded.mtime",
                (now,),
            )

    def unknown_files(self) -> list[str]:
        """Files that are new or have changed, of which it is not known where they belong."""
        found = self._database.execute("SELECT path FROM files WHERE unit IS NULL ORDER BY path")
        return [_restored(path) for (path,) in found]

    def assign(self, path: str, unit: str, study: str = "") -> None:
        """Note where a file belongs: unit (`NO_SCAN` for one that belongs to none) and study ("" if unknown)."""
        self._database.execute("UPDATE files SET unit = ?, study = ? WHERE path = ?", (unit, study, _stored(path)))

    def has_scan(self, study: str) -> bool:
        """Whether a study has a reconstruction, beside which its other objects may be passed over."""
        found = self._database.execute(
            "SELECT 1 FROM files WHERE study = ? AND unit > '' AND substr(unit, 1, ?) != ? LIMIT 1",
            (study, len(OTHER_OBJECTS), OTHER_OBJECTS),
        )
        return found.fetchone() is not None

    def make_old(self, folder: str) -> None:
        """Let the files of a folder count as unchanged for long: whoever sent them said that this is all."""
        beginning = _stored(f"{folder}/")
        self._database.execute("UPDATE files SET seen = 0 WHERE substr(path, 1, ?) = ?", (len(beginning), beginning))

    def files_of(self, unit: str) -> list[str]:
        """Paths of a unit's files, in their order."""
        found = self._database.execute("SELECT path FROM files WHERE unit = ? ORDER BY path", (unit,))
        return [_restored(path) for (path,) in found]

    # --- units ---

    def next_unit(self, seen_until: float, now: float) -> str | None:
        """A unit with a file that it was not yet worked on with, all its files unchanged since then; oldest first."""
        found = self._database.execute(
            "SELECT files.unit FROM files LEFT JOIN units ON units.unit = files.unit WHERE files.unit > '' "
            "AND coalesce(units.not_before, 0) <= ? GROUP BY files.unit "
            "HAVING min(settled) = 0 AND max(seen) <= ? ORDER BY min(seen), files.unit LIMIT 1",
            (now, seen_until),
        ).fetchone()
        return found and found[0]

    def begin(self, unit: str) -> int:
        """Note that a unit is being worked on; gives how often it has been begun without coming to an end."""
        with self._all_or_nothing():
            self._database.execute("INSERT OR IGNORE INTO units (unit, state) VALUES (?, ?)", (unit, WAITING))
            self._database.execute(
                "UPDATE units SET state = ?, attempts = attempts + 1 WHERE unit = ?", (RUNNING, unit)
            )
            return self._database.execute("SELECT attempts FROM units WHERE unit = ?", (unit,)).fetchone()[0]

    def has_rows(self, unit: str) -> bool:
        """Whether a unit has been worked on to the end before."""
        found = self._database.execute("SELECT rows FROM units WHERE unit = ?", (unit,)).fetchone()
        return found is not None and found[0] != "[]"

    def finish(self, unit: str, files: list[str], rows: list[dict], unsent: list[str] = ()) -> None:
        """Note what became of a unit with these files, and which files of its results are to be sent."""
        state = FAILED if any(row["error"] for row in rows) else DONE
        with self._all_or_nothing():
            self._database.execute(
                "UPDATE units SET state = ?, attempts = 0, not_before = 0, rows = ?, unsent = ?, send_after = 0 "
                "WHERE unit = ?",
                (state, json.dumps(rows), json.dumps(list(unsent)), unit),
            )
            self._database.executemany(
                "UPDATE files SET settled = 1 WHERE path = ?", ((_stored(path),) for path in files)
            )

    def forgive_others(self, unit: str) -> None:
        """A study's other objects came before its reconstruction, this unit: they need no row of their own."""
        study = self._database.execute("SELECT study FROM files WHERE unit = ? AND study > ''", (unit,)).fetchone()
        if study:
            self._database.execute(
                "UPDATE units SET rows = '[]', state = ? WHERE unit = ?", (DONE, OTHER_OBJECTS + study[0])
            )

    def postpone(self, unit: str, until: float, interrupted: bool = False) -> None:
        """Leave a unit for later; one that was merely interrupted has not failed."""
        less = 1 if interrupted else 0
        self._database.execute(
            "UPDATE units SET state = ?, not_before = ?, attempts = attempts - ? WHERE unit = ?",
            (WAITING, until, less, unit),
        )

    def claim(self, name: str, unit: str) -> bool:
        """Whether a case's name is this unit's: it was not taken, or has been its own before."""
        self._database.execute("INSERT OR IGNORE INTO names VALUES (?, ?)", (name, unit))
        return self._database.execute("SELECT unit FROM names WHERE name = ?", (name,)).fetchone()[0] == unit

    def all_rows(self) -> Iterator[dict]:
        """Rows of the results table of all units, in the order in which the units came."""
        for (rows,) in self._database.execute("SELECT rows FROM units ORDER BY rowid"):
            yield from json.loads(rows)

    def counts(self) -> dict[str, int]:
        """How many units are done or failed, how many wait, and how many files belong to no scan."""
        units = dict(self._database.execute("SELECT state, count(*) FROM units GROUP BY state"))
        count = self._database.execute(
            "SELECT count(DISTINCT unit) FROM files WHERE unit > '' AND settled = 0"
        ).fetchone()[0]
        others = self._database.execute("SELECT count(*) FROM files WHERE unit = ''").fetchone()[0]
        unsent = self._database.execute("SELECT count(*) FROM units WHERE unsent != '[]'").fetchone()[0]
        return {
            "waiting": count,
            "done": units.get(DONE, 0),
            "failed": units.get(FAILED, 0),
            "unsent": unsent,
            "files_passed_over": others,
        }

    def is_idle(self) -> bool:
        """Whether every file has been worked on, or belongs to no scan."""
        found = self._database.execute(
            "SELECT 1 FROM files WHERE unit IS NULL OR (unit > '' AND settled = 0) LIMIT 1"
        )
        return found.fetchone() is None and self.next_unsent(float("inf")) is None

    # --- results to be sent on ---

    def next_unsent(self, now: float) -> tuple[str, list[str]] | None:
        """A unit and those of its files that have still to be sent."""
        found = self._database.execute(
            "SELECT unit, unsent FROM units WHERE unsent != '[]' AND send_after <= ? ORDER BY rowid LIMIT 1", (now,)
        ).fetchone()
        return found and (found[0], json.loads(found[1]))

    def sent(self, unit: str, left: list[str], after: float) -> None:
        """Note which files have still to be sent, and when to try again."""
        self._database.execute(
            "UPDATE units SET unsent = ?, send_after = ? WHERE unit = ?", (json.dumps(left), after, unit)
        )


def _stored(path):
    try:
        path.encode()
    except UnicodeEncodeError:
        return _BYTES + os.fsencode(path).hex()
    return path


def _restored(path):
    return os.fsdecode(bytes.fromhex(path.removeprefix(_BYTES))) if path.startswith(_BYTES) else path
