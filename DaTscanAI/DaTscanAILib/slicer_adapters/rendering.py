"""The relevance in 3D: one RGBA volume, its colors baked over the template's gray, and how it is rendered.

Two ray-cast volumes would be painted one over the other without depth, and the multi-volume ray caster loses colors.
"""

from functools import lru_cache

import numpy as np
import slicer

from ..mni.atlas import load_mri
from ..mni.geometry import resample
from ..reporting.colors import look_up, relevance_table
from .volumes import add_volume, set_voxels

# Opacities of 255 for each mm of depth: the brain like glass, denser at its surface, clear enough inside for the
# striatum to show through.
_SURFACE_ALPHA, _INSIDE_ALPHA = 16.0, 1.0
_RELEVANCE_ALPHA = 180.0


def bake(relevance: np.ndarray, affine: np.ndarray, threshold: float, opacity: float, signs: str) -> np.ndarray:
    """Colors and opacities on the grid of the MRI template.

    Args:
        relevance: `(x, y, z)`, -1 to 1.
        affine: of its voxels, 4x4.
        threshold: part of the limit below which nothing is colored.
        opacity: 0 to 1, of the strongest relevance.
        signs: "both", "positive" or "negative".

    Returns:
        uint8 `(181, 217, 181, 4)`.
    """
    rgba = _brain().copy()
    mri_affine = load_mri()[1]
    box = _visible_box(relevance, affine, threshold, mri_affine, rgba.shape)
    if box is None:
        return rgba
    start = np.eye(4)
    start[:3, 3] = [part.start for part in box]
    values = resample(relevance, np.linalg.inv(affine) @ mri_affine @ start, [part.stop - part.start for part in box])
    table = signed_table(threshold, signs)
    colors = look_up(values, table, -1.0, 1.0)
    visible = colors[..., 3] > 0
    colors[..., 3] = np.maximum(_RELEVANCE_ALPHA * opacity * (colors[..., 3] / 255.0), 1)
    rgba[box][visible] = colors[visible]
    return rgba


def signed_table(threshold: float, signs: str) -> np.ndarray:
    """The table of relevance colors with one sign left out; `(256, 4)` uint8."""
    table = relevance_table(threshold)
    if signs == "positive":
        table[:128, 3] = 0
    elif signs == "negative":
        table[128:, 3] = 0
    return table


@lru_cache(maxsize=1)
def _brain():
    """The template alone: gray, nearly clear, denser where its gray changes; uint8 `(181, 217, 181, 4)`."""
    from scipy.ndimage import gaussian_gradient_magnitude

    mri = load_mri()[0]
    edges = gaussian_gradient_magnitude(mri.astype(np.float32), 1.0)
    rgba = np.zeros((*mri.shape, 4), np.uint8)
    rgba[..., :3] = np.clip(mri * (255.0 / mri.max()), 0, 255).astype(np.uint8)[..., None]
    alpha = _INSIDE_ALPHA + _SURFACE_ALPHA * np.clip(edges / np.percentile(edges[mri > 0], 98), 0, 1)
    rgba[..., 3] = np.where(mri > 0, alpha, 0)
    return rgba


def _visible_box(relevance, affine, threshold, target_affine, shape):
    """Slices of the target grid around all relevance that can be visible; None without any."""
    index = np.argwhere(np.abs(relevance) >= max(threshold, 1e-6))
    if not len(index):
        return None
    ends = np.array([index.min(axis=0) - 1, index.max(axis=0) + 1])
    to_target = np.linalg.inv(target_affine) @ affine
    low, high = np.sort(ends @ to_target[:3, :3].T + to_target[:3, 3], axis=0)
    low = np.clip(np.floor(low).astype(int), 0, np.array(shape[:3]) - 1)
    high = np.clip(np.ceil(high).astype(int) + 1, low + 1, shape[:3])
    return tuple(slice(*pair) for pair in zip(low, high, strict=True))


def show_volume(node, rgba: np.ndarray, name: str):
    """Put the baked colors into a vector volume (a new one if `node` is None) and render it; gives the node."""
    if node is None:
        node = add_volume(name, rgba, load_mri()[1], "vtkMRMLVectorVolumeNode")
        node.SetVoxelVectorType(slicer.vtkMRMLVolumeNode.VoxelVectorTypeColorRGBA)
    else:
        set_voxels(node, rgba)
    display = _display_node(node)
    _set_property(display.GetVolumePropertyNode().GetVolumeProperty())
    display.SetVisibility(True)
    return node


def set_volume_visible(node, visible: bool) -> None:
    """Show or hide a rendered volume."""
    display = slicer.modules.volumerendering.logic().GetFirstVolumeRenderingDisplayNode(node)
    if display:
        display.SetVisibility(visible)


def _display_node(node):
    """The volume's rendering display node, by the application's default method.

    The logic's default nodes would start with the preset for 8-bit volumes, ultrasound, which hides what has no edge.
    """
    logic = slicer.modules.volumerendering.logic()
    display = logic.GetFirstVolumeRenderingDisplayNode(node)
    if display is None:
        display = logic.CreateVolumeRenderingDisplayNode()
        display.UnRegister(None)  # the scene owns it
        slicer.mrmlScene.AddNode(display)
        volume_property = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumePropertyNode")
        display.SetAndObserveVolumePropertyNodeID(volume_property.GetID())
        node.AddAndObserveDisplayNodeID(display.GetID())
    return display


def _set_property(volume_property):
    """Colors as they are, opacity from the fourth component, soft light."""
    volume_property.IndependentComponentsOff()
    volume_property.SetInterpolationTypeToLinear()
    volume_property.ShadeOn()
    volume_property.SetAmbient(0.35)
    volume_property.SetDiffuse(0.8)
    volume_property.SetSpecular(0.15)
    for component in (0, 3):
        opacity = volume_property.GetScalarOpacity(component)
        opacity.RemoveAllPoints()
        opacity.AddPoint(0, 0.0)
        opacity.AddPoint(255, 1.0)
