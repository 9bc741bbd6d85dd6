"""Fixtures and settings that all tests share."""

import os
from pathlib import Path

import pytest

# As `__main__.py` does, and before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "samples"


@pytest.fixture(scope="session")
def samples():
    """Folder of the scans that other people simulated; it lies beside the checkout on the project's machines only."""
    if not SAMPLES.is_dir():
        pytest.skip("the shared samples are not on this machine")
    return SAMPLES
