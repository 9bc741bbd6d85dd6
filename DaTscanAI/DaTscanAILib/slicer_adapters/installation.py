"""Python packages that Slicer does not bring: asked for when first needed, never installed at start-up.

Analysis needs PyTorch alone; it is installed by the extension PyTorch, which finds the build that fits the graphics
card. Training, which needs more, is for the command line outside Slicer.
"""

from importlib.util import find_spec

import slicer
from slicer.i18n import tr as _

TORCH_REQUIREMENT = ">=2.1"


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
    return offer_torch(_("Measure only"))


def offer_torch(without: str | None = None) -> bool:
    """Install PyTorch after one question that says how much is loaded and what for.

    The extension PyTorch chooses the build that fits the graphics card; where it is missing, it is installed first.

    Args:
        without: words of a button that goes on without PyTorch; None offers none.

    Returns:
        Whether to go on now: PyTorch is there, or is not wanted.
    """
    utils = _pytorch_utils()
    install = _("Install PyTorch") if utils else _("Install the extension PyTorch")
    answer = _choose(_("DaTscan AI: PyTorch is missing"), _question(utils is not None), [install, without])
    if answer == install and utils:
        with slicer.util.WaitCursor():
            utils.PyTorchUtilsLogic().installTorch(askConfirmation=False, torchVersionRequirement=TORCH_REQUIREMENT)
    elif answer == install:
        _install_extension()  # Slicer has to be started again before its modules are there
    return has_torch() if answer == install else without is not None and answer == without


def _pytorch_utils():
    try:
        import PyTorchUtils
    except ImportError:
        return None
    return PyTorchUtils


def _question(has_extension):
    what = _(
        "The networks that classify a scan need PyTorch, which is not installed in Slicer yet. The download is about "
        "0.2 GB, with support for an NVIDIA graphics card about 3 GB, and takes some minutes."
    )
    how = _(
        "Slicer installs it by the extension PyTorch. That is installed first, then Slicer starts again, and this "
        "question comes once more: save your scene before."
    )
    without = _("Without PyTorch a scan is registered and measured, but not classified.")
    return "\n\n".join([what, *([] if has_extension else [how]), without])


def _install_extension():
    """Let the Extensions Manager install the extension; it asks before it starts Slicer again."""
    manager = slicer.app.extensionsManagerModel()
    manager.interactive = True
    if not manager.installExtensionFromServer("PyTorch"):
        slicer.app.openExtensionsManagerDialog()


def _choose(title, text, answers):
    """The answer that a person clicks; None for Cancel."""
    import qt

    box = qt.QMessageBox(slicer.util.mainWindow())
    box.setIcon(qt.QMessageBox.Question)
    box.setWindowTitle(title)
    box.setText(text)
    for answer in filter(None, answers):
        box.addButton(answer, qt.QMessageBox.ActionRole)
    box.addButton(qt.QMessageBox.Cancel)
    box.exec_()
    clicked = box.clickedButton()
    return next((answer for answer in filter(None, answers) if clicked and clicked.text == answer), None)


def device_in_words(device: str) -> str:
    """The device that will be used, as far as can be told without loading PyTorch."""
    if not has_torch():
        return _("PyTorch is not installed: scans are measured, not classified.")
    return {
        "cpu": _("the CPU will be used"),
        "cuda": _("the graphics card will be used"),
        "auto": _("the graphics card if there is a usable one, else the CPU"),
    }[device]
