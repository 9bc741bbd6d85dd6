"""Waiting for what other processes and threads do: a hang ends here, a slow machine does not."""

import time

PATIENCE_S = 300


def wait_for(condition):
    """What the condition gives as soon as that is true.

    Raises:
        AssertionError: it never was.
    """
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found
