"""A process that keeps what it frees is not given new pages again and again."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from DaTscanAILib.base.allocator import keep_freed_memory

LIBRARY = Path(__file__).resolve().parents[2] / "DaTscanAI"
CODE = """
import resource, sys
import numpy as np
from DaTscanAILib.base.allocator import MODEST, keep_freed_memory
if sys.argv[1] == "modest":
    assert keep_freed_memory(MODEST)
if sys.argv[1] == "all":
    assert keep_freed_memory()
for _ in range(30):
    [np.ones(2**21) for _ in range(4)]  # of 16 MiB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
large = np.ones(2**26)
del large
with open("/proc/self/statm") as file:
    print(int(file.read().split()[1]) * resource.getpagesize())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_pages_are_asked_for_once_and_much_memory_goes_back():
    plain, modest, everything = (_faults_and_memory(how) for how in ("plain", "modest", "all"))
    assert plain[0] > 5 * modest[0]
    assert plain[0] > 5 * everything[0]
    assert modest[1] - plain[1] < 2**28
    assert everything[1] - plain[1] > 2**28


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert keep_freed_memory.__wrapped__(2**27) is False


def _faults_and_memory(how):
    variables = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    command = [sys.executable, "-c", CODE, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
    return [int(line) for line in done.stdout.split()]
