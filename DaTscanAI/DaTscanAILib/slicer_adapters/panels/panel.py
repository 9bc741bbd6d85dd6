"""What the sections of the module's panel have in common."""

import qt
from slicer.i18n import tr as _

from ..case import Case
from ..state import ScanState


class Panel:
    """One section: its widgets' connections, and what it shows of the current case.

    Args:
        widget: the module's widget, which owns `ui`, `logic`, the parameter node and the running task.
    """

    def __init__(self, widget):
        self.widget = widget
        self.ui = widget.ui
        self._paths = []
        self.connect()

    @property
    def parameters(self):
        """The module's parameter node."""
        return self.widget.parameters

    @property
    def volume(self):
        """The selected scan, or None."""
        return self.parameters.inputVolume if self.parameters else None

    @property
    def case(self) -> Case | None:
        """What is known of the selected scan."""
        return Case.of(self.volume)

    def connect(self) -> None:
        """Connect the section's buttons."""

    def askForPdf(self, title: str, suffix: str = "") -> str:
        """The file that the user names for a page on the selected scan; empty if none."""
        from ...reading.inputs import safe_name

        name = f"{safe_name(self.case.name)}{suffix}.pdf"
        return qt.QFileDialog.getSaveFileName(self.widget.parent, title, name, _("PDF") + " (*.pdf)")

    def bind(self) -> None:
        """A parameter node is about to be bound to the panel."""

    def update(self, result: dict | None, state: ScanState) -> None:
        """Show a result, or that there is none yet.

        Args:
            result: what is known of the selected scan.
            state: whether its stages still belong to the scan.
        """

    def enable(self, idle: bool) -> None:
        """Enable what can be done now.

        Args:
            idle: no task is running.
        """

    def keepPath(self, edit, name: str) -> None:
        """Tie a path to a parameter of text, which Slicer's own binding does not take."""

        def keep(path):
            if self.parameters is not None and getattr(self.parameters, name) != path:
                setattr(self.parameters, name, path)

        edit.connect("currentPathChanged(QString)", keep)
        self._paths.append((edit, name))

    def showPaths(self) -> None:
        """Show the parameters of all paths that are kept."""
        for edit, name in self._paths:
            path = getattr(self.parameters, name) if self.parameters else ""
            if edit.currentPath != path:
                edit.currentPath = path
