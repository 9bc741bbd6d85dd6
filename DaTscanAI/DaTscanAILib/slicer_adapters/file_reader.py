"""What is dropped on Slicer and is a reconstructed SPECT is read with its own geometry."""

import vtk
from slicer.i18n import tr as _


class DaTscanAIFileReader:
    """Reads a nuclear-medicine reconstruction that is dropped on Slicer, in place of the module DICOM."""

    def __init__(self, parent):
        self.parent = parent

    def description(self):
        """As the list of readers shows it."""
        return _("DaTscan SPECT")

    def fileType(self):
        """Name of the type, for `slicer.util.loadNodeFromFile`."""
        return "DaTscanSPECT"

    def extensions(self):
        """Of DICOM files, which may have none."""
        return [f"{self.description()} (*.dcm)", f"{self.description()} (*.ima)", f"{self.description()} (*)"]

    def canLoadFileConfidence(self, filePath):
        """More than the module DICOM has (0.6) for what is a reconstructed SPECT, nothing for other files."""
        from DaTscanAILib.slicer_adapters.volumes import is_spect

        return 0.9 if is_spect(filePath) else 0.0

    def load(self, properties):
        """Load into a new volume node; gives whether that went well."""
        # The reader outlives a reload of the module and of the library, and must know the error that is raised now.
        from DaTscanAILib.base.errors import DaTscanError
        from DaTscanAILib.slicer_adapters.volumes import load_scan, show_loaded

        try:
            node = load_scan(properties["fileName"], properties.get("name"))
        except DaTscanError as error:
            self.parent.userMessages().AddMessage(vtk.vtkCommand.ErrorEvent, str(error))
            return False
        if properties.get("show", True):
            show_loaded(node)
        self.parent.loadedNodes = [node.GetID()]
        return True
