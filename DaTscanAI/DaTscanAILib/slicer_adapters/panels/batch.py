"""Many scans."""

import qt
from slicer.i18n import tr as _

from ..dicom_inputs import holds_dicom
from .panel import Panel


class BatchPanel(Panel):
    """Folder or manifest in, folder out."""

    def connect(self):
        self.ui.runBatchButton.connect("clicked()", self.onRun)
        self.ui.manifestButton.connect("clicked()", self.onManifest)
        self.keepPath(self.ui.batchInputEdit, "batchInput")
        self.keepPath(self.ui.batchOutputEdit, "batchOutput")

    def onManifest(self):
        """Ask for a manifest."""
        title = _("Choose a manifest")
        path = qt.QFileDialog.getOpenFileName(self.widget.parent, title, "", _("Manifests") + " (*.csv *.tsv)")
        if path:
            self.ui.batchInputEdit.currentPath = path

    def onRun(self):
        """Start the batch, or cancel it."""
        if self.widget.runs.isIdle:
            self.widget.runs.startBatch()
        else:
            self.widget.runs.cancel()

    def update(self, _result, _state):
        self.showPaths()

    def enable(self, idle):
        ready = bool(self.parameters and self.parameters.batchInput and self.parameters.batchOutput)
        if idle:
            self.ui.runBatchButton.text = _("Analyze all")
            self.ui.runBatchButton.toolTip = _("Choose a folder or manifest and a folder for the results.")
        self._enableDicom(idle)
        if idle or not self.widget.runs.isBatch:
            self.ui.runBatchButton.enabled = idle and ready

    def _enableDicom(self, idle):
        """Results are filed with a study, which only DICOM scans have."""
        isDicom = holds_dicom(self.parameters.batchInput if self.parameters else "")
        self.ui.batchDicomCheckBox.enabled = idle and isDicom
        self.ui.batchDicomCheckBox.toolTip = (
            _("Write report, pictures and page as DICOM too, with the patient's name and numbers.")
            if isDicom
            else _("Only for DICOM scans: choose a folder or manifest of DICOM files.")
        )
