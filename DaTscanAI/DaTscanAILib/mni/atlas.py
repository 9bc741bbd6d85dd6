"""MNI space as this project uses it: grid, anatomical labels, regions of quantification, boxes of the networks."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from ..base.resources import resource_path
from .geometry import scaling_and_translation

GRID_SHAPE = (91, 109, 91)
GRID_SPACING = 2.0  # mm
GRID_AFFINE = scaling_and_translation(GRID_SPACING, (-90.0, -126.0, -72.0))
GRID_AFFINE.flags.writeable = False
VOXEL_VOLUME_ML = GRID_SPACING**3 / 1000

# The networks' inputs as slices of the grid. Full image: 71 x 90 x 72 voxels of 2 mm, x -70..70, y -106..72,
# z -62..80 mm: the brain without the lowest cerebellum, which fields of view often cut. Striatum only: 61 x 44 x 35,
# x -60..60, y -50..36, z -34..34 mm. The papers give the sizes, not the places. Both are symmetric about x = 0.
FULL_BOX = (slice(10, 81), slice(10, 100), slice(5, 77))
STRIATUM_BOX = (slice(15, 76), slice(38, 82), slice(19, 54))

SIDES = ("left", "right")
# Codes of quantification_regions_2mm.nii.gz.
CAUDATE_CODE = {"left": 1, "right": 2}
PUTAMEN_CODE = {"left": 3, "right": 4}
REFERENCE_CODE = 5


@dataclass(frozen=True)
class Atlas:
    """Maps on the 2-mm MNI grid, all `(91, 109, 91)`.

    Attributes:
        labels: uint8, AAL numbers 1-116 (Tzourio-Mazoyer 2002) and 117-122 for brain stem, ventricles, accumbens.
        names: `{number: (name, lobe, hemisphere)}` of `labels`.
        brain: bool.
        tissue: uint8, 1 cerebrospinal fluid, 2 grey, 3 white matter.
        regions: uint8, the large unilateral regions of the hottest voxels and the reference region.
    """

    labels: np.ndarray
    names: dict[int, tuple[str, str, str]]
    brain: np.ndarray
    tissue: np.ndarray
    regions: np.ndarray

    @property
    def reference(self) -> np.ndarray:
        """Reference region: the brain without striata, thalamus, brain stem and ventricles; bool."""
        return self.regions == REFERENCE_CODE

    @cached_property
    def distance_from_brain(self) -> np.ndarray:
        """Millimetres from each voxel outside the brain to the brain, 0 inside; float64."""
        from scipy.ndimage import distance_transform_edt

        return distance_transform_edt(~self.brain, sampling=GRID_SPACING)

    def where(self, chosen: Callable[[str, str], bool]) -> np.ndarray:
        """Voxels of the labels that `chosen(name, lobe)` picks; bool."""
        picked = np.zeros(256, bool)
        picked[[number for number, (name, lobe, _) in self.names.items() if chosen(name, lobe)]] = True
        return picked[self.labels]

    def hottest_voxels_region(self, nucleus: str, side: str) -> np.ndarray:
        """Large region of `caudate`, `putamen` or `striatum` (both together) on the patient's `side`; bool."""
        codes = {
            "caudate": [CAUDATE_CODE[side]],
            "putamen": [PUTAMEN_CODE[side]],
            "striatum": [CAUDATE_CODE[side], PUTAMEN_CODE[side]],
        }[nucleus]
        return np.isin(self.regions, codes)

    def anatomical_region(self, nucleus: str, side: str) -> np.ndarray:
        """AAL outline of `caudate`, `putamen` or `striatum` on the patient's `side`; bool."""
        number = {"caudate": [71], "putamen": [73], "striatum": [71, 73]}[nucleus]
        return np.isin(self.labels, np.array(number) + (side == "right"))


def read_grid(name: str) -> np.ndarray:
    """Voxels `(x, y, z)` in RAS order of a file of `Resources/Templates`."""
    return read_volume_of_grid(resource_path("Templates", name))


def read_volume_of_grid(path: Path) -> np.ndarray:
    """Voxels `(x, y, z)` in RAS order of a file that `Resources/Templates` or a model holds, stored as LPS."""
    import SimpleITK as sitk

    image = sitk.ReadImage(str(path))
    voxels = np.ascontiguousarray(sitk.GetArrayFromImage(image).transpose(2, 1, 0))
    voxels.flags.writeable = False
    return voxels


@lru_cache(maxsize=1)
def load_atlas() -> Atlas:
    """The atlas that ships with the extension."""
    with resource_path("Templates", "atlas_labels.csv").open(newline="") as stream:
        names = {int(row["label"]): (row["name"], row["lobe"], row["hemisphere"]) for row in csv.DictReader(stream)}
    return Atlas(
        labels=read_grid("atlas_2mm.nii.gz"),
        names=names,
        brain=read_grid("brain_2mm.nii.gz").astype(bool),
        tissue=read_grid("tissue_2mm.nii.gz"),
        regions=read_grid("quantification_regions_2mm.nii.gz"),
    )


@lru_cache(maxsize=1)
def load_mri() -> tuple[np.ndarray, np.ndarray]:
    """Brain of the single-subject T1 template Colin27: uint8 `(181, 217, 181)` and its voxel-to-RAS matrix, 1 mm."""
    return read_grid("mri_colin27_1mm.nii.gz"), scaling_and_translation(1.0, (-90.0, -125.0, -71.0))


def embed(box: np.ndarray, place: tuple[slice, slice, slice]) -> np.ndarray:
    """Put a network's box back onto the whole grid; zero elsewhere."""
    grid = np.zeros(GRID_SHAPE, box.dtype)
    grid[place] = box
    return grid
