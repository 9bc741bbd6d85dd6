"""The command `watch`."""

from pathlib import Path

from .arguments import SUCCESS
from .service_options import add_service_options, sender, service_settings


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("watch", help="analyze what arrives in a folder, until stopped")
    command.set_defaults(run=run)
    command.add_argument("folder", type=Path, metavar="FOLDER", help="in which scans arrive; nothing in it is moved")
    add_service_options(command)
    command.add_argument("--aet", default="DATSCANAI", metavar="NAME", help="own AE title, for --send-to")


def run(options) -> int:
    """Runs it; the exit status."""
    from ..arriving.door import Door
    from ..arriving.service import serve

    settings = service_settings(options, options.folder)
    tls = {name: getattr(options, f"tls_{name}") for name in ("certificate", "key", "authority")}
    serve("watch", settings, options.once, sender(options, Door(0, options.aet, **tls)))
    return SUCCESS
