"""The command `import-model`."""

import sys
from pathlib import Path

from .arguments import SUCCESS


def add(commands) -> None:
    """The command's options."""
    command = commands.add_parser("import-model", help="an outside model's weights as a model folder")
    command.set_defaults(run=run)
    command.add_argument("kind", metavar="KIND", help="dat_spect_ud")
    command.add_argument("folder", type=Path, metavar="FOLDER", help="with the downloaded weights")
    command.add_argument("--output", type=Path, required=True, metavar="MODEL", help="the model's folder")
    command.add_argument(
        "--ensemble", default="acc", metavar="NAME", help="acc (default), robust, sens or spec of dat_spect_ud"
    )


def run(options) -> int:
    """Runs it; the exit status."""
    from ..classification.import_model import import_model
    from ..reporting.result_files import prepare_output

    prepare_output(options.output)
    model = import_model(options.kind, options.folder, options.output, options.ensemble)
    print(f"{model.folder}: {model.trained_on}", file=sys.stderr)
    return SUCCESS
