"""The nodes of one analyzed scan, tied together so that a saved scene brings them all back."""

import json

import numpy as np
import slicer

from ..base.errors import DaTscanError
from .state import STAGES
from .volumes import TRANSFORM_ATTRIBUTE, add_volume, set_voxels

# Roles of the nodes that the result node refers to.
INPUT, TRANSFORM, SCAN, RELEVANCE, RENDERING = "Input", "Transform", "Scan", "Relevance", "Rendering"
TABLE, GRADES, REGIONS, CHECKERBOARD = "Table", "Grades", "Regions", "Checkerboard"
OTHER_RELEVANCE = "OtherRelevance"  # of the map that is not shown
# Of the comparison with an earlier scan of the patient: that scan, which is not the case's own, and what was found.
PRIOR, COMPARED, CHANGE, CHANGE_TABLE = "Prior", "Compared", "Change", "ChangeTable"
_OF_ANALYSIS = (TRANSFORM, SCAN, RELEVANCE, OTHER_RELEVANCE, RENDERING, TABLE, GRADES, REGIONS, CHECKERBOARD)
_ROLES = (*_OF_ANALYSIS, COMPARED, CHANGE, CHANGE_TABLE)

_CASE_ATTRIBUTE = "DaTscanAI.Case"
_RECORDS_ATTRIBUTE = "DaTscanAI.Stages"  # JSON: what each stage's result was made from
SHARED_ATTRIBUTE = "DaTscanAI.Shared"  # role of the nodes that all cases of a scene share
DERIVED_ATTRIBUTE = "DaTscanAI.Derived"  # marks the volumes that are made of a scan


class Case:
    """All that is known of one scan: a text node with the content of `result.json`, which refers to the others.

    Attributes:
        node: the text node.
    """

    def __init__(self, node):
        self.node = node

    @classmethod
    def of(cls, input_volume, create: bool = False) -> "Case | None":
        """The case of an input volume; None if it has none and none is to be created."""
        for case in cls.all() if input_volume else ():
            if case.get(INPUT) is input_volume:
                return case
        return cls._new(input_volume) if create else None

    @classmethod
    def all(cls) -> "list[Case]":
        """The cases of the scene."""
        nodes = slicer.util.getNodesByClass("vtkMRMLTextNode")
        return [cls(node) for node in nodes if node.GetAttribute(_CASE_ATTRIBUTE)]

    @classmethod
    def _new(cls, input_volume):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", f"{input_volume.GetName()} result")
        node.SetAttribute(_CASE_ATTRIBUTE, "1")
        case = cls(node)
        case.set(INPUT, input_volume)
        return case

    @property
    def name(self) -> str:
        """Name of the scan."""
        return self.get(INPUT).GetName() if self.get(INPUT) else self.node.GetName()

    @property
    def result(self) -> dict | None:
        """Content of `result.json`; None before the first analysis."""
        text = self.node.GetText()
        return json.loads(text) if text else None

    @property
    def records(self) -> dict[str, dict]:
        """What each stage that has run was made from: `{stage: {"inputs": ..., "warnings": ..., "error": ...}}`.

        Scenes of older versions have no records; then the inputs of all that the result holds are None.
        """
        text = self.node.GetAttribute(_RECORDS_ATTRIBUTE)
        if text:
            return json.loads(text)
        result = self.result or {}
        return {stage: {"inputs": None} for stage in STAGES if has_section(result, stage)}

    def put_result(self, result: dict, records: dict[str, dict]) -> None:
        """Keep a result and what its stages were made from, as one change."""
        from ..reporting.result_files import result_text

        modified = self.node.StartModify()
        self.node.SetText(result_text(result))
        self.node.SetAttribute(_RECORDS_ATTRIBUTE, json.dumps(records))
        self.node.EndModify(modified)

    def get(self, role: str):
        """The node in a role, or None."""
        return self.node.GetNodeReference(role)

    def set(self, role: str, node) -> None:
        """Give a node (or None) a role."""
        self.node.SetNodeReferenceID(role, node.GetID() if node else None)

    def put_volume(self, role: str, voxels: np.ndarray | None, affine: np.ndarray, suffix: str):
        """Write voxels into the role's volume, which is made if needed; None removes it. Gives the node."""
        node = self.get(role)
        if voxels is None:
            if node:
                slicer.mrmlScene.RemoveNode(node)
            return None
        if node is None:
            node = add_volume(f"{self.name} {suffix}", voxels, affine)
            node.SetAttribute(DERIVED_ATTRIBUTE, role)
            self.set(role, node)
        else:
            set_voxels(node, voxels)
        return node

    def put_new(self, role: str, class_name: str, suffix: str):
        """The role's node, made if needed."""
        node = self.get(role)
        if node is None:
            node = slicer.mrmlScene.AddNewNodeByClass(class_name, f"{self.name} {suffix}")
            self.set(role, node)
        return node

    def put_registration(self, registration: dict) -> None:
        """Write the automatic registration of a result into the case's transform: scanner RAS to MNI RAS."""
        node = self.put_new(TRANSFORM, "vtkMRMLLinearTransformNode", "to MNI")
        if not registration["manual"]:
            node.SetAttribute(TRANSFORM_ATTRIBUTE, json.dumps(registration))
        set_scanner_from_mni(node, np.array(registration["scanner_from_mni_ras"]))

    def remove(self) -> None:
        """Take the case with all its nodes out of the scene."""
        nodes = [node for node in (*(self.get(role) for role in _ROLES), self.node) if node]
        rendering = self.get(RENDERING)
        display = slicer.modules.volumerendering.logic().GetFirstVolumeRenderingDisplayNode(rendering)
        nodes += [display.GetVolumePropertyNode()] if display and display.GetVolumePropertyNode() else []
        nodes += [display for node in nodes for display in _display_nodes(node)]
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item = hierarchy.GetItemByDataNode(self.node) if hierarchy else 0
        folder = hierarchy.GetItemParent(item) if item else 0
        for node in nodes:
            slicer.mrmlScene.RemoveNode(node)
        if folder and folder != hierarchy.GetSceneItemID() and not hierarchy.GetNumberOfItemChildren(folder):
            hierarchy.RemoveItem(folder)

    def group(self) -> None:
        """Gather the case's nodes in a folder of the subject hierarchy."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        if hierarchy is None:
            return
        name = f"{self.name} DaTscan AI"
        root = hierarchy.GetSceneItemID()
        folder = hierarchy.GetItemChildWithName(root, name) or hierarchy.CreateFolderItem(root, name)
        for node in (self.node, *(self.get(role) for role in _ROLES)):
            item = hierarchy.GetItemByDataNode(node) if node else 0
            if item:
                hierarchy.SetItemParent(item, folder)


def _display_nodes(node):
    if not node.IsA("vtkMRMLDisplayableNode"):
        return []
    displays = [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    return [display for display in displays if display is not None]


def remove_orphans() -> None:
    """Remove the cases whose scans have gone."""
    for case in Case.all():
        if case.get(INPUT) is None:
            case.remove()


def has_section(result: dict, stage: str) -> bool:
    """Whether a result holds what a stage has found."""
    section = result.get(stage)
    return bool(section) and (stage != "classification" or section.get("label") is not None)


def set_scanner_from_mni(transform_node, matrix: np.ndarray) -> None:
    """Let a transform node take the scan to MNI, given the core's opposite matrix."""
    slicer.util.updateTransformMatrixFromArray(transform_node, np.linalg.inv(matrix))


def scanner_from_mni(transform_node) -> np.ndarray:
    """The core's matrix of a transform node that takes the scan to MNI.

    Raises:
        DaTscanError: the transform is not linear.
    """
    if not transform_node.IsLinear():
        raise DaTscanError(f"{transform_node.GetName()} is not a linear transform: select another.")
    return np.linalg.inv(slicer.util.arrayFromTransformMatrix(transform_node))


def registration_of(transform_node):
    """What a transform node stands for: the automatic registration, or the affine (4x4) that somebody has given.

    Raises:
        DaTscanError: the transform cannot be used.
    """
    from ..registration.affine import Registration, checked_affine

    if is_by_hand(transform_node):
        return checked_affine(scanner_from_mni(transform_node))
    automatic = automatic_registration(transform_node)
    kept = ("quality", "accepted", "features", "flipped", "turned", "sides_known", "looks_like", "reason")
    known = {key: automatic[key] for key in kept if key in automatic}
    return Registration(np.array(automatic["scanner_from_mni_ras"]), **known)


def is_by_hand(transform_node) -> bool:
    """Whether somebody has made or moved a transform; the automatic registration stays one as long as nobody has."""
    automatic = automatic_registration(transform_node)
    matrix = scanner_from_mni(transform_node)
    return automatic is None or not np.allclose(matrix, automatic["scanner_from_mni_ras"], atol=1e-4)


def automatic_registration(transform_node) -> dict | None:
    """What the registration wrote into a transform node; None for a node of another origin."""
    text = transform_node.GetAttribute(TRANSFORM_ATTRIBUTE) if transform_node else None
    return json.loads(text) if text else None


def automatic_matrix(transform_node) -> np.ndarray | None:
    """The automatic registration's scanner-from-MNI matrix where one was accepted, whatever the node holds now."""
    automatic = automatic_registration(transform_node)
    return np.array(automatic["scanner_from_mni_ras"]) if automatic and automatic["accepted"] else None


def is_derived(volume) -> bool:
    """Whether a volume is one of the module's own: a result or a template."""
    return bool(volume.GetAttribute(DERIVED_ATTRIBUTE) or volume.GetAttribute(SHARED_ATTRIBUTE))
