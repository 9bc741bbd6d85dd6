"""Where a receiver listens, whom it lets in, and how the connection is secured."""

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import DaTscanError


@dataclass(frozen=True)
class Peer:
    """Who may send: AE title and address, either of them None for any."""

    title: str | None
    address: str | None

    @classmethod
    def parsed(cls, text: str) -> "Peer":
        """`TITLE`, `TITLE@ADDRESS` or `@ADDRESS`.

        Raises:
            DaTscanError: neither.
        """
        title, _, address = text.strip().partition("@")
        if not (title or address) or len(title) > 16:
            raise DaTscanError(f"{text!r} names no sender: give TITLE, TITLE@ADDRESS or @ADDRESS.")
        return cls(title or None, address or None)

    def is_it(self, title: str | None, address: str) -> bool:
        """Whether a sender of this address (and title, where it is known yet) is this peer."""
        return self.address in (None, address) and (title is None or self.title in (None, title))


@dataclass(frozen=True)
class Door:
    """Where a receiver listens, and what it lets in.

    Attributes:
        port: 0 takes any that is free.
        title: its own AE title.
        address: of this machine; anything but loopback needs peers.
        peers: who may send; none: whoever reaches the address.
        most_bytes: of an object.
        most_per_minute: associations from one address.
        most_at_once: associations.
        least_free: bytes of the disk that stay free.
        certificate, key, authority: files (PEM) for TLS; with an authority senders need a certificate of it.
    """

    port: int
    title: str
    address: str = "127.0.0.1"
    peers: tuple[Peer, ...] = ()
    most_bytes: int = 128 * 2**20
    most_per_minute: int = 60
    most_at_once: int = 4
    least_free: int = 500 * 2**20
    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None

    def is_allowed(self, title: str | None, address: str) -> bool:
        """Whether a sender may send; its title may not be known yet."""
        return not self.peers or any(peer.is_it(title, address) for peer in self.peers)


def silence() -> None:
    """What pynetdicom logs may quote what it was sent; only this software's own sentences reach a log."""
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)


def check_door(door: Door) -> None:
    """Refuse one through which anybody could send.

    Raises:
        DaTscanError: an address beyond this machine without peers, or no AE title.
    """
    if door.address not in ("127.0.0.1", "::1", "localhost") and not door.peers:
        raise DaTscanError(f"Anybody who reaches {door.address} could send: name who may with --allow TITLE@ADDRESS.")
    if not (0 < len(door.title.strip()) <= 16 and door.title.isascii() and "\\" not in door.title):
        raise DaTscanError(f"{door.title!r} is no AE title: give 1 to 16 characters.")


def tls_context(door: Door, serving: bool) -> ssl.SSLContext | None:
    """TLS as the door's files say; None without them.

    Raises:
        DaTscanError: they cannot be used.
    """
    if not (door.certificate or door.authority):
        return None
    try:
        if serving and not door.certificate:
            raise OSError
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serving else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if door.certificate:
            context.load_cert_chain(door.certificate, door.key)
        if door.authority:
            context.load_verify_locations(door.authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise DaTscanError("The files for TLS cannot be used: give certificate, key and authority in PEM.") from error
    return context
