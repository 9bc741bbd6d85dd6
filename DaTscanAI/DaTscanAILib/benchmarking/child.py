"""Functions run in a fresh Python process: with its own environment, and with memory that nothing has used before."""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..base.errors import DaTscanError

LIBRARY = Path(__file__).resolve().parents[2]
# Freed memory stays with the process: else big tensors cost page faults every time.
TUNED_ALLOCATOR = {
    "MALLOC_TOP_PAD_": str(2**28),
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
}


def environment(threads: int | None = None, **more: str) -> dict[str, str]:
    """This process's environment as a child gets it.

    Args:
        threads: of all numerical libraries; None leaves the choice to them, as the command line does.
        more: further variables.
    """
    path = os.pathsep.join(filter(None, [str(LIBRARY), os.environ.get("PYTHONPATH")]))
    variables = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # start-up is that of any run but the first
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        variables.pop(name, None)
        if threads is not None:
            variables[name] = str(threads)
    return {**variables, **more}


def in_child(function: Callable, variables: dict[str, str], **arguments):
    """What a module's function returns when a fresh process runs it.

    Args:
        function: on the top level of a module of this package.
        variables: environment of the process.
        arguments: of the function; they and the result pass as JSON.

    Raises:
        DaTscanError: the process has failed; its last line of error is in the sentence.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "call.json"
        file.write_text(json.dumps([function.__module__, function.__name__, arguments]))
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(file)],
            env=variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        if done.returncode:
            reason = last_line(done.stderr.decode(errors="replace"), done.returncode)
            raise DaTscanError(f"{function.__name__.strip('_')} failed in its own process: {reason}")
        return json.loads(file.read_text())


def last_line(output: str, status: int) -> str:
    """What a failed process said last; its status where it was killed without a word."""
    lines = output.strip().splitlines()
    return lines[-1] if lines else f"status {status}"


def main(file: Path) -> None:
    """The child's part: the result takes the place of the call."""
    module, name, arguments = json.loads(file.read_text())
    result = getattr(importlib.import_module(module), name)(**arguments)
    file.write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
