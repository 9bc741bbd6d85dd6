"""Synthetic projections in DICOM with a marker at a known place, of cameras with one to three detectors.

Where the marker appears in a frame follows from the standard's words (C.8.4.11, C.8.4.12), written down here
once more: zero degrees is the patient's back, and the angle rises towards the patient's left; a frame is what
somebody sees who stands behind the detector and faces the patient.
"""

from dataclasses import dataclass

import numpy as np
from dicom_factory import MARKER_RAS, change, item_of, nm_dataset, set_pixels

COLUMNS, ROWS, PIXEL = 48, 40, 4.0
SIGMA, PEAK = 9.0, 800.0
TOP = 80.0  # scanner z of the first row's middle, mm
RADIUS = 140.0


@dataclass(frozen=True)
class Turn:
    """One rotation: `direction` CW or CC, where each detector starts, degrees from view to view, views."""

    direction: str
    starts: tuple[float, ...]
    step: float
    views: int

    def angle(self, detector, view):
        return self.starts[detector] + (self.step if self.direction == "CC" else -self.step) * view


FULL_TURN = Turn("CW", (180.0,), 4.0, 90)


def frame_seen_from(angle, marker_ras=MARKER_RAS):
    """(rows, columns) of a Gaussian marker seen by a detector at a DICOM angle."""
    radians = np.deg2rad(angle)
    outward = np.array([np.sin(radians), np.cos(radians), 0])  # LPS: 0 back, 90 left
    to_the_right = np.cross(-outward, [0, 0, 1])
    marker = np.array(marker_ras) * [-1, -1, 1]
    across = (np.arange(COLUMNS) - (COLUMNS - 1) / 2) * PIXEL - marker @ to_the_right
    down = TOP - np.arange(ROWS) * PIXEL - marker[2]
    return PEAK * np.exp(-np.add.outer(down**2, across**2) / (2 * SIGMA**2))


def tomo_dataset(turns=(FULL_TURN,), windows=((143.1, 174.9),), peak_window=1, order=None, **elements):
    """Projections as a camera writes them.

    Args:
        turns: the rotations, all with the same number of detectors.
        windows: (lower, upper) keV; None states no limits.
        peak_window: number of the window that shows the marker; the others show it at the opposite side.
        order: of the frames; None keeps that of acquisition.
        elements: further elements by keyword; None removes one.
    """
    detectors = len(turns[0].starts)
    numbers, frames = [], []
    for window in range(1, len(windows) + 1):
        for detector in range(detectors):
            for rotation, turn in enumerate(turns):
                for view in range(turn.views):
                    marker = MARKER_RAS if window == peak_window else -MARKER_RAS
                    frames.append(frame_seen_from(turn.angle(detector, view), marker))
                    numbers.append((window, detector + 1, rotation + 1, view + 1))
    order = np.arange(len(frames)) if order is None else np.asarray(order)
    dataset = nm_dataset(image_type=("ORIGINAL", "PRIMARY", "TOMO", "EMISSION"), geometry="nowhere")
    _add_vectors(dataset, np.array(numbers)[order])
    _add_acquisition(dataset, turns, windows)
    set_pixels(dataset, np.array(frames)[order], "<u2")
    change(dataset, NumberOfFrames=len(frames), RescaleSlope=None, RescaleIntercept=None, SpacingBetweenSlices=None)
    change(dataset, PixelSpacing=[str(PIXEL)] * 2, SliceThickness=None, SliceVector=None, NumberOfSlices=None)
    change(dataset, **elements)
    return dataset


def _add_vectors(dataset, numbers):
    names = ("EnergyWindowVector", "DetectorVector", "RotationVector", "AngularViewVector")
    for name, values in zip(names, numbers.T.tolist(), strict=True):
        setattr(dataset, name, values)
    dataset.FrameIncrementPointer = [0x00540010, 0x00540020, 0x00540050, 0x00540090]


def _add_acquisition(dataset, turns, windows):
    dataset.EnergyWindowInformationSequence = [
        item_of(
            EnergyWindowName=f"EM{number}",
            EnergyWindowRangeSequence=[item_of(EnergyWindowLowerLimit=limits[0], EnergyWindowUpperLimit=limits[1])]
            if limits
            else [],
        )
        for number, limits in enumerate(windows, 1)
    ]
    dataset.RotationInformationSequence = [
        item_of(
            StartAngle=turn.starts[0],
            AngularStep=turn.step,
            RotationDirection=turn.direction,
            ScanArc=turn.step * turn.views,
            ActualFrameDuration=30000,
            NumberOfFramesInRotation=turn.views,
        )
        for turn in turns
    ]
    dataset.DetectorInformationSequence = [
        item_of(CollimatorType="PARA", StartAngle=start, RadialPosition=RADIUS) for start in turns[0].starts
    ]


def detector_at(angle, **elements):
    """A detector's item that states where the first pixel of its frames lies, for a DICOM angle."""
    radians = np.deg2rad(angle)
    outward = np.array([np.sin(radians), np.cos(radians), 0])
    to_the_right = np.cross(-outward, [0, 0, 1])
    first = RADIUS * outward - (COLUMNS - 1) / 2 * PIXEL * to_the_right + [0, 0, TOP]
    return item_of(
        CollimatorType="PARA",
        StartAngle=angle,
        ImageOrientationPatient=[f"{value:.8f}" for value in (*to_the_right, 0, 0, -1)],
        ImagePositionPatient=[f"{value:.6f}" for value in first],
        **elements,
    )
