"""Runs of a batch, in this process or in a fork."""

import errno
import os

import pytest

from DaTscanAILib.batch.options import Options
from DaTscanAILib.batch.run import analyze_batch
from DaTscanAILib.reading.inputs import collect_cases

NAMES = ("a", "b", "c")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that share the test's state")


def analyze(scans, output, **options):
    return analyze_batch(collect_cases([scans]), Options(output=output, **options))


def in_child(function):
    """Exit status of a fork that runs a function; minus the number of the signal that killed it."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = function() or 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def no_space():
    raise OSError(errno.ENOSPC, "No space left on device")
