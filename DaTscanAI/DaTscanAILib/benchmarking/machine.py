"""What a benchmark ran on: figures mean nothing without it."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..base.version import VERSION

PEERS = {"itk-elastix": "itk-elastix", "SimpleITK": "simpleitk", "antspyx": "antspyx", "zennit": "zennit"}
_PACKAGES = ("numpy", "scipy", "simpleitk", "torch", "monai", "pytorch-ignite", "zennit", "itk-elastix", "antspyx")


def is_installed(peer: str) -> bool:
    """Whether a peer library (key of `PEERS`) is there; it is not imported."""
    return package_version(PEERS[peer]) is not None


def package_version(package: str) -> str | None:
    """None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def describe_machine() -> dict:
    """Processor, cores, memory, load, system, GPU and versions, nothing that tells whose machine it is."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gb": _memory_gb(),
        "load_before": _load(),
        "system": f"{platform.system()} {platform.machine()}",
        "gpu": gpu_name(),
        "versions": {
            "datscanai": VERSION,
            "python": platform.python_version(),
            **{name: found for name in _PACKAGES if (found := package_version(name))},
        },
    }


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu_name() -> str | None:
    """Name of the GPU that torch would use; None without one."""
    try:
        import torch
    except (ImportError, OSError):
        return None
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def sentence(machine: dict) -> str:
    """The machine in one line."""
    parts = [f"{machine['processor']}, {machine['cores']} cores"]
    if machine["memory_gb"]:
        parts.append(f"{machine['memory_gb']:g} GB")
    parts += [machine["gpu"] or "no GPU", machine["system"]]
    if machine["load_before"] is not None:
        parts.append(f"load {machine['load_before']:g} before the start")
    return ", ".join(parts)


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gb():
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    except (AttributeError, ValueError, OSError):
        return None


def _load():
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
