"""The command `listen`."""

from functools import partial

from .arguments import SUCCESS, positive, whole
from .service_options import add_service_options, sender, service_settings

_MIB = 2**20
RECEIVED = "received"


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("listen", help="receive scans by DICOM (C-STORE) and analyze them, until stopped")
    command.set_defaults(run=run)
    command.add_argument("--port", type=whole, required=True, metavar="N", help="to listen on; 0 takes any")
    command.add_argument("--aet", default="DATSCANAI", metavar="NAME", help="own AE title (default DATSCANAI)")
    command.add_argument(
        "--bind", default="127.0.0.1", metavar="ADDRESS", help="of this machine (default 127.0.0.1, itself alone)"
    )
    command.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="TITLE@ADDRESS",
        help="who may send: AE title, address or both; may be repeated; needed beyond 127.0.0.1",
    )
    command.add_argument(
        "--max-object-mib", type=positive, default=128, metavar="N", help="of one DICOM object (default 128)"
    )
    command.add_argument(
        "--max-per-minute", type=positive, default=60, metavar="N", help="associations of one address (default 60)"
    )
    command.add_argument(
        "--keep-received",
        action="store_true",
        help="leave what was received in DIR/received when it has been analyzed",
    )
    add_service_options(command)


def run(options) -> int:
    """Runs it; the exit status."""
    from ..arriving.receive import receiver
    from ..arriving.service import serve
    from ..reporting.result_files import prepare_output

    folder = prepare_output(options.output / RECEIVED)
    settings, door = service_settings(options, folder, keep=options.keep_received), _door(options)
    serve("listen", settings, options.once, sender(options, door), partial(receiver, door, settings.folder))
    return SUCCESS


def _door(options):
    from ..arriving.door import Door, Peer

    return Door(
        port=options.port,
        title=options.aet,
        address=options.bind,
        peers=tuple(map(Peer.parsed, options.allow)),
        most_bytes=options.max_object_mib * _MIB,
        most_per_minute=options.max_per_minute,
        least_free=int(options.min_free_mib * _MIB),
        certificate=options.tls_certificate,
        key=options.tls_key,
        authority=options.tls_authority,
    )
