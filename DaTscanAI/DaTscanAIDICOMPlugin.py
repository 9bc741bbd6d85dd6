"""DICOM plugin: offers reconstructed SPECT with the geometry that nuclear medicine states, and refuses the rest.

Slicer's own plugins take multi-frame nuclear medicine as axial slices and lose the sign of Spacing Between Slices.
"""

import logging

import slicer
from DICOMLib import DICOMLoadable, DICOMPlugin
from slicer.i18n import tr as _


class DaTscanAIDICOMPluginClass(DICOMPlugin):
    """Reads nuclear-medicine reconstructions with the core's reader."""

    def __init__(self):
        super().__init__()
        self.loadType = _("DaTscan SPECT")
        self.tags["sopClassUID"] = "0008,0016"
        self.tags["modality"] = "0008,0060"
        self.tags["seriesDescription"] = "0008,103E"
        self.tags["numberOfFrames"] = "0028,0008"

    def examineForImport(self, fileLists):
        """Loadables of all series; each multi-frame file is one, single slices of a series are one together."""
        return [loadable for files in fileLists for loadable in self.examineFiles(files)]

    def examineFiles(self, files):
        """The loadables of one series.

        What is nuclear medicine but no reconstruction is offered unselected, with the sentence that says why.
        """
        nuclear = [path for path in files if self._isNuclear(path)]
        frames = {path: self._frameCount(path) for path in nuclear}
        groups = [[path] for path in nuclear if frames[path] > 1]
        slices = [path for path in nuclear if frames[path] <= 1]
        return [self._loadable(group) for group in [*groups, slices] if group]

    def load(self, loadable):
        """Load into a new volume node; gives the node, or None for what cannot be used."""
        from DaTscanAILib.base.errors import DaTscanError
        from DaTscanAILib.slicer_adapters.volumes import load_files, show_loaded

        try:
            node = load_files(loadable.files, loadable.name)
        except DaTscanError as error:
            logging.error("DaTscan SPECT: %s", error)
            return None
        self.addSeriesInSubjectHierarchy(loadable, node)
        return show_loaded(node)

    def _loadable(self, files):
        from DaTscanAILib.slicer_adapters.volumes import why_unusable

        loadable = DICOMLoadable()
        loadable.files = list(files)
        loadable.name = slicer.dicomDatabase.fileValue(files[0], self.tags["seriesDescription"]) or _("DaTscan SPECT")
        loadable.tooltip = _("Reconstructed SPECT with its own geometry, for DaTscan AI")
        loadable.warning = why_unusable(files) or ""
        loadable.selected = not loadable.warning
        # Slicer's scalar volume plugin has 0.5.
        loadable.confidence = 0.2 if loadable.warning else 0.9
        return loadable

    def _isNuclear(self, path):
        return slicer.dicomDatabase.fileValue(path, self.tags["modality"]) in ("NM", "ST")

    def _frameCount(self, path):
        count = slicer.dicomDatabase.fileValue(path, self.tags["numberOfFrames"])
        return int(count) if count.isdecimal() else 1


class DaTscanAIDICOMPlugin:
    """The hook by which Slicer finds the plugin as a scripted module."""

    def __init__(self, parent):
        parent.title = "DaTscan SPECT DICOM Plugin"
        parent.categories = ["Developer Tools.DICOM Plugins"]
        parent.contributors = ["DaTscanAI developers"]
        parent.helpText = "Plugin to the DICOM module that loads reconstructed SPECT for DaTscan AI."
        parent.acknowledgementText = ""
        parent.hidden = True
        # The module DICOM may be found later than this one.
        if not hasattr(slicer.modules, "dicomPlugins"):
            slicer.modules.dicomPlugins = {}
        slicer.modules.dicomPlugins["DaTscanAIDICOMPlugin"] = DaTscanAIDICOMPluginClass
