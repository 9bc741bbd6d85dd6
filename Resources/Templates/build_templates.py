"""Build every atlas file of this folder from two public packages, bit for bit reproducibly.

    apt-get download mricron-data && dpkg -x mricron-data_*.deb mricron
    pip download nilearn==0.14.1 --no-deps && unzip -q nilearn-*.whl -d nilearn
    python Resources/Templates/build_templates.py --mricron mricron --nilearn nilearn

`mricron-data` gives the single-subject T1 image Colin27 (`ch2.nii.gz`, brain-extracted `ch2bet.nii.gz`) and the
AAL labels drawn on it (`aal.nii.gz`); `nilearn` gives the population average ICBM152 2009a with its tissue maps.
The FP-CIT template and its components are simulated from these by `build_fpcit_basis.py`, which runs after.
Origin and licence of every file: ORIGIN.md beside this script.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

HERE = Path(__file__).resolve().parent

GRID_SHAPE = (91, 109, 91)
GRID_ORIGIN = (-90.0, -126.0, -72.0)
GRID_SPACING = 2.0

# AAL numbers (Tzourio-Mazoyer 2002); odd numbers are left, the next even number is the same region right.
CAUDATE, PUTAMEN, PALLIDUM, THALAMUS, INSULA, AMYGDALA, HIPPOCAMPUS = 71, 73, 75, 77, 29, 41, 37
CEREBELLUM_FIRST, VERMIS_LAST = 91, 116
LOBES = {
    "frontal": [*range(1, 29), 69, 70],
    "insula": [29, 30],
    "limbic": [*range(31, 43), 83, 84, 87, 88],
    "occipital": range(43, 55),
    "temporal": [55, 56, *range(79, 83), 85, 86, 89, 90],
    "parietal": [57, 58, *range(59, 69)],
    "subcortical": range(71, 79),
    "cerebellum": range(91, 117),
}
# Regions that AAL lacks and this script derives from the T1 image.
EXTRA_REGIONS = {
    117: ("Brain_Stem", "brain stem", "both"),
    118: ("Lateral_Ventricle_L", "ventricles", "left"),
    119: ("Lateral_Ventricle_R", "ventricles", "right"),
    120: ("Third_Fourth_Ventricle", "ventricles", "both"),
    121: ("Accumbens_L", "subcortical", "left"),
    122: ("Accumbens_R", "subcortical", "right"),
}

# Codes of the simulator's anatomies; DaTscanAILib/simulation/anatomy.py names them for the simulator.
SOFT_TISSUE, SKULL, CSF, WHITE, FRONTAL, PARIETAL, TEMPORAL, OCCIPITAL, CEREBELLUM = range(1, 10)
CAUDATE_L, CAUDATE_R, ANTERIOR_PUTAMEN_L, ANTERIOR_PUTAMEN_R = 10, 11, 12, 13
POSTERIOR_PUTAMEN_L, POSTERIOR_PUTAMEN_R, PALLIDUM_L, PALLIDUM_R, ACCUMBENS_L, ACCUMBENS_R = range(14, 20)
(
    THALAMUS_CODE,
    MIDBRAIN,
    PONS,
    MEDULLA,
    INSULA_CODE,
    AMYGDALA_CODE,
    HIPPOCAMPUS_CODE,
    VENTROMEDIAL_FRONTAL,
    TEMPORAL_POLE,
) = range(20, 29)


class Volume:
    """Voxels `(x, y, z)` on an axis-aligned RAS grid of 1 mm with the given origin (RAS mm)."""

    def __init__(self, voxels, origin):
        self.voxels = voxels
        self.origin = np.asarray(origin, dtype=float)

    @classmethod
    def read(cls, path):
        image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
        spacing = np.array(image.GetSpacing())
        if not np.allclose(spacing, 1):
            raise SystemExit(f"{path}: expected voxels of 1 mm, found {spacing}")
        voxels = sitk.GetArrayFromImage(image).transpose(2, 1, 0)[::-1, ::-1]
        origin = np.array(image.GetOrigin()) * (-1, -1, 1) - (np.array([*voxels.shape[:2], 1]) - 1)
        return cls(np.ascontiguousarray(voxels), origin)

    def coordinates(self):
        """RAS mm of every voxel centre as three broadcastable arrays."""
        axes = [self.origin[k] + np.arange(self.voxels.shape[k]) for k in range(3)]
        return np.ix_(*axes)

    def onto(self, other):
        """These voxels, nearest neighbour, on the grid of `other`; zero outside."""
        shift = np.rint(other.origin - self.origin).astype(int)
        return crop_or_pad(self.voxels, shift, other.voxels.shape)


def crop_or_pad(voxels, start, shape):
    """The block of `shape` that begins at voxel `start` (may be negative), zero where `voxels` has nothing."""
    out = np.zeros(shape, dtype=voxels.dtype)
    source = [slice(max(s, 0), min(s + n, m)) for s, n, m in zip(start, shape, voxels.shape, strict=True)]
    target = [slice(k.start - s, k.stop - s) for k, s in zip(source, start, strict=True)]
    out[tuple(target)] = voxels[tuple(source)]
    return out


def to_grid(volume):
    """Nearest voxel of a 1-mm volume at every centre of the 2-mm MNI grid."""
    start = np.rint(np.array(GRID_ORIGIN) - volume.origin).astype(int)
    fine = crop_or_pad(volume.voxels, start, [2 * n - 1 for n in GRID_SHAPE])
    return np.ascontiguousarray(fine[::2, ::2, ::2])


def grid_fraction(mask, origin):
    """Share of each 2-mm voxel covered by a 1-mm mask, from the 27 samples around its centre, trapezoidal weights."""
    weights = np.array([0.25, 0.5, 0.25])
    smooth = mask.astype(np.float32)
    for axis in range(3):
        smooth = ndimage.correlate1d(smooth, weights, axis=axis, mode="constant")
    return to_grid(Volume(smooth, origin))


def write(name, voxels, origin, spacing):
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.transpose(2, 1, 0)))
    image.SetSpacing([spacing] * 3)
    image.SetOrigin((-origin[0], -origin[1], origin[2]))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(HERE / name), useCompression=True, compressionLevel=9)


def largest(mask):
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])


def ball(radius_mm, spacing=1.0):
    n = int(np.ceil(radius_mm / spacing))
    x = np.arange(-n, n + 1) * spacing
    return np.add.outer(np.add.outer(x**2, x**2), x**2) <= radius_mm**2


def dilate(mask, radius_mm, spacing=1.0):
    return ndimage.distance_transform_edt(~mask, sampling=spacing) <= radius_mm


def brain_stem(brain, labels, x, y, z):
    """Tissue near the midline below the thalami that AAL gives no label."""
    box = (np.abs(x) <= 20) & (y >= -48) & (y <= -6) & (z <= -8)
    narrow = (z > -20) & (np.abs(x) > 16)
    return largest(ndimage.binary_opening(brain & (labels == 0) & box & ~narrow, ball(2)))


def ventricles(csf, brain, x, y, z):
    """Cerebrospinal fluid deep inside the brain: (lateral, third and fourth)."""
    depth = ndimage.distance_transform_edt(ndimage.binary_closing(np.pad(brain, 8), ball(6))[8:-8, 8:-8, 8:-8])
    deep = csf & (depth > 16)
    lateral = (
        deep & (np.abs(x) <= 45) & (y >= -70) & (y <= 40) & (z >= -6) & (z <= 34) & ~((np.abs(x) <= 3) & (z < 2))
    )
    lateral = ndimage.binary_opening(lateral, ball(1))
    # The third ventricle lies between the thalami; the fourth behind the pons, before the cerebellum.
    midline = deep & (np.abs(x) <= 8)
    third = midline & (y >= -32) & (y <= 6) & (z >= -14) & (z <= 6)
    fourth = midline & (y >= -56) & (y <= -34) & (z >= -46) & (z <= -18)
    return lateral, (third | fourth) & ~lateral


def accumbens(x, y, z, side):
    """Ellipsoid at the foot of the striatum, where caudate and putamen meet (AAL gives it no label)."""
    return ((x - side * 9.5) / 5) ** 2 + ((y - 11) / 6) ** 2 + ((z + 8) / 4.5) ** 2 <= 1


class Colin27:
    """The single subject of the papers: T1 image, head, tissue and AAL labels on one 1-mm grid."""

    CSF_BELOW, WHITE_ABOVE = 58, 99  # valleys of the intensity histogram of ch2bet

    def __init__(self, folder):
        extracted = Volume.read(folder / "ch2bet.nii.gz")
        self.origin = extracted.origin
        self.t1 = extracted.voxels
        self.labels = Volume.read(folder / "aal.nii.gz").onto(extracted)
        self.x, self.y, self.z = extracted.coordinates()
        whole = Volume.read(folder / "ch2.nii.gz").onto(extracted)
        self.head = self._head(whole)
        # The extraction leaves thin plates of dura and eye muscle: open, keep the brain, close.
        opened = largest(ndimage.binary_opening((self.t1 > 25) | (self.labels > 0), ball(3)))
        self.brain = ndimage.binary_fill_holes(ndimage.binary_closing(opened, ball(4)) | (self.labels > 0))
        smooth = ndimage.gaussian_filter(self.t1.astype(np.float32), 0.5)
        self.csf = self.brain & (smooth < self.CSF_BELOW)
        self.white = self.brain & (smooth > self.WHITE_ABOVE)
        self.stem = brain_stem(self.brain & ~self.csf, self.labels, self.x, self.y, self.z)
        self.lateral, self.midline_ventricles = ventricles(self.csf, self.brain, self.x, self.y, self.z)

    @staticmethod
    def _head(whole):
        air = whole < 12
        body = ndimage.binary_closing(np.pad(~air, 6, mode="edge"), ball(4))[6:-6, 6:-6, 6:-6]
        filled = np.stack([ndimage.binary_fill_holes(body[:, :, k]) for k in range(body.shape[2])], axis=2)
        return largest(ndimage.binary_opening(filled, ball(3)))


class Icbm152:
    """The population average: tissue probabilities on its own 1-mm grid; labels by AAL refined with the tissue."""

    def __init__(self, folder, colin):
        grey = Volume.read(folder / "mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz")
        self.origin = grey.origin
        self.grey = grey.voxels / 255.0
        self.white = Volume.read(folder / "mni_icbm152_wm_tal_nlin_sym_09a_converted.nii.gz").onto(grey) / 255.0
        t1 = Volume.read(folder / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz").onto(grey)
        self.x, self.y, self.z = grey.coordinates()
        brain = largest(ndimage.binary_opening(t1 > 10, ball(3)))
        self.brain = ndimage.binary_fill_holes(brain)
        self.labels = Volume(colin.labels, colin.origin).onto(grey)
        self.csf = self.brain & (self.grey + self.white < 0.5)
        self.stem = brain_stem(self.brain & ~self.csf, self.labels, self.x, self.y, self.z)
        self.lateral, self.midline_ventricles = ventricles(self.csf, self.brain, self.x, self.y, self.z)
        # No scalp comes with this brain: Colin's head, 3 % larger as this brain is, around a 12-mm margin.
        scaled = ndimage.affine_transform(
            colin.head.astype(np.float32),
            np.eye(3) / 1.03,
            (self.origin / 1.03 - colin.origin),
            output_shape=grey.voxels.shape,
            order=1,
            mode="nearest",
        )
        self.head = (scaled > 0.5) | dilate(self.brain, 12)

    def nucleus(self, number, allowed):
        """A grey nucleus grown and cut by the tissue map within 3 mm of its AAL outline."""
        outline = self.labels == number
        grown = dilate(outline, 3) & allowed
        return largest(ndimage.binary_opening(grown, ball(1)) | (ndimage.binary_erosion(outline, ball(2)) & allowed))


def atlas_labels(colin):
    labels = colin.labels.copy()
    free = labels == 0
    labels[free & colin.stem] = 117
    labels[free & colin.lateral & (colin.x < 0)] = 118
    labels[free & colin.lateral & (colin.x > 0)] = 119
    labels[free & colin.midline_ventricles] = 120
    for code, side in ((121, -1), (122, 1)):
        labels[accumbens(colin.x, colin.y, colin.z, side) & colin.brain & np.isin(labels, [0, 21, 22, 71, 72])] = code
    return labels


def write_label_names(names_file):
    names = {int(number): name for number, name, *_ in map(str.split, names_file.read_text().strip().splitlines())}
    lobe_of = {number: lobe for lobe, numbers in LOBES.items() for number in numbers}
    with (HERE / "atlas_labels.csv").open("w", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["label", "name", "lobe", "hemisphere"])
        for number, name in sorted(names.items()):
            hemisphere = {"L": "left", "R": "right"}.get(name[-1] if name[-2] == "_" else "", "both")
            table.writerow([number, name, lobe_of[number], hemisphere])
        for number, row in EXTRA_REGIONS.items():
            table.writerow([number, *row])


def symmetric(mask):
    """Union with the mirror image about x = 0 (the middle column of the grid)."""
    return mask | mask[::-1]


def quantification_regions(labels, brain):
    """The hottest-voxels regions 1-4 and the reference region 5 on the 2-mm grid, mirror symmetric.

    The regions reach 9 mm beyond the anatomical nuclei of either hemisphere, so that all their counts and the
    5/10 ml of the method lie inside after blurring; a voxel belongs to the nearer nucleus, the midline to none.
    """
    distance = {}
    for nucleus, numbers in (("caudate", (71, 72, 121, 122)), ("putamen", (73, 74))):
        distance[nucleus] = ndimage.distance_transform_edt(
            ~symmetric(np.isin(labels, numbers)), sampling=GRID_SPACING
        )
    left = np.broadcast_to((np.arange(GRID_SHAPE[0]) < GRID_SHAPE[0] // 2)[:, None, None], GRID_SHAPE)
    right = left[::-1]
    near_caudate = (distance["caudate"] <= 9) & (distance["caudate"] <= distance["putamen"])
    near_putamen = (distance["putamen"] <= 9) & (distance["putamen"] < distance["caudate"])
    regions = np.zeros(GRID_SHAPE, np.uint8)
    for code, mask in enumerate(
        (near_caudate & left, near_caudate & right, near_putamen & left, near_putamen & right), 1
    ):
        regions[mask] = code
    excluded = symmetric(np.isin(labels, [71, 72, 73, 74, 75, 76, 121, 122]))
    other = symmetric(np.isin(labels, [77, 78, *range(117, 121)]))
    reference = brain & brain[::-1] & (regions == 0)
    reference &= ~dilate(excluded, 9, GRID_SPACING) & ~dilate(other, 4, GRID_SPACING)
    regions[reference] = 5
    return regions


def write_atlas(colin, icbm, names_file):
    labels = to_grid(Volume(atlas_labels(colin), colin.origin))
    write("atlas_2mm.nii.gz", labels, GRID_ORIGIN, GRID_SPACING)
    write_label_names(names_file)
    write("mri_colin27_1mm.nii.gz", np.where(colin.brain, colin.t1, 0).astype(np.uint8), colin.origin, 1.0)
    # The brain of the method is where both brains agree by half: neither one subject's nor an average's gyri.
    share = grid_fraction(colin.brain, colin.origin) + grid_fraction(icbm.brain, icbm.origin)
    brain = symmetric(share >= 1)
    write("brain_2mm.nii.gz", brain.astype(np.uint8), GRID_ORIGIN, GRID_SPACING)
    tissue = [
        grid_fraction(colin.csf, colin.origin) + grid_fraction(icbm.csf, icbm.origin),
        grid_fraction(colin.brain & ~colin.csf & ~colin.white, colin.origin)
        + grid_fraction((icbm.grey >= icbm.white) & icbm.brain & ~icbm.csf, icbm.origin),
        grid_fraction(colin.white, colin.origin)
        + grid_fraction((icbm.white > icbm.grey) & icbm.brain & ~icbm.csf, icbm.origin),
    ]
    write(
        "tissue_2mm.nii.gz",
        np.where(brain, 1 + np.argmax(tissue, axis=0), 0).astype(np.uint8),
        GRID_ORIGIN,
        GRID_SPACING,
    )
    write("quantification_regions_2mm.nii.gz", quantification_regions(labels, brain), GRID_ORIGIN, GRID_SPACING)


def head_and_brain(anatomy, grey, white):
    """The simulator's codes for everything that both anatomies treat alike."""
    codes = np.zeros(anatomy.brain.shape, np.uint8)
    codes[anatomy.head] = SOFT_TISSUE
    codes[dilate(anatomy.brain, 7) & anatomy.head] = SKULL
    codes[dilate(anatomy.brain, 2) & anatomy.head] = CSF
    codes[white] = WHITE
    lobe = np.full(256, FRONTAL, np.uint8)
    for name, code in (
        ("parietal", PARIETAL),
        ("temporal", TEMPORAL),
        ("occipital", OCCIPITAL),
        ("cerebellum", CEREBELLUM),
    ):
        lobe[list(LOBES[name])] = code
    # Grey matter that AAL leaves out takes the lobe of the nearest labelled voxel.
    nearest = ndimage.distance_transform_edt(anatomy.labels == 0, return_distances=False, return_indices=True)
    full = anatomy.labels[tuple(nearest)]
    codes[grey] = lobe[full][grey]
    for code, numbers in (
        (INSULA_CODE, (29, 30)),
        (HIPPOCAMPUS_CODE, (37, 38)),
        (VENTROMEDIAL_FRONTAL, (21, 22, 25, 26, 27, 28)),
        (TEMPORAL_POLE, (83, 84, 87, 88)),
    ):
        codes[grey & np.isin(anatomy.labels, numbers)] = code
    codes[np.isin(anatomy.labels, (41, 42)) & ~anatomy.csf] = AMYGDALA_CODE
    codes[np.isin(anatomy.labels, (77, 78)) & ~anatomy.csf] = THALAMUS_CODE
    z = np.broadcast_to(anatomy.z, codes.shape)
    codes[anatomy.stem] = np.select([z[anatomy.stem] > -22, z[anatomy.stem] > -46], [MIDBRAIN, PONS], MEDULLA)
    codes[anatomy.csf] = CSF
    return codes


def add_striatum(codes, nuclei, y):
    """Write the nuclei, given as {(name, side): mask}; the putamen is parted at the anterior commissure (y = 0)."""
    front = np.broadcast_to(y > 0, codes.shape)
    for (name, side), mask in nuclei.items():
        if name == "putamen":
            codes[mask & front] = ANTERIOR_PUTAMEN_L + side
            codes[mask & ~front] = POSTERIOR_PUTAMEN_L + side
        else:
            codes[mask] = {"caudate": CAUDATE_L, "pallidum": PALLIDUM_L, "accumbens": ACCUMBENS_L}[name] + side
    return codes


def write_anatomies(colin, icbm):
    """The two anatomies of the simulator as 1-mm maps of tissue and region codes."""
    grey = colin.brain & ~colin.csf & ~colin.white
    codes = head_and_brain(colin, grey, colin.white)
    nuclei = {}
    for side in (0, 1):
        nuclei["pallidum", side] = colin.labels == PALLIDUM + side
        nuclei["putamen", side] = (colin.labels == PUTAMEN + side) & ~colin.csf
        nuclei["caudate", side] = (colin.labels == CAUDATE + side) & ~colin.csf
        nuclei["accumbens", side] = accumbens(colin.x, colin.y, colin.z, 2 * side - 1) & colin.brain & ~colin.csf
    write("anatomy_colin27_1mm.nii.gz", add_striatum(codes, nuclei, colin.y), colin.origin, 1.0)

    deep = icbm.brain & ~icbm.csf
    codes = head_and_brain(icbm, deep & (icbm.grey >= icbm.white), deep & (icbm.white > icbm.grey))
    nuclei = {}
    for side in (0, 1):
        nuclei["pallidum", side] = (icbm.labels == PALLIDUM + side) & deep
        nuclei["caudate", side] = icbm.nucleus(CAUDATE + side, deep & (icbm.grey > 0.45))
        taken = nuclei["pallidum", side] | nuclei["caudate", side]
        nuclei["putamen", side] = icbm.nucleus(PUTAMEN + side, deep & (icbm.grey > 0.45) & ~taken)
        nuclei["accumbens", side] = accumbens(icbm.x, icbm.y, icbm.z, 2 * side - 1) & deep
    write("anatomy_icbm152_1mm.nii.gz", add_striatum(codes, nuclei, icbm.y), icbm.origin, 1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mricron", type=Path, required=True, help="folder of the unpacked mricron-data package")
    parser.add_argument("--nilearn", type=Path, required=True, help="folder that holds the package nilearn")
    arguments = parser.parse_args()
    templates = next(arguments.mricron.rglob("ch2bet.nii.gz")).parent
    colin = Colin27(templates)
    icbm = Icbm152(next(arguments.nilearn.rglob("mni_icbm152_gm_*.nii.gz")).parent, colin)
    write_atlas(colin, icbm, templates / "aal.nii.txt")
    write_anatomies(colin, icbm)


if __name__ == "__main__":
    main()
