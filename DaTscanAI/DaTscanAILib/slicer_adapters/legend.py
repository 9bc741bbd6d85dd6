"""The legend of the relevance, beside the brain in the slice views: what its colors argue for, in words."""

import textwrap

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..reporting.colors import look_up
from .case import is_derived
from .rendering import signed_table
from .shared_nodes import set_colors, shared_color_table

_SWATCHES = 7  # an odd number: the middle one stands for zero
# Of the view. The letters are as large as both allow: the width for the words, the height for their lines.
_WIDTH, _HEIGHT = 0.17, 0.44
_HIDDEN = (64, 64, 64, 255)  # a color that the map does not show now
_LINE = 21  # letters


def show_legend(relevance, threshold: float, signs: str, reference: str = "") -> None:
    """Show the legend wherever the relevance is shown.

    Words stand at its ends, which Slicer's legend allows for named colors only: so it has a table of few colors, and
    a display node of its own that holds it.

    Args:
        threshold: part of the limit below which nothing is colored.
        signs: "both", "positive" or "negative".
        reference: what the relevance compares the scan with; empty if that is not known.
    """
    table = shared_color_table("legend colors", _SWATCHES)
    set_colors(table, _colors(threshold, signs), _names())
    legend = _legend_node(relevance)
    primary = _primary_display_node(relevance, legend)
    primary.SetAndObserveColorNodeID(table.GetID())
    title = _("Relevance, compared with {reference}").format(reference=reference) if reference else _("Relevance")
    legend.SetTitleText("\n".join(textwrap.wrap(title, _LINE)))
    legend.SetUseColorNamesForLabels(True)
    legend.SetLabelFormat("%s")
    legend.SetSize(_WIDTH, _HEIGHT)
    legend.SetPosition(0.99, 0.03)
    for text in (legend.GetTitleTextProperty(), legend.GetLabelTextProperty()):
        text.SetFontFamilyToArial()
        text.BoldOff()
        text.ItalicOff()
    legend.SetVisibility(True)
    legend.Modified()  # the slice views look at which volumes they hold only when the legend itself changes


def hide_legends() -> None:
    """No map is shown: no legend either."""
    for legend in _own_legends():
        legend.SetVisibility(False)


def update_legends() -> None:
    """Let the slice views look again at which volumes they hold: others may have changed that."""
    for legend in _own_legends():
        legend.Modified()


def _own_legends():
    """The legends of this module's maps, no one else's."""
    legends = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    return [legend for legend in legends if legend.GetDisplayableNode() and is_derived(legend.GetDisplayableNode())]


def _names():
    """From the lowest color to the highest; two lines at each end, so that the letters can be large enough."""
    names = [" "] * _SWATCHES
    names[:2] = [_("for normal"), "-1  " + _("argues")]
    names[_SWATCHES // 2] = "0"
    names[-2:] = [_("for reduced"), "+1  " + _("argues")]
    return names


def _colors(threshold, signs):
    """`(n, 4)` uint8, opaque."""
    centers = np.linspace(-1, 1, _SWATCHES)
    colors = look_up(centers, signed_table(threshold, signs), -1.0, 1.0)
    colors[colors[:, 3] == 0] = _HIDDEN
    colors[:, 3] = 255
    return colors


def _legend_node(relevance):
    """The volume's legend, made if needed; Slicer's own search would miss one that has colors of its own."""
    nodes = [relevance.GetNthDisplayNode(index) for index in range(relevance.GetNumberOfDisplayNodes())]
    found = [node for node in nodes if node is not None and node.IsA("vtkMRMLColorLegendDisplayNode")]
    return found[0] if found else slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(relevance)


def _primary_display_node(relevance, legend):
    """The display node that holds the legend's colors; the slice views take the volume's first one."""
    node = legend.GetPrimaryDisplayNode()
    if node is None or node is relevance.GetDisplayNode():
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
        node.AutoWindowLevelOff()
        node.SetWindowLevelMinMax(-1.0, 1.0)
        relevance.AddAndObserveDisplayNodeID(node.GetID())
        legend.SetAndObservePrimaryDisplayNode(node)
    return node
