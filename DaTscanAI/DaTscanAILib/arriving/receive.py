"""A DICOM receiver (C-STORE): from whom it takes objects, how many and how large, and where it puts them.

An object is acknowledged when it lies on the disk, whole. Only what may be a scan is offered a presentation context,
uncompressed or in RLE, so that senders convert what cannot be decoded here.
"""

import contextlib
import os
import queue
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.files import hidden_beside
from ..reading.dicom_header import quiet
from ..reading.series_name import short_hash
from .door import Door, check_door, silence, tls_context

# Nuclear medicine (and its retired class), PET and secondary captures, which some workstations store SPECT as.
_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.20",
    "1.2.840.10008.5.1.4.1.1.5",
    "1.2.840.10008.5.1.4.1.1.128",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.3",
)
_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5")
# Of the C-STORE response (PS3.4 table B.2-1, PS3.7 annex C).
STORED, NO_ROOM, CANNOT_UNDERSTAND, NOT_ALLOWED = 0x0000, 0xA700, 0xC000, 0x0124
_LARGEST_PDU = 2**17
_HANDSHAKE_S, _IDLE_S = 10.0, 60.0


@dataclass
class _Arrivals:
    """Folders of the series that an association has brought."""

    folders: set[Path] = field(default_factory=set)


class Receiver:
    """Takes objects into a folder: one folder a series, named by hashes.

    Args:
        door: as it says.
        folder: for the objects.
        log: takes lines without names.

    Raises:
        DaTscanError: pynetdicom is missing, the port cannot be used, TLS files are bad, or anybody could send.
    """

    def __init__(self, door: Door, folder: Path, log):
        self._door, self._folder, self._log = door, folder, log
        self._arrivals = defaultdict(_Arrivals)
        self._completed = queue.SimpleQueue()
        check_door(door)
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*/.*.part"):  # of an association that was cut when the service was
            left.unlink(missing_ok=True)
        self._server = _start(door, self._handlers())
        self.port = self._server.server_address[1]

    def completed(self) -> list[Path]:
        """Folders of series whose association has ended as it should, since last asked."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._completed.get_nowait())
        return found

    def close(self) -> None:
        """Take nothing more; associations in progress are aborted."""
        self._server.shutdown()
        for association in list(self._server.active_associations):
            association.abort()

    def _handlers(self):
        from pynetdicom import evt

        return [
            (evt.EVT_CONN_OPEN, self._limit),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_RELEASED, self._released),
            (evt.EVT_CONN_CLOSE, self._closed),
        ]

    def _limit(self, event):
        """Bound what a connection can make this process hold in memory: the length of a PDU and of an object."""
        connection = event.assoc.dul.socket
        event.assoc.bytes_of_object = 0
        whole = connection.recv

        def bounded(length):
            event.assoc.bytes_of_object += length
            if length > _LARGEST_PDU + 6 or event.assoc.bytes_of_object > self._door.most_bytes:
                self._log.warning("an object of more than %d MiB was refused", self._door.most_bytes >> 20)
                connection.close()
                raise OSError("too large")
            return whole(length)

        connection.recv = bounded

    @quiet()
    def _store(self, event):
        event.assoc.bytes_of_object = 0
        if not self._door.is_allowed(event.assoc.requestor.ae_title, event.assoc.requestor.address):
            return NOT_ALLOWED
        try:
            dataset = event.dataset
            series, image = str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID)
        except Exception:
            return CANNOT_UNDERSTAND
        folder = self._folder / f"{short_hash(series)}{short_hash(f'{series} ')}"
        data = event.encoded_dataset()
        try:
            self._check_space(len(data))
            folder.mkdir(exist_ok=True)
            _write_durably(folder / f"{short_hash(image)}{short_hash(f'{image} ')}.dcm", data)
        except OSError as error:
            self._log.warning("an object was refused: %s", error.strerror or "no space")
            return NO_ROOM
        self._arrivals[id(event.assoc)].folders.add(folder)
        return STORED

    def _check_space(self, size):
        status = os.statvfs(self._folder) if hasattr(os, "statvfs") else None
        if status and status.f_bavail * status.f_frsize < self._door.least_free + size:
            raise OSError(0, "the disk is nearly full")

    def _released(self, event):
        """The sender has said that this is all."""
        folders = self._arrivals.pop(id(event.assoc), _Arrivals()).folders
        for folder in folders:
            self._completed.put(folder)
        self._log.info("an association has brought %d series", len(folders))

    def _closed(self, event):
        if self._arrivals.pop(id(event.assoc), _Arrivals()).folders:
            self._log.warning("an association was cut: what it has brought waits for the rest")


@contextlib.contextmanager
def receiver(door: Door, folder: Path, log):
    """A `Receiver` while it is open; gives its `completed`."""
    open_door = Receiver(door, folder, log)
    log.info("listening on port %d", open_door.port)
    try:
        yield open_door.completed
    finally:
        open_door.close()


def _start(door, handlers):
    try:
        from pynetdicom import AE
        from pynetdicom.presentation import build_context
    except ImportError as error:
        raise DaTscanError("Receiving and sending DICOM needs the package pynetdicom: install it.") from error
    silence()
    entity = AE(ae_title=door.title)
    entity.require_called_aet = True
    titles = [peer.title for peer in door.peers]
    entity.require_calling_aet = titles if titles and None not in titles else []
    entity.maximum_associations, entity.maximum_pdu_size = door.most_at_once, _LARGEST_PDU
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _IDLE_S
    contexts = [build_context(kind, list(_SYNTAXES)) for kind in _CLASSES]
    contexts.append(build_context("1.2.840.10008.1.1"))
    try:
        server = _server_class()(
            entity, (door.address, door.port), door.title, contexts, tls_context(door, serving=True), handlers
        )
    except OSError as error:
        raise DaTscanError(
            f"Port {door.port} cannot be used ({error.strerror}): choose another with --port."
        ) from error
    entity._servers.append(server)  # as AE.start_server does; its own would be no `Server`
    server.door, server.recent = door, defaultdict(deque)
    threading.Thread(target=server.serve_forever, daemon=True, name="DICOM receiver").start()
    return server


def _server_class():
    from pynetdicom.transport import ThreadedAssociationServer

    class Server(ThreadedAssociationServer):
        """Turns away addresses that may not send or that knock too often, before anything of theirs is read."""

        def verify_request(self, request, client_address):  # noqa: ARG002 - signature of the base class
            address, now = client_address[0], time.monotonic()
            times = self.recent[address]
            while times and times[0] < now - 60:
                times.popleft()
            times.append(now)
            if len(self.recent) > 1000:
                self.recent.clear()
            return self.door.is_allowed(None, address) and len(times) <= self.door.most_per_minute

        def get_request(self):
            """Leave the handshake to the connection's own thread: who does not speak must not keep others out."""
            connection, address = self.socket.accept()
            connection.settimeout(_HANDSHAKE_S)
            if self.ssl_context:
                connection = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            return connection, address

    return Server


def _write_durably(path, data):
    """Whole or not at all, and on the disk when it returns: the sender may delete its own copy then."""
    temporary = hidden_beside(path, "part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder):
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
