"""A watched folder whose clock the test sets and whose chain takes milliseconds; and studies to send."""

import contextlib
import logging
from pathlib import Path

import dicom_factory as factory
import numpy as np

from DaTscanAILib.arriving.health import Status
from DaTscanAILib.arriving.ledger import Ledger
from DaTscanAILib.arriving.service import LEDGER_FILE
from DaTscanAILib.arriving.watch import Settings, Watcher
from DaTscanAILib.arriving.worker import work_on
from DaTscanAILib.batch.options import Options

SLICES = 20
QUIET_S = 30.0


class Place:
    """A folder, its service in this process, and a clock that stands still until told.

    Args:
        root: holds `in` and, unless given, `out`.
        run: in place of the analysis.
        settings: further settings of the service.
    """

    def __init__(self, root: Path, output: Path | None = None, run=None, send=None, **settings):
        self.root, self.inbox, self.output = root, root / "in", output or root / "out"
        self.inbox.mkdir(exist_ok=True)
        self.output.mkdir(parents=True, exist_ok=True)
        self.options = Options(self.output, resume=True)
        settings = {"quiet_s": QUIET_S, "least_free": 0, **settings}
        self.settings = Settings(self.inbox, self.options, **settings)
        self.now, self.runs, self.sends = 1e9, [], []
        self._run, self._send, self.completed = run, send, []
        self.log = logging.Logger("test")
        self.start()

    def start(self) -> None:
        """A fresh process, as far as the ledger knows."""
        self.ledger = Ledger(self.output / LEDGER_FILE)
        self.watcher = Watcher(
            self.settings,
            self.ledger,
            self._counted_run,
            self.log,
            self._send and self._counted_send,
            self._take_completed,
            lambda: self.now,
        )
        status = Status(self.output, "watch")
        self.watcher.tell = lambda: status.write(self.watcher.state, **self.ledger.counts())

    def _counted_run(self, case, keep_waiting):
        self.runs.append(case.name)
        keep_waiting()
        return self._run(case) if self._run else work_on(case, self.options)

    def _counted_send(self, files):
        self.sends.append([path.name for path in files])
        return self._send(files)

    def _take_completed(self):
        taken, self.completed = self.completed, []
        return taken

    def step(self, seconds: float = 0.0) -> "Place":
        """Let time pass, look, and do what there is to do."""
        self.now += seconds
        self.watcher.look()
        while self.watcher.work():
            self.watcher.look()
        self.watcher.write_table(at_once=True)
        self.watcher.tell()
        return self

    def arrive(self, seconds: float = QUIET_S + 1) -> "Place":
        """What lies there has been seen, and the quiet time passes."""
        return self.step().step(seconds)

    def rows(self) -> dict[str, dict]:
        """The table, by case."""
        import csv

        with (self.output / "results.csv").open(newline="") as file:
            return {row["case"]: row for row in csv.DictReader(file)}


def save_volume(path: Path, level: float) -> Path:
    """A scan that the stub answers by its level: below 5 normal, else reduced."""
    from DaTscanAILib.reading.scan import write_volume

    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.full((SLICES,) * 3, level, np.float32)
    voxels[0, 0, 0] += 1
    write_volume(path, voxels, np.diag([3.0, 3, 3, 1]))
    return path


def study(level: float = 8, multiframe: bool = False, **elements) -> list:
    """The data sets of a scan that the stub answers by its level."""
    if multiframe:
        datasets = [factory.nm_dataset(shape=(24, 24, SLICES), geometry="top", **elements)]
    else:
        datasets = factory.nm_slices(count=SLICES, **elements)
    for dataset in datasets:
        frames = np.full((SLICES, 24, 24) if multiframe else (24, 24), float(level))
        frames[..., 0, 0] += 1
        factory.set_pixels(dataset, frames, "<u2")
    return datasets


def save_study(datasets: list, folder: Path, prefix: str = "IM") -> list[Path]:
    """Each data set as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    return [factory.save(dataset, folder / f"{prefix}{n:04d}.dcm") for n, dataset in enumerate(datasets)]


@contextlib.contextmanager
def archive(classes, status=0x0000, keep=lambda event: event.dataset.SOPClassUID):
    """Another system that takes results of these classes: (port, what it kept of each)."""
    import pynetdicom

    got = []

    def store(event):
        got.append(keep(event))
        return status

    entity = pynetdicom.AE(ae_title="ARCHIVE")
    for kind in classes:
        entity.add_supported_context(kind)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(pynetdicom.evt.EVT_C_STORE, store)])
    try:
        yield server.server_address[1], got
    finally:
        server.shutdown()
