"""`python -m DaTscanAILib COMMAND ...`."""

import gc
import os
import signal
import sys

# Before numpy and torch are loaded: our matrices are small, and threads that spin while they wait take the cores of
# other workers (a fit then takes 20 times longer).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from .base.allocator import MODEST, keep_freed_memory
from .cli.main import main

if __name__ == "__main__":
    # Terminated is as interrupted: otherwise the worker processes would go on by themselves, for hours in a training.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    keep_freed_memory(MODEST)
    status = main()
    gc.freeze()  # the interpreter's last collections would walk through all of torch, more than half a second
    sys.exit(status)
