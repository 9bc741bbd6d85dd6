"""The command `normals`: a site's own database of normal scans."""

from pathlib import Path

from .arguments import SUCCESS, positive


def add(commands) -> None:
    """The command's three actions with their options."""
    command = commands.add_parser("normals", help="a site's own normal scans: build, check, transfer")
    actions = command.add_subparsers(metavar="ACTION", required=True)
    _add_build(actions)
    _add_check(actions)
    _add_transfer(actions)


def _add_build(actions):
    action = actions.add_parser("build", help="a database from a manifest of normal scans of one camera")
    action.set_defaults(run=run_build)
    action.add_argument("manifest", type=Path, metavar="MANIFEST", help="CSV: scan and, where known, age and sex")
    action.add_argument("--output", type=Path, required=True, metavar="SITE", help="folder of the database")
    _add_name_and_workers(action)


def _add_check(actions):
    action = actions.add_parser("check", help="graphs, and each scan beside all others")
    action.set_defaults(run=run_check)
    action.add_argument("site", metavar="SITE", help="folder of the database, or name of a shipped one")
    action.add_argument("--output", type=Path, metavar="DIR", help="of graphs and figures (default SITE/check)")


def _add_transfer(actions):
    action = actions.add_parser("transfer", help="a database for another camera")
    action.set_defaults(run=run_transfer)
    action.add_argument("site", metavar="SITE", help="database of the old camera")
    action.add_argument("--from", dest="old", type=Path, required=True, metavar="A", help="manifest: old camera")
    action.add_argument("--to", dest="new", type=Path, required=True, metavar="B", help="manifest: new camera")
    action.add_argument("--output", type=Path, required=True, metavar="SITE", help="folder of the new database")
    action.add_argument(
        "--method",
        choices=("regression", "smoothing"),
        default="regression",
        help="a line through scans of both cameras, or the same resolution (default regression)",
    )
    _add_name_and_workers(action)


def _add_name_and_workers(action):
    action.add_argument("--name", metavar="TEXT", help="of the database (default: its folder's)")
    action.add_argument("--workers", type=positive, default=1, metavar="N", help="processes (default 1)")


def run_build(options) -> int:
    """Runs `normals build`; the exit status."""
    from ..batch.normals_building import build_normals

    database = build_normals(options.manifest, options.output, options.name, options.workers)
    print(_described(database, options.output))
    return SUCCESS


def run_check(options) -> int:
    """Runs `normals check`; the exit status."""
    from ..batch.normals_checking import check_normals, describe_check
    from ..quantification.normals import find_normals, read_normals

    database = read_normals(options.site)
    folder = options.output or find_normals(options.site).parent / "check"
    print(describe_check(database, check_normals(database, folder)))
    return SUCCESS


def run_transfer(options) -> int:
    """Runs `normals transfer`; the exit status."""
    from ..batch.normals_building import write_normals
    from ..batch.normals_transfer import transfer_by_regression, transfer_by_smoothing
    from ..quantification.normals import read_normals
    from ..reporting.result_files import prepare_output

    transfer = {"regression": transfer_by_regression, "smoothing": transfer_by_smoothing}[options.method]
    prepare_output(options.output)
    name = options.name or options.output.resolve().name
    database = transfer(read_normals(options.site), options.old, options.new, name, options.workers)
    write_normals(database, options.output)
    print(_described(database, options.output))
    return SUCCESS


def _described(database, site):
    from ..batch.normals_checking import check_normals, describe_check

    return describe_check(database, check_normals(database, site / "check"))
