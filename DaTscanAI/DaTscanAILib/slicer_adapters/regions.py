"""The regions of the hottest voxels, and the hottest voxels of a scan in them, as a segmentation."""

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from ..mni.atlas import GRID_AFFINE, SIDES, VOXEL_VOLUME_ML, load_atlas
from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML, hottest_voxels_mask
from ..reporting.unknown_sides import sides_are_unknown
from .case import REGIONS, SCAN, Case
from .volumes import voxels_of

# Neither the orange nor the blue of the relevance.
_COLORS = {"caudate": (0.30, 0.85, 0.39), "putamen": (0.86, 0.36, 0.86), "reference": (0.62, 0.62, 0.62)}


def show_regions(case: Case, visible: bool, volumes_ml: dict[str, float] | None = None) -> None:
    """Show or hide the regions of a case in the slices.

    Args:
        volumes_ml: volume of the hottest voxels by nucleus; None for the default.
    """
    node, scan = case.get(REGIONS), case.get(SCAN)
    if visible and scan:
        node = case.put_new(REGIONS, "vtkMRMLSegmentationNode", "regions")
        _fill(node, scan, volumes_ml or HOTTEST_VOLUME_ML, not sides_are_unknown(case.result or {}))
        case.group()
    if node:
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetVisibility(visible)


def _fill(node, scan, volumes_ml, sides_known):
    """Make all segments anew: they follow the scan."""
    modified = node.StartModify()
    node.GetSegmentation().RemoveAllSegments()
    node.SetReferenceImageGeometryParameterFromVolumeNode(scan)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    for identifier, name, color, mask, filled in _masks(voxels_of(scan), volumes_ml, sides_known):
        node.GetSegmentation().AddSegment(segment(name, color, mask), identifier)
        display.SetSegmentVisibility2DFill(identifier, filled)
        display.SetSegmentVisibility3D(identifier, False)
    display.SetOpacity2DFill(0.5)
    node.EndModify(modified)


def segment(name, color, mask):
    """A segment of a mask `(x, y, z)` on the MNI grid."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*mask.shape)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(image.GetPointData().GetScalars())[:] = mask.ravel(order="F")
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(np.array(GRID_AFFINE)))
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetColor(*color)
    segment.AddRepresentation(
        slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName(), image
    )
    return segment


def _masks(voxels, volumes_ml, sides_known):
    """Identifier, name, color, mask `(x, y, z)` and whether it is filled, of each segment."""
    atlas = load_atlas()
    names = (_("left"), _("right")) if sides_known else (_("one side"), _("other side"))
    sides = dict(zip(("left", "right"), names, strict=True))
    nuclei = {"caudate": _("Caudate"), "putamen": _("Putamen")}
    for nucleus, title in nuclei.items():
        for side in SIDES:
            region = atlas.hottest_voxels_region(nucleus, side)
            names = {"nucleus": title, "side": sides[side]}
            name = _("{nucleus} region, {side}").format(**names)
            yield f"{nucleus}_{side}_region", name, _COLORS[nucleus], region, False
            volume = min(volumes_ml[nucleus], region.sum() * VOXEL_VOLUME_ML)
            hottest = hottest_voxels_mask(voxels, region, volume)
            name = _("{nucleus}, hottest voxels, {side}").format(**names)
            yield f"{nucleus}_{side}_hottest", name, _COLORS[nucleus], hottest, True
    yield "reference", _("Reference region"), _COLORS["reference"], atlas.reference, False
