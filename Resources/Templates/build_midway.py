"""The scan midway between normal and reduced, from prepared simulated scans.

    python -m DaTscanAILib simulate --count 2400 --seed 300000 --output TRAIN \\
        --families papers butterworth osem osem_ac
    python Resources/Templates/build_midway.py TRAIN/manifest.csv PREPARED --workers 2

A weighted mean of the mean normal and the mean reduced scan in MNI space, reference level 1, lower putamen left. What
the default model sees is this minus the scan. Writes fpcit_midway_2mm.nii.gz in hundredths of the reference level.
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
    options = parser.parse_args()
    scans, _ = prepare_cases(collect_cases([options.manifest]), options.prepared, options.workers)
    midway = NORMAL_SHARE * mean_scan(scans, "normal") + (1 - NORMAL_SHARE) * mean_scan(scans, "reduced")
    image = sitk.GetImageFromArray(np.round(100 * midway).clip(0).astype(np.int16).transpose(2, 1, 0))
    image.SetSpacing([2.0] * 3)
    image.SetOrigin((90.0, 126.0, -72.0))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(HERE / "fpcit_midway_2mm.nii.gz"), useCompression=True, compressionLevel=9)


def mean_scan(scans, label):
    chosen = [scan for scan in scans if scan.case.label == label]
    print(f"{len(chosen)} scans labelled {label}")
    return sum(scan.load().astype(float) for scan in chosen) / len(chosen)


if __name__ == "__main__":
    main()
