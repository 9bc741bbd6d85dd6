"""From a file of projections to an image: filtered back-projection, if asked for a filter and Chang's correction."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..base.errors import DaTscanError
from ..mni.geometry import FWHM_PER_SIGMA, scaling_and_translation
from ..reading.scan import write_volume
from ..reading.scan_checks import display_name
from .butterworth import butterworth
from .chang import chang_factors
from .filtered_back_projection import filtered_back_projection
from .tomo import Projections, read_projections

FILTERS = ("shepp-logan", "butterworth")
# Cycles/cm. 1.25 with Shepp-Logan is Nazari 2021's; for Butterworth 0.32 to 0.46 is best (PMC6038970).
DEFAULT_CUTOFF = {"shepp-logan": 1.25, "butterworth": 0.45}
BUTTERWORTH_ORDER = 5.0
_CUTOFFS, _ATTENUATIONS = (0.1, 5.0), (0.01, 0.2)
_SUFFIXES = (".nii", ".nii.gz", ".nrrd")
# Of the head's outline, found where the smoothed image exceeds a share of the brain's own level.
_OUTLINE_FWHM, _OUTLINE_SHARE = 12.0, 0.5


@dataclass(frozen=True)
class Method:
    """How to reconstruct.

    Attributes:
        filter: one of `FILTERS`; Butterworth smooths the image after the Shepp-Logan FBP.
        cutoff: of that filter, cycles/cm; None is `DEFAULT_CUTOFF`.
        attenuation: broad-beam coefficient for Chang's correction, 1/cm; None corrects nothing.

    Raises:
        DaTscanError: a name or number that makes no sense.
    """

    filter: str = "shepp-logan"
    cutoff: float | None = None
    attenuation: float | None = None

    def __post_init__(self):
        if self.filter not in FILTERS:
            raise DaTscanError(f"There is no filter {self.filter!r}: choose one of {', '.join(FILTERS)}.")
        for value, limits, what, unit in (
            (self.cutoff, _CUTOFFS, "cutoff", "cycles/cm"),
            (self.attenuation, _ATTENUATIONS, "attenuation coefficient", "per cm"),
        ):
            if value is not None and not limits[0] <= value <= limits[1]:
                raise DaTscanError(f"The {what} must lie between {limits[0]} and {limits[1]} {unit}, not {value:g}.")


def reconstruct(path: Path | str, output: Path | str, method: Method | None = None) -> Projections:
    """Reconstruct an NM TOMO file and write the image, axial slices in scanner RAS mm.

    Args:
        path: projections, see `tomo.read_projections`.
        output: .nii, .nii.gz or .nrrd; an existing file is replaced.
        method: the papers' by default.

    Returns:
        The projections that were read, with their warnings.

    Raises:
        DaTscanError: projections that cannot be used, or an output that cannot be written.
    """
    output, name = Path(output), display_name(Path(output))
    if not name.endswith(_SUFFIXES):
        raise DaTscanError(f"{name} is no name of an image: end it with .nii, .nii.gz or .nrrd.")
    projections = read_projections(path)
    voxels, affine = reconstruct_projections(projections, method or Method())
    try:
        write_volume(output, voxels, affine)
    except OSError as error:
        raise DaTscanError(f"{name} cannot be written ({error.strerror}): check the folder.") from error
    return projections


def reconstruct_projections(projections: Projections, method: Method) -> tuple[np.ndarray, np.ndarray]:
    """Image and geometry of an acquisition.

    Returns:
        float32 `(x, y, z)` counts per pixel, never negative as cameras store it, x to the right, y to the front, z
        up; and its 4x4 voxel-to-RAS matrix. The axis of rotation is x = y = 0; z is the header's, or 0 in the middle.
    """
    pixel = projections.pixel
    cutoff = (method.cutoff or DEFAULT_CUTOFF[method.filter]) / 10  # cycles/mm
    sharp = cutoff if method.filter == "shepp-logan" else DEFAULT_CUTOFF["shepp-logan"] / 10
    image = filtered_back_projection(projections.counts, pixel, sharp, projections.angles)
    if method.filter == "butterworth":
        image = butterworth(image, pixel, cutoff, BUTTERWORTH_ORDER)
    if method.attenuation is not None:
        image *= chang_factors(head_outline(image, pixel), pixel, method.attenuation / 10)
    half = (image.shape[0] - 1) / 2 * pixel
    bottom = -(image.shape[2] - 1) / 2 * pixel if projections.bottom is None else projections.bottom
    return np.maximum(image, 0), scaling_and_translation(pixel, (-half, -half, bottom))


def head_outline(image: np.ndarray, pixel: float) -> np.ndarray:
    """The head in an uncorrected image: where it exceeds a share of the brain's level, without holes.

    Args:
        image: `(x, y, z)`.
        pixel: mm.

    Returns:
        bool of the same shape.
    """
    smooth = ndimage.gaussian_filter(image, _OUTLINE_FWHM / FWHM_PER_SIGMA / pixel)
    # The median above the mean is the brain's level: the striata are too small to move it.
    level = float(np.median(smooth[smooth > smooth.mean()]))
    labels, count = ndimage.label(smooth > _OUTLINE_SHARE * level)
    if count == 0:
        return np.zeros(image.shape, bool)
    head = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return np.stack([ndimage.binary_fill_holes(head[:, :, k]) for k in range(image.shape[2])], axis=2)
