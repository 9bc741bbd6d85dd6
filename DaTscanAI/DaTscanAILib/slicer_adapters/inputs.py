"""What a stage's result depends on, as numbers and texts that can be compared and saved: fingerprints of nodes."""

import hashlib
from dataclasses import asdict

import numpy as np
import slicer

from ..base.errors import DaTscanError
from ..explanation.methods import DEFAULT_METHOD
from .case import TRANSFORM, Case, scanner_from_mni
from .state import ScanState, state_of
from .volumes import affine_of, world_from_local

_DIGITS = 6
_MOST_DIGESTS = 16
_digests: dict[int, str] = {}  # by the time of the last modification


def scan_inputs(volume, case: Case | None) -> dict:
    """Fingerprints of a volume's voxels and header, and of the transform that takes it to MNI.

    Args:
        volume: the input volume.
        case: what is known of it, or None.
    """
    transform = case.get(TRANSFORM) if case else None
    return {
        "voxels": _voxels(volume),
        "header": _header(volume, transform),
        "transform": transform_input(scanner_from_mni(transform)) if _is_linear(transform) else None,
    }


def state_for(volume, choices: dict | None = None) -> ScanState:
    """What is known of a volume, and whether it still belongs to the volume as it is.

    Args:
        choices: as `chosen_inputs` gives them; None compares the scan alone.
    """
    case = Case.of(volume)
    if case is None:
        return ScanState()
    return state_of(case.records, {**scan_inputs(volume, case), **(choices or {})})


def transform_input(matrix: np.ndarray) -> list:
    """A scanner-from-MNI matrix as it is compared."""
    return np.round(matrix, _DIGITS).tolist()


def chosen_inputs(
    method=None,
    model: str | None = None,
    normals: str | None = None,
    second_reader: str | None = None,
    map_method: str = DEFAULT_METHOD,
):
    """What was chosen for an analysis as it is compared, by the names of `state.CHOICES`; None for the defaults."""
    from ..quantification.other_method import Method

    return {
        "method": asdict(method or Method()),
        "model": _model(model),
        "normals": None if normals is None else _normals(normals),
        "second_reader": None if second_reader is None else _model(second_reader),
        "map": map_method,
    }


def _model(name):
    """Name and checksums of the weights; the name alone where it cannot be read."""
    from ..classification.model_folder import find_model

    try:
        model = find_model(name)
    except DaTscanError:
        return [str(name)]
    return [model.name, *(digest for _, digest in model.weights)]


def _normals(site):
    """Name and content; the name alone where it cannot be read."""
    from ..quantification.normals import normals_text, read_normals

    try:
        database = read_normals(site)
    except DaTscanError:
        return [str(site)]
    return [database.name, hashlib.blake2b(normals_text(database).encode(), digest_size=16).hexdigest()]


def _is_linear(transform):
    return transform is not None and transform.IsLinear()


def _voxels(volume):
    image = volume.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        return None
    # VTK counts all modifications of all objects on one clock, so the time alone tells one content from another.
    modified = max(image.GetMTime(), image.GetPointData().GetScalars().GetMTime())
    if modified not in _digests:
        while len(_digests) >= _MOST_DIGESTS:
            _digests.pop(next(iter(_digests)))
        _digests[modified] = _digest(slicer.util.arrayFromVolume(volume))
    return _digests[modified]


def _digest(voxels):
    digest = hashlib.blake2b(repr([voxels.shape, str(voxels.dtype)]).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(voxels))
    return digest.hexdigest()


def _header(volume, transform):
    try:
        return np.round(world_from_local(volume, transform) @ affine_of(volume), _DIGITS).tolist()
    except DaTscanError:  # warped
        parent = volume.GetParentTransformNode()
        return f"warped by {parent.GetID()} of {parent.GetTransformToWorldMTime()}"
