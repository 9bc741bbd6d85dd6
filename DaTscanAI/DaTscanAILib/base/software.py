"""Versions of this software and of what computes its numbers."""

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from .version import VERSION

_version_of = lru_cache(version)  # reading a package's metadata takes milliseconds for each scan


def software_versions() -> dict[str, str]:
    """Versions of this software and of what computes its numbers."""
    versions = {"datscanai": VERSION, "python": platform.python_version()}
    for package in ("numpy", "scipy", "SimpleITK", "torch", "pydicom"):
        try:
            versions[package.lower()] = _version_of(package)
        except PackageNotFoundError:
            continue
    return versions
