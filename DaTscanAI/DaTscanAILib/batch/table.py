"""`results.csv` and `index.html` of a batch, kept up while it runs."""

import time
from pathlib import Path

from ..base.errors import DaTscanError
from ..reading.inputs import Case
from ..reporting.page import Page
from ..reporting.result_files import write_table
from .one_case import Outcome

_EVERY_S = 5.0


class TableNotWrittenError(DaTscanError):
    """Every case was worked on, but `results.csv` or `index.html` could not be written."""


class ResultsTable:
    """`results.csv` of the cases done so far, in their order, and at the end their page.

    Args:
        folder: of the results.
        cases: all of the batch.
    """

    def __init__(self, folder: Path, cases: list[Case]):
        self._folder, self._cases, self._written = folder, cases, -_EVERY_S  # the first case is written at once

    def update(self, done: dict[str, Outcome]) -> None:
        """Now and then; a disk that is full now may not be later."""
        if time.monotonic() - self._written > _EVERY_S:
            try:
                self.write(done)
            except TableNotWrittenError:
                self._written = time.monotonic()

    def write(self, done: dict[str, Outcome]) -> None:
        """The table of the outcomes by name of their case.

        Raises:
            TableNotWrittenError: it cannot be written.
        """
        try:
            write_table(self._folder, self._rows(done))
        except OSError as error:
            raise TableNotWrittenError(
                f"results.csv cannot be written ({error.strerror}): free space and run again with --resume."
            ) from error
        self._written = time.monotonic()

    def write_page(self, done: dict[str, Outcome]) -> None:
        """The page, as `write`."""
        try:
            Page(self._folder).write(self._rows(done))
        except OSError as error:
            raise TableNotWrittenError(
                f"index.html cannot be written ({error.strerror}): free space and run again with --resume."
            ) from error

    def _rows(self, done):
        return [done[case.name].row for case in self._cases if case.name in done]
