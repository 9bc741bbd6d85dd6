"""Section 6: many scans, and the report of this one."""

import qt
from slicer.i18n import tr as _

from .panel import Panel


class BatchPanel(Panel):
    """Folder or manifest in, folder out."""

    def connect(self):
        self.ui.runBatchButton.connect("clicked()", self.onRun)
        self.ui.reportButton.connect("clicked()", self.onReport)
        self.ui.manifestButton.connect("clicked()", self.onManifest)
        self.ui.batchInputEdit.connect("currentPathChanged(QString)", self.onInputChosen)
        self.ui.batchOutputEdit.connect("currentPathChanged(QString)", self.onOutputChosen)

    def onManifest(self):
        """Ask for a manifest."""
        title = _("Choose a manifest")
        path = qt.QFileDialog.getOpenFileName(self.widget.parent, title, "", _("Manifests") + " (*.csv *.tsv)")
        if path:
            self.ui.batchInputEdit.currentPath = path

    def onInputChosen(self, path):
        """Keep the input."""
        if self.parameters is not None and self.parameters.batchInput != path:
            self.parameters.batchInput = path

    def onOutputChosen(self, path):
        """Keep the output."""
        if self.parameters is not None and self.parameters.batchOutput != path:
            self.parameters.batchOutput = path

    def onRun(self):
        """Start the batch, or cancel it."""
        self.widget.runBatch()

    def onReport(self):
        """Ask for a file and write the report."""
        from ...reading.inputs import safe_name

        title, name = _("Save the report"), f"{safe_name(self.case.name)}.pdf"
        path = qt.QFileDialog.getSaveFileName(self.widget.parent, title, name, _("PDF") + " (*.pdf)")
        if path:
            with self.widget.errorsSaid(_("The report could not be written.")):
                self.widget.logic.saveReport(self.volume, path)
                self.widget.say(_("The report was written."))

    def update(self, _result):
        for edit, path in (
            (self.ui.batchInputEdit, self.parameters.batchInput if self.parameters else ""),
            (self.ui.batchOutputEdit, self.parameters.batchOutput if self.parameters else ""),
        ):
            if edit.currentPath != path:
                edit.currentPath = path

    def enable(self, idle):
        self.ui.reportButton.enabled = idle and bool(self.case and self.case.result)
        ready = bool(self.parameters and self.parameters.batchInput and self.parameters.batchOutput)
        if not self.widget.isBatchRunning:
            self.ui.runBatchButton.enabled = idle and ready
