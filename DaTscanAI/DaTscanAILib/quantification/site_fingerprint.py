"""What the scans of one camera have in common, and whether another scan fits them."""

from dataclasses import asdict, dataclass

import numpy as np

from ..base.errors import DaTscanError
from .fingerprint import Fingerprint

# How far a scan may lie from those of the site: a share of the voxel's edge, then in mm and as a logarithm what two
# scans of one camera differ by (`Resources/Documentation/normals.md` has the figures).
_VOXEL_SHARE = 0.05
_TOLERANCE = {"smoothness_mm": 2.0, "middle_to_rim": 0.08}
# Two scans differ by more than a scan from the mean of many.
_OF_TWO = {"smoothness_mm": 2.0, "middle_to_rim": 0.12}
# Millimeters by which a scan without any striatal binding looks smoother than a normal one of its camera: OSEM has
# not converged there, and little is left to measure at.
_LOSS_SMOOTHS = 4.0
_SPREADS = 3.0  # standard deviations of the site's own scans that are tolerated at least
_NAMES = {
    "manufacturer": "camera's maker",
    "model": "camera",
    "collimator": "collimator",
    "reconstruction": "reconstruction",
    "filter": "filter",
    "corrections": "corrections",
}


@dataclass(frozen=True)
class SiteFingerprint:
    """Of many scans.

    Attributes:
        stated: values that the headers state, by name, "corrections" among them.
        matrices: that occur.
        voxel_mm: smallest and largest edge.
        smoothness_mm, middle_to_rim: lowest and highest value that fits.
        contrast: mean of the scans.
        scans: that it was made of.
    """

    stated: dict[str, list[str]]
    matrices: list[list[int]]
    voxel_mm: tuple[float, float]
    smoothness_mm: tuple[float, float]
    middle_to_rim: tuple[float, float]
    contrast: float
    scans: int

    def to_json(self) -> dict:
        """The fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict) -> "SiteFingerprint":
        """Of what `to_json` gave."""
        return cls(**{key: tuple(value) if key in _RANGES else value for key, value in content.items()})

    @property
    def names_a_camera(self) -> bool:
        """Whether headers state whose camera it was; otherwise only what is measured tells another one."""
        return "manufacturer" in self.stated or "model" in self.stated

    def misfits(self, scan: Fingerprint, whose: str = "the normals'") -> list[str]:
        """Each way in which a scan differs from the site's, in words; none for a scan that fits."""
        stated = _all_stated(scan)
        found = [
            f"its {_NAMES[name]} is {stated[name]}, {whose} {' or '.join(known)}"
            for name, known in self.stated.items()
            if name in stated and stated[name] not in known
        ]
        low, high = self.voxel_mm
        if min(scan.voxel_mm) < low * (1 - _VOXEL_SHARE) or max(scan.voxel_mm) > high * (1 + _VOXEL_SHARE):
            found.append(f"its voxels are {_edges(scan.voxel_mm)} mm, {whose} {_span(low, high)} mm")
        low, high = self.smoothness_mm
        high += _LOSS_SMOOTHS * min(max(1 - scan.contrast / self.contrast, 0.0), 1.0)
        if not low <= scan.smoothness_mm <= high:
            found.append(f"its smoothness is {scan.smoothness_mm:.1f} mm, {whose} {low:.1f} to {high:.1f} mm")
        low, high = self.middle_to_rim
        if not low <= scan.middle_to_rim <= high:
            found.append(
                f"the middle of its brain against the rim is {scan.middle_to_rim:.2f}, {whose} {low:.2f} to "
                f"{high:.2f} (another attenuation correction)"
            )
        return found

    def unknown(self, scan: Fingerprint) -> list[str]:
        """What the normals' headers state and the scan's does not, in words."""
        return [_NAMES[name] for name in self.stated if name not in _all_stated(scan)]


_RANGES = ("voxel_mm", "smoothness_mm", "middle_to_rim")


def site_fingerprint(scans: list[Fingerprint], several_cameras: bool = False) -> SiteFingerprint:
    """The common fingerprint.

    Args:
        scans: of all normals.
        several_cameras: let them differ; a simulated camera family is many cameras.

    Raises:
        DaTscanError: the headers state different cameras or reconstructions.
    """
    stated = {
        name: sorted({_all_stated(scan)[name] for scan in scans if name in _all_stated(scan)}) for name in _NAMES
    }
    stated = {name: values for name, values in stated.items() if values}
    mixed = [f"{_NAMES[name]} {' / '.join(values)}" for name, values in stated.items() if len(values) > 1]
    if mixed and not several_cameras:
        raise DaTscanError(
            f"The normals were not made in one way ({'; '.join(mixed)}): build a database for each, or leave the "
            "others out."
        )
    tolerances = _TOLERANCE if len(scans) > 1 else _OF_TWO
    edges = [edge for scan in scans for edge in scan.voxel_mm]
    return SiteFingerprint(
        stated=stated,
        matrices=[list(matrix) for matrix in sorted({tuple(scan.matrix) for scan in scans})],
        voxel_mm=(min(edges), max(edges)),
        contrast=round(max(float(np.mean([scan.contrast for scan in scans])), 0.1), 3),
        **{name: _range([getattr(scan, name) for scan in scans], least) for name, least in tolerances.items()},
        scans=len(scans),
    )


def same_camera(one: Fingerprint, other: Fingerprint) -> list[str]:
    """Each way in which the cameras of two scans differ, in words; none where they may be the same."""
    return site_fingerprint([one]).misfits(other, whose="the first scan's")


def _range(values, least):
    """Mean, give or take the tolerance or what the scans themselves spread over."""
    mean, reach = float(np.mean(values)), max(least, _SPREADS * float(np.std(values)))
    return round(mean - reach, 4), round(mean + reach, 4)


def _all_stated(scan):
    return scan.stated | ({"corrections": scan.corrections} if scan.corrections else {})


def _edges(edges):
    return " x ".join(f"{edge:.2f}" for edge in edges)


def _span(low, high):
    return f"{low:.2f}" if high - low < 0.01 else f"{low:.2f} to {high:.2f}"
