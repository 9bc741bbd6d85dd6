"""The fingerprint of acquisition and reconstruction: what a header states of them, and what the scan itself shows.

SBRs of different cameras, corrections and filters differ by more than patients do, so values may only be set beside
normals of the same fingerprint. Headers of converted files state little: voxel size, smoothness and how far the
middle of the brain is darker than its rim (the mark of a missing attenuation correction) are always there.
"""

from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache

import numpy as np

from ..mni.atlas import GRID_AFFINE, GRID_SPACING, SIDES, Atlas, load_atlas
from ..mni.geometry import voxel_spacing
from ..reading.scan import Scan
from .smoothness import measure_smoothness

# DICOM's terms for the corrections on which SBRs depend.
_CORRECTIONS = ("ATTN", "SCAT")
_STATED = ("manufacturer", "model", "collimator", "reconstruction", "filter")
# Depths below the brain's surface in mm of the rim and of the middle, and how far from striata and skull base.
_RIM, _MIDDLE = (10.0, 20.0), 34.0
_CLEAR_OF_STRIATA, _ABOVE = 8.0, -30.0


@dataclass(frozen=True)
class Fingerprint:
    """Of one scan.

    Attributes:
        stated: what the header says, by name; unknown entries are missing.
        corrections: of attenuation and scatter, DICOM's terms, joined by "+" ("none" if the header lists others
            only); None if the header lists none at all.
        matrix: voxels from right to left and from back to front.
        voxel_mm: edges of a voxel to the right, to the front, up.
        smoothness_mm: of `measure_smoothness`.
        middle_to_rim: natural logarithm of the mean uptake deep in the brain over that near its surface, striata
            left out: about -0.1 without attenuation correction, 0 with it.
        contrast: mean SBR of both striata, which limits how well the smoothness can be measured.
    """

    stated: dict[str, str] = field(default_factory=dict)
    corrections: str | None = None
    matrix: tuple[int, int] = (0, 0)
    voxel_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    smoothness_mm: float = 0.0
    middle_to_rim: float = 0.0
    contrast: float = 0.0

    def to_json(self) -> dict:
        """The fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict) -> "Fingerprint":
        """Of what `to_json` gave; fields of later versions are passed over."""
        known = {entry.name for entry in fields(cls)}
        values = {key: value for key, value in content.items() if key in known}
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def fingerprint_of(scan: Scan, normalized: np.ndarray, atlas: Atlas | None = None) -> Fingerprint:
    """The fingerprint of a scan.

    Args:
        scan: as read.
        normalized: the same scan in MNI space `(91, 109, 91)`, reference level 1.
        atlas: the shipped one by default.
    """
    atlas = atlas or load_atlas()
    axes = np.argmax(np.abs(scan.affine[:3, :3] / voxel_spacing(scan.affine)), axis=1)
    spacing = voxel_spacing(scan.affine)[axes]
    return Fingerprint(
        stated={name: text for name in _STATED if (text := getattr(scan.camera, name))},
        corrections=_corrections(scan.camera.corrections),
        matrix=tuple(int(scan.voxels.shape[axis]) for axis in axes[:2]),
        voxel_mm=tuple(round(float(edge), 3) for edge in spacing),
        smoothness_mm=round(measure_smoothness(normalized), 2),
        middle_to_rim=round(middle_to_rim(normalized, atlas), 4),
        contrast=round(float(np.mean([normalized[mask].mean() for mask in _striata(atlas)])) - 1, 3),
    )


def middle_to_rim(normalized: np.ndarray, atlas: Atlas) -> float:
    """Natural logarithm of the mean uptake in the middle of the brain over that near its surface."""
    middle, rim = _middle_and_rim() if atlas is load_atlas() else _depths(atlas)
    return float(np.log(max(float(normalized[middle].mean()), 1e-6) / max(float(normalized[rim].mean()), 1e-6)))


@lru_cache(maxsize=1)
def _middle_and_rim():
    return _depths(load_atlas())


def _depths(atlas):
    """Two masks `(91, 109, 91)`."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(atlas.brain) * GRID_SPACING
    from_striata = distance_transform_edt((atlas.regions == 0) | atlas.reference) * GRID_SPACING
    height = GRID_AFFINE[2, 3] + GRID_SPACING * np.arange(depth.shape[2])
    used = atlas.reference & (from_striata > _CLEAR_OF_STRIATA) & (height > _ABOVE)
    return used & (depth >= _MIDDLE), used & (depth >= _RIM[0]) & (depth < _RIM[1])


def _striata(atlas):
    return [atlas.anatomical_region("striatum", side) for side in SIDES]


def _corrections(terms):
    if not terms:
        return None
    return "+".join(term for term in _CORRECTIONS if term in terms) or "none"
