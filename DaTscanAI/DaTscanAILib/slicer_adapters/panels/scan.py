"""Section 1: which scan, and whether its header is right."""

import qt
import slicer
from slicer.i18n import tr as _

from .panel import Panel


class ScanPanel(Panel):
    """Load a scan, show its geometry, correct its header."""

    def connect(self):
        self.ui.loadScanButton.connect("clicked()", self.onLoadScan)
        self.ui.loadSampleButton.connect("clicked()", self.onLoadSample)
        self.ui.loadNormalSampleButton.connect("clicked()", self.onLoadNormalSample)
        self.ui.flipSuperiorButton.connect("clicked()", self.onFlipSuperior)
        self.ui.flipLeftButton.connect("clicked()", self.onFlipLeft)
        self.ui.flipFrontButton.connect("clicked()", self.onFlipFront)

    def onLoadScan(self):
        """Ask for a file and load it."""
        filters = (
            _("Scans") + " (*.dcm *.ima *.nii *.nii.gz *.nrrd *.nhdr *.mha *.mhd *.hdr);;" + _("All files") + " (*)"
        )
        path = qt.QFileDialog.getOpenFileName(self.widget.parent, _("Load a scan"), "", filters)
        if path:
            self._load(lambda: self.widget.logic.loadScan(path))

    def onLoadSample(self):
        """Load the bundled scan with reduced uptake."""
        self._load(lambda: self.widget.logic.loadSample("reduced"))

    def onLoadNormalSample(self):
        """Load the bundled scan with normal uptake."""
        self._load(lambda: self.widget.logic.loadSample("normal"))

    def _load(self, load):
        with self.widget.errorsSaid(_("The scan could not be loaded.")):
            volume = load()
            self.parameters.inputVolume = volume
            slicer.util.setSliceViewerLayers(background=volume, foreground=None, fit=True)
            self.widget.say(_("Loaded {name}. Press Analyze.").format(name=volume.GetName()))

    def onFlipSuperior(self):
        """Exchange head and foot."""
        self._flip("S")

    def onFlipLeft(self):
        """Exchange left and right."""
        self._flip("R")

    def onFlipFront(self):
        """Exchange front and back."""
        self._flip("A")

    def _flip(self, axis):
        self.widget.logic.flip(self.volume, axis)
        slicer.util.setSliceViewerLayers(background=self.volume, foreground=None, fit=True)
        self.widget.refresh()
        self.widget.say(_("The header was corrected: analyze again."))

    def update(self, _result):
        from ..volumes import describe_geometry

        has_image = self.volume is not None and self.volume.GetImageData() is not None
        self.ui.geometryLabel.text = describe_geometry(self.volume) if has_image else _("no scan is selected")

    def enable(self, idle):
        for button in (self.ui.loadScanButton, self.ui.loadSampleButton, self.ui.loadNormalSampleButton):
            button.enabled = idle
        for button in (self.ui.flipSuperiorButton, self.ui.flipLeftButton, self.ui.flipFrontButton):
            button.enabled = idle and self.volume is not None
