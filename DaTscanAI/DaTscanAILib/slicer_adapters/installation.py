"""Python packages that Slicer does not bring: asked for when first needed, never installed at start-up.

Analysis needs PyTorch alone; it is installed by the extension PyTorch, which finds the build that fits the graphics
card. Training also needs MONAI and Ignite. numpy, SciPy and SimpleITK are Slicer's own and are left as they are.
"""

from importlib.util import find_spec

import slicer
from slicer.i18n import tr as _

TORCH_REQUIREMENT = ">=2.1"
TRAINING_REQUIREMENTS = ("monai>=1.5", "pytorch-ignite>=0.5")
_KEPT = ("torch", "numpy", "packaging")


def has_torch() -> bool:
    """Whether PyTorch is installed; it is not imported for that."""
    return find_spec("torch") is not None


def ensure_torch() -> bool:
    """Offer to install PyTorch if it is missing.

    Returns:
        Whether to go on; without PyTorch the scan is measured but not classified.
    """
    if has_torch() or slicer.app.testingEnabled():
        return True
    try:
        import PyTorchUtils
    except ImportError:
        return _offer_extension()
    text = _(
        "The networks need PyTorch, which is not installed in Slicer yet.\n\n"
        "The download is about 0.2 GB, with support for an NVIDIA graphics card about 3 GB, and takes some minutes. "
        "Without it the scan is registered and measured, but not classified.\n\nInstall PyTorch now?"
    )
    if slicer.util.confirmYesNoDisplay(text, _("DaTscan AI: install PyTorch")):
        with slicer.util.WaitCursor():
            PyTorchUtils.PyTorchUtilsLogic().installTorch(
                askConfirmation=False, torchVersionRequirement=TORCH_REQUIREMENT
            )
    return True


def _offer_extension() -> bool:
    text = _(
        "The networks need PyTorch, which is installed by the extension PyTorch, and that is missing.\n\n"
        "Install the extension PyTorch in the Extensions Manager, restart Slicer and analyze again. "
        "Without it the scan is registered and measured, but not classified.\n\nGo on without PyTorch?"
    )
    return slicer.util.confirmYesNoDisplay(text, _("DaTscan AI: PyTorch is missing"))


def ensure_training_packages() -> None:
    """Install what `train` needs beyond PyTorch, after asking; PyTorch and numpy stay as they are.

    Raises:
        RuntimeError: the user declined.
    """
    import slicer.packaging

    slicer.packaging.pip_ensure(list(TRAINING_REQUIREMENTS), skip_packages=list(_KEPT), requester="DaTscan AI")


def device_in_words(device: str) -> str:
    """The device that will be used, as far as can be told without loading PyTorch."""
    import sys

    if not has_torch():
        return _("PyTorch is not installed: scans are measured, not classified.")
    torch = sys.modules.get("torch")
    if device == "cpu" or torch is None:
        return {"cpu": _("CPU"), "cuda": _("CUDA")}.get(
            device, _("CUDA if there is a usable graphics card, else CPU")
        )
    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return _("CPU: no usable CUDA device was found") if device == "auto" else _("no usable CUDA device was found")
