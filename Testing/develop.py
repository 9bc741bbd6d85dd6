"""Set up the environment once, then run the software or its tests; needs only Python 3.11 or newer.

    python3 Testing/develop.py test [PYTEST ARGUMENTS]
    python3 Testing/develop.py COMMAND ...      (python -m DaTscanAILib COMMAND ...)

The environment is `.venv` beside this repository's README; it is completed when a lock file changes. Analysis,
services and simulation need `requirements.lock`, the tests and all other commands `requirements-test.lock`. A few
tests ask programs of others (`TOOLS`) and are skipped where these are missing; with DATSCANAI_INSTALL_TOOLS=1, as in
CI, `test` installs them from Debian's packages first.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEED_LITTLE = ("analyze", "watch", "listen", "mercure", "simulate", "reconstruct", "--help", "--version")
TOOLS = {"dciodvfy": "dicom3tools", "chromium": "chromium", "chromedriver": "chromium-driver"}  # program: package
ENVIRONMENT = Path(os.environ.get("DATSCANAI_VENV", ROOT / ".venv"))


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    python = prepare("requirements.lock" if arguments[0] in NEED_LITTLE else "requirements-test.lock")
    # Waiting threads that spin would take the other worker's core.
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ}
    if arguments[0] == "test":
        if os.environ.get("DATSCANAI_INSTALL_TOOLS") == "1":
            install_tools()
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


def install_tools():
    """Debian's packages of the programs that are missing; tests without their program say so and are skipped."""
    missing = [package for program, package in TOOLS.items() if not shutil.which(program)]
    if missing and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "-qq", "update"], **quiet)
        subprocess.run(["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *missing], **quiet)


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
