"""What maps are compared with, from prepared simulated scans: the mean normal scan, its spread, and midway.

    python -m DaTscanAILib simulate --count N --seed S --output TRAIN --families papers butterworth osem osem_ac
    python Resources/Templates/build_references.py TRAIN/manifest.csv PREPARED --workers 2

All in MNI space, reference level 1, lower putamen left, stored in hundredths of the reference level:

- `fpcit_normal_2mm.nii.gz`: mean of the scans whose subtype is normal. The default model sees this minus the scan.
- `fpcit_normal_spread_2mm.nii.gz`: the standard deviation of a voxel among them.
- `fpcit_midway_2mm.nii.gz`, with `--midway`: a weighted mean of the mean normal and the mean reduced scan. The
  shipped one is of scans of version 0.1.0 and lies at the mean normal scan of the present simulator: it is kept for
  models of that version, trainings make their own (`training/midway.py`).

PREPARED is a cache that `train` takes as MODEL/work/prepared.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "DaTscanAI"))

from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.training.preparation import prepare_cases

# With the plain mean, the sign of the lower putamen's relevance fitted fewer reduced than normal scans.
NORMAL_SHARE = 0.6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--midway", action="store_true", help="write the scan midway between normal and reduced too")
    parser.add_argument("--output", type=Path, default=HERE, metavar="DIR", help="default: the shipped templates")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    scans, _ = prepare_cases(collect_cases([options.manifest]), options.prepared, options.workers)
    normal, spread = mean_and_spread([scan for scan in scans if scan.case.other["subtype"] == "normal"], "normal")
    write(options.output / "fpcit_normal_2mm.nii.gz", normal)
    write(options.output / "fpcit_normal_spread_2mm.nii.gz", spread)
    if options.midway:
        labelled = {
            label: mean_and_spread([scan for scan in scans if scan.case.label == label], f"labelled {label}")[0]
            for label in ("normal", "reduced")
        }
        write(
            options.output / "fpcit_midway_2mm.nii.gz",
            NORMAL_SHARE * labelled["normal"] + (1 - NORMAL_SHARE) * labelled["reduced"],
        )


def mean_and_spread(scans, what):
    """Mean and standard deviation of each voxel."""
    print(f"{len(scans)} scans {what}")
    total = squares = 0.0
    for scan in scans:
        voxels = scan.load().astype(float)
        total, squares = total + voxels, squares + voxels**2
    mean = total / len(scans)
    return mean, np.sqrt(np.maximum(squares / len(scans) - mean**2, 0))


def write(path, voxels):
    image = sitk.GetImageFromArray(np.round(100 * voxels).clip(0).astype(np.int16).transpose(2, 1, 0))
    image.SetSpacing([2.0] * 3)
    image.SetOrigin((90.0, 126.0, -72.0))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=9)


if __name__ == "__main__":
    main()
