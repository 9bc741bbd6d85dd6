"""Sentences for a PyTorch that is missing, broken or short of memory on the GPU."""


def torch_problem(name: str) -> str | None:
    """The sentence for a scan that cannot be classified because torch is missing or broken."""
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "torch"
        state = "is not installed" if missing else f"cannot be loaded ({error})"
        return (
            f"{name}: PyTorch {state}, so the scan was measured but not classified: install it (in Slicer by the "
            "button in the section Classification) and analyze again."
        )
    return None


def gpu_problem(error: RuntimeError) -> str | None:
    """The warning for an error of the GPU; None for another error."""
    text = str(error)
    if "out of memory" in text and "CPU" not in text:
        return "The GPU has too little free memory: the scan was classified on the CPU."
    if "no kernel image" in text:
        return (
            "The installed PyTorch does not know this GPU: the scan was classified on the CPU; install a newer "
            "PyTorch to use the GPU."
        )
    if "CUDA" in text or "cuDNN" in text:
        return f"The GPU failed ({text.splitlines()[0]}): the scan was classified on the CPU."
    return None
