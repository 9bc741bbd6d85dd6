"""Which scan, and whether its header is right."""

import qt
import slicer
from slicer.i18n import tr as _

from ..case import is_derived
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
            self.parameters.inputVolume = load()
            self.widget.log(_("Loaded {name}.").format(name=self.volume.GetName()))

    def onFlipSuperior(self):
        """Exchange head and foot."""
        self.widget.logic.flip(self.volume, "S")

    def onFlipLeft(self):
        """Exchange left and right."""
        self.widget.logic.flip(self.volume, "R")

    def onFlipFront(self):
        """Exchange front and back."""
        self.widget.logic.flip(self.volume, "A")

    def bind(self):
        self._hideOwnVolumes()

    def update(self, _result, _state):
        from ..volumes import describe_geometry

        self._hideOwnVolumes()
        has_image = self.volume is not None and self.volume.GetImageData() is not None
        self.ui.geometryLabel.text = describe_geometry(self.volume) if has_image else _("No scan is selected.")

    def _hideOwnVolumes(self):
        offer_scans_only(self.ui.inputSelector)

    def enable(self, idle):
        for button in (self.ui.loadScanButton, self.ui.loadSampleButton, self.ui.loadNormalSampleButton):
            button.enabled = idle
        for button in (self.ui.flipSuperiorButton, self.ui.flipLeftButton, self.ui.flipFrontButton):
            button.enabled = idle and self.volume is not None


def offer_scans_only(selector) -> None:
    """Let a selector of volumes offer neither what was made of scans nor the templates."""
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    model = selector.sortFilterProxyModel()
    hidden = tuple(volume.GetID() for volume in volumes if is_derived(volume))
    if tuple(model.hiddenNodeIDs) != hidden:
        model.hiddenNodeIDs = hidden
