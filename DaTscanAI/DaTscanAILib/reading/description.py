"""What a result says of the scan, nothing that identifies."""

from dataclasses import asdict

import numpy as np

from .clinical import clinical_of
from .scan import Scan
from .scan_checks import display_name


def describe_scan(scan: Scan) -> dict:
    """What is known of scan, patient and camera, nothing that identifies."""
    return {
        "scan": {
            "file": display_name(scan.path),
            "format": scan.format,
            "shape": list(scan.voxels.shape),
            "affine_ras": np.round(scan.affine, 6).tolist(),
        },
        "series": scan.series or display_name(scan.path),
        "patient": asdict(scan.patient),
        "camera": asdict(scan.camera),
        "clinical": asdict(clinical_of(scan)),
    }
