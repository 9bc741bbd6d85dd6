"""Sending DICOM files on (C-STORE): each is sent until the other side has said that it has it."""

from dataclasses import dataclass
from pathlib import Path

from ..base.errors import DaTscanError
from ..reading.dicom_header import quiet, read_dataset, text
from .door import Door, silence, tls_context

_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Target:
    """Where results go: AE title, host and port."""

    title: str
    host: str
    port: int

    @classmethod
    def parsed(cls, text: str) -> "Target":
        """`TITLE@HOST:PORT`.

        Raises:
            DaTscanError: it is not of that form.
        """
        title, _, place = text.partition("@")
        host, _, port = place.rpartition(":")
        if not (0 < len(title) <= 16 and host and port.isdecimal() and 0 < int(port) < 65536):
            raise DaTscanError(f"{text!r} names no receiver: give TITLE@HOST:PORT.")
        return cls(title, host.strip("[]"), int(port))


class Sender:
    """Sends files to a target.

    Args:
        target: as it says.
        door: whose title, and whose TLS files, are used.
        secure: with TLS.
    """

    def __init__(self, target: Target, door: Door, secure: bool = False):
        self._target, self._title = target, door.title
        self._context = tls_context(door, serving=False) if secure else None

    @quiet()
    def __call__(self, files: list[Path]) -> list[Path]:
        """Send files in one association; gives those that were not taken, for later."""
        from pynetdicom import AE

        silence()
        contexts = {file: _context_of(file) for file in files}
        usable = [file for file in files if contexts[file]]
        if not usable:
            return []
        entity = AE(ae_title=self._title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = _TIMEOUT_S
        for kind, syntax in sorted({contexts[file] for file in usable}):
            entity.add_requested_context(kind, syntax)
        tls = {"tls_args": (self._context, self._target.host)} if self._context else {}
        association = entity.associate(self._target.host, self._target.port, ae_title=self._target.title, **tls)
        try:
            return [file for file in usable if not _sent(association, file)]
        finally:
            if association.is_established:
                association.release()


def _context_of(file):
    """SOP class and transfer syntax; None for what is no DICOM file any more."""
    try:
        dataset = read_dataset(file, file.name, pixels=False)
    except DaTscanError:
        return None
    found = text(dataset, "SOPClassUID"), text(dataset.file_meta, "TransferSyntaxUID")
    return found if all(found) else None


def _sent(association, file):
    if not association.is_established:
        return False
    try:
        status = association.send_c_store(str(file))
    except (ValueError, RuntimeError, OSError):  # a class the other side does not take, a connection that was cut
        return False
    return "Status" in status and (status.Status == 0 or status.Status >> 12 == 0xB)  # warnings are taken too
