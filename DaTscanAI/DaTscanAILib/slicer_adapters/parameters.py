"""What the panel remembers, saved with the scene."""

import enum
from typing import Annotated

import slicer
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

MODULE = "DaTscanAI"


class Device(enum.Enum):
    """Where the networks run."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"

    def label(self):
        """As the panel shows it."""
        return {"auto": _("Auto"), "cuda": _("CUDA (graphics card)"), "cpu": _("CPU")}[self.value]


class Content(enum.Enum):
    """What the slice views show."""

    RELEVANCE = "relevance"
    RELEVANCE_ON_SCAN = "relevance_on_scan"
    SCAN = "scan"
    SCAN_ONLY = "scan_only"
    CHANGE = "change"

    def label(self):
        """As the panel shows it."""
        return {
            "relevance": _("Relevance over the MRI template"),
            "relevance_on_scan": _("Relevance over the scan"),
            "scan": _("Scan over the MRI template"),
            "scan_only": _("Scan alone"),
            "change": _("Change since the earlier scan"),
        }[self.value]


class Signs(enum.Enum):
    """Which relevance is colored."""

    BOTH = "both"
    POSITIVE = "positive"
    NEGATIVE = "negative"

    def label(self):
        """As the panel shows it."""
        return {
            "both": _("Both signs"),
            "positive": _("Positive: argues for reduced"),
            "negative": _("Negative: argues for normal"),
        }[self.value]


class Map(enum.Enum):
    """How the map that explains the answer is made; the values are those of `explanation.methods`."""

    INTEGRATED_GRADIENTS = "integrated-gradients"
    LRP = "lrp"

    def label(self):
        """As the panel shows it."""
        return {
            "integrated-gradients": _("Integrated gradients"),
            "lrp": _("LRP (layer-wise relevance propagation)"),
        }[self.value]


class Comparison(enum.Enum):
    """How scan and FP-CIT template are compared, if they are."""

    NONE = "none"
    FUSED = "fused"
    CHECKERBOARD = "checkerboard"
    SIDE_BY_SIDE = "side_by_side"

    def label(self):
        """As the panel shows it."""
        return {
            "none": _("Off: the result"),
            "fused": _("Fused: scan over the template"),
            "checkerboard": _("Checkerboard of both"),
            "side_by_side": _("Side by side: scan above, template below"),
        }[self.value]


@parameterNodeWrapper
class DaTscanAIParameterNode:
    """The panel's parameters.

    inputVolume - the scan.
    priorVolume - an earlier scan of the same patient.
    priorYears - between both; 0 where not known.
    model - name of a shipped model or a model folder; empty for the default.
    secondReader - folder of another model that reads every scan too; empty for none.
    normals - database to set the scans beside, its file or folder; empty for the one of the application settings.
    reportLanguage - of the PDF report, "en" or "de"; empty for the one of the application settings.
    device - where the networks run.
    mapMethod - how the map that explains the answer is made.
    comparison - how the registration is shown; none where the views show the result.
    caudateVolume, putamenVolume, striatumVolume - ml of the hottest voxels.
    referencePercentile - of the reference region, to which the scan is scaled.
    showRegions - outlines of the regions in the slices.
    content - what the slices show.
    threshold - part of the relevance limit below which nothing is colored.
    opacity - of the relevance.
    signs - which relevance is colored.
    showInSlices, showIn3D - where the relevance is shown.
    batchInput, batchOutput - folder or manifest, and folder of the results.
    batchReport - write a PDF report for each scan.
    batchDicom - write DICOM results of each scan, which keep the patient's name and numbers.
    batchResume - keep the cases that a former run has finished.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    priorVolume: vtkMRMLScalarVolumeNode
    priorYears: Annotated[float, WithinRange(0, 40)] = 0.0
    model: str = ""
    secondReader: str = ""
    normals: str = ""
    reportLanguage: str = ""
    device: Device = Device.AUTO
    mapMethod: Map = Map.INTEGRATED_GRADIENTS
    comparison: Comparison = Comparison.NONE
    caudateVolume: Annotated[float, WithinRange(0.5, 20)] = 5.0
    putamenVolume: Annotated[float, WithinRange(0.5, 30)] = 10.0
    striatumVolume: Annotated[float, WithinRange(0.5, 40)] = 15.0
    referencePercentile: Annotated[float, WithinRange(5, 95)] = 75.0
    showRegions: bool = False
    content: Content = Content.RELEVANCE
    threshold: Annotated[float, WithinRange(0, 0.9)] = 0.1
    opacity: Annotated[float, WithinRange(0, 1)] = 0.7
    signs: Signs = Signs.BOTH
    showInSlices: bool = True
    showIn3D: bool = True
    batchInput: str = ""
    batchOutput: str = ""
    batchReport: bool = True
    batchDicom: bool = False
    batchResume: bool = False


def select_scan(volume) -> None:
    """Let the panel have a volume selected, whether or not it is open; without a parameter node it is not."""
    node = slicer.mrmlScene.GetSingletonNode(MODULE, "vtkMRMLScriptedModuleNode")
    if node is not None:
        node.SetNodeReferenceID("inputVolume", volume.GetID() if volume else None)
