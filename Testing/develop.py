"""Set up the environment once, then run the software or its tests; needs only Python 3.11 or newer.

    python3 Testing/develop.py test [PYTEST ARGUMENTS]
    python3 Testing/develop.py COMMAND ...      (python -m DaTscanAILib COMMAND ...)

The environment is `.venv` beside this repository's README; it is completed when a lock file changes. Analysis,
services and simulation need `requirements.lock`, the tests and all other commands `requirements-test.lock`.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEED_LITTLE = ("analyze", "watch", "listen", "mercure", "simulate", "reconstruct", "--help", "--version")
ENVIRONMENT = Path(os.environ.get("DATSCANAI_VENV", ROOT / ".venv"))


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    python = prepare("requirements.lock" if arguments[0] in NEED_LITTLE else "requirements-test.lock")
    # Waiting threads that spin would take the other worker's core.
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ}
    if arguments[0] == "test":
        return run_tests(python, arguments[1:], environment)
    path = os.pathsep.join(filter(None, [str(ROOT / "DaTscanAI"), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [python, "-m", "DaTscanAILib", *arguments], env={**environment, "PYTHONPATH": path}
    ).returncode


def run_tests(python, arguments, environment):
    """ruff, then pytest: without arguments everything, on all cores (a file's tests share their fixtures)."""
    arguments = arguments or ["-n", "auto", "--dist", "loadfile"]
    for check in (["check"], ["format", "--check"]):
        status = subprocess.run([python, "-m", "ruff", *check, str(ROOT)], env=environment).returncode
        if status:
            return status
    return subprocess.run([python, "-m", "pytest", *arguments], cwd=ROOT, env=environment).returncode


def prepare(lock_name):
    """Path of the environment's Python, everything in the lock file installed."""
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    lock = ROOT / "Testing" / lock_name
    stamp = ENVIRONMENT / f".{lock_name}.{hashlib.sha256(locked(lock)).hexdigest()[:16]}"
    if not stamp.exists():
        if not python.exists():
            venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", lock], check=True
        )
        stamp.touch()
    return str(python)


def locked(lock):
    """Content of a lock file and of those it includes."""
    text = lock.read_bytes()
    for line in text.decode().splitlines():
        if line.startswith("-r "):
            text += locked(lock.parent / line[3:].strip())
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
