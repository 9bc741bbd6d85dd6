"""Options that the services `watch` and `listen` share."""

from dataclasses import replace
from pathlib import Path

from ..base.errors import DaTscanError
from .arguments import add_chain_options, add_result_options, batch_options, not_negative, positive, result_options

_MIB = 2**20


def add_service_options(command) -> None:
    """Options of a service."""
    add_chain_options(command)
    add_result_options(command)
    command.set_defaults(workers=1, scheduler=None, resume=True)
    command.add_argument(
        "--quiet-seconds",
        type=not_negative,
        default=30.0,
        metavar="S",
        help="without a change, after which a series is complete (default 30)",
    )
    command.add_argument(
        "--every-seconds", type=not_negative, default=5.0, metavar="S", help="between two looks (default 5)"
    )
    command.add_argument(
        "--max-files",
        type=positive,
        default=2000,
        metavar="N",
        help="of one scan (default 2000); beyond it is refused",
    )
    command.add_argument(
        "--max-file-mib", type=positive, default=1024, metavar="N", help="of one file (default 1024)"
    )
    command.add_argument(
        "--min-free-mib",
        type=not_negative,
        default=500.0,
        metavar="N",
        help="of the disk, below which nothing is begun and nothing received (default 500)",
    )
    command.add_argument("--once", action="store_true", help="end when all that is there has been worked on")
    command.add_argument("--send-to", metavar="TITLE@HOST:PORT", help="send the DICOM files of the results on")
    command.add_argument("--send-tls", action="store_true", help="with TLS, as the options --tls say")
    for what, text in (
        ("certificate", "this service's own"),
        ("key", "of the certificate, if not in the same file"),
        ("authority", "whose certificates others must have"),
    ):
        command.add_argument(f"--tls-{what}", type=Path, metavar="FILE", help=f"PEM file: {text}")


def service_settings(options, folder: Path, **more):
    """`arriving.watch.Settings` of the options given.

    Raises:
        DaTscanError: the model cannot be used.
    """
    from ..arriving.watch import Settings
    from ..batch.options import check_options

    batch = batch_options(options, **result_options(options))
    batch = replace(batch, output=batch.output.absolute())
    check_options(batch)
    return Settings(
        folder=folder.absolute(),
        options=batch,
        quiet_s=options.quiet_seconds,
        every_s=options.every_seconds,
        most_files=options.max_files,
        most_bytes=options.max_file_mib * _MIB,
        least_free=int(options.min_free_mib * _MIB),
        **more,
    )


def sender(options, door):
    """What sends results on, None without `--send-to`."""
    if not options.send_to:
        return None
    from ..arriving.send import Sender, Target

    target = Target.parsed(options.send_to)
    if not options.dicom_results:
        raise DaTscanError("--send-to has nothing to send without --dicom-results: give both.")
    return Sender(target, door, options.send_tls)
