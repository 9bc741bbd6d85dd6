"""Build the FP-CIT template and its components from simulated scans, reproducibly.

    python -m DaTscanAILib simulate --count 900 --seed 300000 --output TRAIN \\
        --families papers butterworth osem osem_ac
    python Resources/Templates/build_fpcit_basis.py TRAIN --workers 2

Takes the first scans of a cohort of the training heads (those stored whole: `plain` and `mni`), smooths them, samples
them with their true affine at the points of a 6-mm grid inside and around the brain, adds their mirror images, and
keeps the mean and the leading principal components, points outside a scan's field of view being filled by the
components themselves. `--output FILE.npz` writes another basis, and FILE.nii.gz, the mean of its normal scans, for
the benchmark on unseen heads.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "DaTscanAI"))

from DaTscanAILib.mni.atlas import GRID_AFFINE, GRID_SHAPE, load_atlas
from DaTscanAILib.mni.geometry import apply_affine, resample
from DaTscanAILib.reading.scan import read_scan
from DaTscanAILib.registration.smooth_scan import SmoothScan

STORED_WHOLE = ("plain", "mni")
FWHM = 10.0  # mm, on top of the scans' own resolution
SPACING = 6.0  # mm
MARGIN = 8.0  # mm around the brain
COMPONENTS = 60
SCALE_STEPS = 32000  # of int16 for the largest value of each column


def grid_points(brain):
    """MNI points `(n, 3)` of the 6-mm grid, symmetric about x = 0, and which of them lie in the brain."""
    axes = [np.arange(-96, 97, SPACING), np.arange(-132, 103, SPACING), np.arange(-84, 115, SPACING)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    distance = ndimage.distance_transform_edt(np.pad(~brain, 12, constant_values=True), sampling=2.0)
    index = apply_affine(np.linalg.inv(GRID_AFFINE), points).T + 12
    near = ndimage.map_coordinates(distance, index, order=1, mode="nearest") <= MARGIN
    inside = ndimage.map_coordinates(np.pad(brain, 12).astype(float), index, order=1) > 0.5
    return points[near], inside[near]


def sample_scan(truth_file, points):
    """Values at the points, which of them the scan covers, and the scan in MNI space if it is a normal one."""
    truth = json.loads(truth_file.read_text())
    scan = read_scan(truth_file.with_suffix(".nii.gz"))
    scanner_from_mni = np.array(truth["scanner_from_mni_ras"])
    smooth = SmoothScan(scan.voxels, scan.affine).smoothed(FWHM)
    values, _, covered = smooth.sample(scanner_from_mni, points.astype(np.float32))
    image = None
    if truth["subtype"] == "normal":
        voxel_from_grid = np.linalg.inv(scan.affine) @ scanner_from_mni @ GRID_AFFINE
        image = np.stack(
            [
                resample(scan.voxels, voxel_from_grid, GRID_SHAPE),
                resample(np.ones_like(scan.voxels), voxel_from_grid, GRID_SHAPE),
            ]
        )
    return values, covered, image


def is_usable(truth_file, anatomies):
    truth = json.loads(truth_file.read_text())
    return truth["storage"] in STORED_WHOLE and (not anatomies or truth["anatomy"] in anatomies)


def principal_components(values, covered, count, rounds=8):
    """(mean, components of unit variance, residual variance) of rows with gaps, by repeated filling of the gaps."""
    mean = (values * covered).sum(axis=0) / np.maximum(covered.sum(axis=0), 1)
    filled = np.where(covered, values - mean, 0)
    for _ in range(rounds):
        variances, vectors = np.linalg.eigh(filled @ filled.T)
        vectors = vectors[:, -count:]
        modelled = vectors @ (vectors.T @ filled)
        filled = np.where(covered, values - mean, modelled)
        shift = filled.mean(axis=0)
        mean, filled = mean + shift, filled - shift
    variances, vectors = np.linalg.eigh(filled @ filled.T)
    order = np.argsort(variances)[::-1][:count]
    components = vectors[:, order].T @ filled / np.sqrt(len(values))
    residual = np.where(covered, filled - vectors[:, order] @ (vectors[:, order].T @ filled), 0)
    return mean, components, (residual**2).sum(axis=0) / np.maximum(covered.sum(axis=0), 1)


def write_template(path, total):
    """The mean of the normal scans, 8-mm smoothed and mirror symmetric, for people to look at."""
    mean = total[0] / np.maximum(total[1], 1e-3)
    mean = ndimage.gaussian_filter((mean + mean[::-1]) / 2, 8 / 2.3548 / 2)
    image = sitk.GetImageFromArray(np.round(1000 * mean).clip(0).astype(np.int16).transpose(2, 1, 0))
    image.SetSpacing([2.0] * 3)
    image.SetOrigin((90.0, 126.0, -72.0))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=9)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path, help="folder that `simulate` has written")
    parser.add_argument("--scans", type=int, default=900, help="take the first so many of the cohort")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--anatomies", nargs="+", metavar="NAME", help="of these heads alone; needs --output")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    files = sorted(arguments.cohort.glob("sim*.json"))[: arguments.scans]
    files = [file for file in files if is_usable(file, arguments.anatomies)]
    atlas = load_atlas()
    points, inside = grid_points(atlas.brain)
    index = np.rint(apply_affine(np.linalg.inv(GRID_AFFINE), points)).astype(int).clip(0, np.array(GRID_SHAPE) - 1)
    reference = atlas.reference[tuple(index.T)]
    rows, masks, total = [], [], np.zeros((2, *GRID_SHAPE))
    with ProcessPoolExecutor(arguments.workers) as pool:
        for values, covered, image in pool.map(partial(sample_scan, points=points), files):
            level = values[reference & covered].mean()
            rows.append(values / level)
            masks.append(covered)
            if image is not None:
                total += image * [[[[1 / level]]], [[[1]]]]
            print(f"\r{len(rows)} of {len(files)} scans", end="", file=sys.stderr)
    mirror = mirrored_order(points)
    values, covered = np.array(rows, np.float32), np.array(masks)
    values, covered = np.vstack([values, values[:, mirror]]), np.vstack([covered, covered[:, mirror]])
    mean, components, residual = principal_components(values, covered, COMPONENTS)
    output = arguments.output
    write_basis(output or HERE / "fpcit_basis.npz", points, inside, mean, components, residual)
    write_template(output.with_suffix(".nii.gz") if output else HERE / "fpcit_template_2mm.nii.gz", total)


def mirrored_order(points):
    """Index of each point's mirror image about x = 0."""
    place = {tuple(point): k for k, point in enumerate(points.tolist())}
    return np.array([place[-x, y, z] for x, y, z in points.tolist()])


def write_basis(path, points, inside, mean, components, residual):
    basis = np.column_stack([mean, components.T])
    scale = np.abs(basis).max(axis=0) / SCALE_STEPS
    # Variance below a floor would let single points of quiet background rule the fit.
    weight = 1 / np.maximum(residual, np.percentile(residual, 20))
    np.savez_compressed(
        path,
        points=points.astype(np.int16),
        basis=np.rint(basis / scale).astype(np.int16),
        scale=scale.astype(np.float32),
        weight=weight.astype(np.float32),
        brain=inside,
        fwhm=FWHM,
    )
    print(f"\n{path}: {len(points)} points, {len(components)} components", file=sys.stderr)


if __name__ == "__main__":
    main()
