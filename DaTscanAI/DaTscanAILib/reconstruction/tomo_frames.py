"""Which energy window, detector, rotation and angle each frame of NM TOMO projections has.

Angles in this file are DICOM's: see `tomo.py`.
"""

from dataclasses import dataclass

import numpy as np

from ..base.errors import DaTscanError
from ..reading.dicom_header import nested_item, number, own_numbers, text

PHOTOPEAK = 159.0  # keV, I-123
FULL_CIRCLE, HALF_CIRCLE = 360.0, 180.0
_DIRECTIONS = {"CW": -1, "CC": 1, "CCW": 1}
_MAX_DETECTORS, _MAX_ROTATIONS, _MAX_WINDOWS = 3, 20, 32
_NOTICED_OFFSET = 1.0  # mm of the center of rotation
_NOTICED_TURN = 1.0  # degrees between two statements of one angle


class FrameNumbers:
    """For every frame the number, from 1, of its energy window, detector, rotation and view.

    `views` is None where the file does not number them: then frames are in the order of acquisition.
    """

    def __init__(self, dataset, frames, name):
        def vector(keyword):
            values = own_numbers(dataset, keyword)
            if values is not None and len(values) != frames:
                raise DaTscanError(
                    f"{name} numbers {len(values)} of its {frames} frames ({keyword}): export it again."
                )
            return values

        def ones_unless(keyword):
            values = vector(keyword)
            return np.ones(frames, int) if values is None else values.astype(int)

        self.windows = ones_unless("EnergyWindowVector")
        self.detectors = ones_unless("DetectorVector")
        self.rotations = ones_unless("RotationVector")
        self.views = vector("AngularViewVector")

    def steps(self, group):
        """How many angular steps each frame of one detector and rotation is past the first; `group` are indices."""
        return np.arange(len(group)) if self.views is None else self.views[group] - self.views[group].min()


def choose_photopeak(dataset, windows: np.ndarray, name: str, warnings: list[str]) -> tuple[int, str]:
    """Number and description of the energy window around 159 keV.

    Args:
        dataset: of pydicom.
        windows: window number of each frame.
        name: for the error sentence.
        warnings: the choice among several is added.

    Raises:
        DaTscanError: several windows, and none is said to hold the photopeak.
    """
    present = np.unique(windows)
    known = {index: _limits(dataset, index) for index in present}
    holding = [index for index, limits in known.items() if any(low <= PHOTOPEAK <= high for low, high in limits)]
    if len(present) == 1:
        chosen = present[0]
        if known[chosen] and not holding:
            warnings.append(f"The energy window does not hold the 159 keV of I-123: {_describe(dataset, chosen)}.")
    elif not holding:
        raise DaTscanError(
            f"{name} has {len(present)} energy windows, and none is said to hold the 159 keV of I-123: "
            "export the photopeak alone."
        )
    else:
        chosen = min(holding, key=lambda index: _off_peak(known[index]))
        warnings.append(f"Of {len(present)} energy windows the photopeak was taken: {_describe(dataset, chosen)}.")
    return chosen, _describe(dataset, chosen)


def _off_peak(limits):
    """For sorting: distance of a window's middle from the photopeak, then its width."""
    return min((round(abs((low + high) / 2 - PHOTOPEAK), 1), high - low) for low, high in limits)


def _limits(dataset, index):
    """(lower, upper) keV of the ranges of a window, as far as they are stated."""
    found = []
    window = nested_item(dataset, "EnergyWindowInformationSequence", index=int(index) - 1)
    for range_ in _items(window, "EnergyWindowRangeSequence", _MAX_WINDOWS):
        lower, upper = (own_numbers(range_, f"EnergyWindow{end}Limit", 1) for end in ("Lower", "Upper"))
        if lower is None or upper is None:
            continue
        low, high = float(lower[0]), float(upper[0])
        while high > 1000:  # some cameras write hundredths of keV or eV
            low, high = low / 10, high / 10
        if 0 < low < high:
            found.append((low, high))
    return found


def _describe(dataset, index):
    window = nested_item(dataset, "EnergyWindowInformationSequence", index=int(index) - 1)
    limits = ", ".join(f"{low:.0f}-{high:.0f} keV" for low, high in _limits(dataset, index))
    label = text(window, "EnergyWindowName") or f"window {index}"
    return f"{label} ({limits})" if limits else label


def _items(dataset, keyword, most):
    """The items of a sequence, at most so many; none where it is missing."""
    items = []
    while len(items) < most and (item := nested_item(dataset, keyword, index=len(items))) is not None:
        items.append(item)
    return items


@dataclass(frozen=True)
class Motion:
    """How the frames of one energy window were taken; angles are DICOM's.

    Attributes:
        angles: `(frames,)` degrees from 0 to 360.
        times: `(frames,)` in any unit.
        step: degrees between views; the smallest, if rotations differ.
        radius: mean, mm, or None.
        first_angle: where the first detector started.
        first_detector: its item in the header, or None.
    """

    angles: np.ndarray
    times: np.ndarray
    step: float
    radius: float | None
    first_angle: float
    first_detector: object


def detector_motion(dataset, numbers: FrameNumbers, used: np.ndarray, name: str, warnings: list[str]) -> Motion:
    """Angle and time of the frames `used` (indices), from the detectors' and rotations' items.

    Raises:
        DaTscanError: angles that the header does not tell, or several positions of the table.
    """
    detectors = _items(dataset, "DetectorInformationSequence", _MAX_DETECTORS)
    rotations = _items(dataset, "RotationInformationSequence", _MAX_ROTATIONS)
    _check_rotations(rotations, numbers.rotations[used], numbers.detectors[used], name)
    _check_center_of_rotation(detectors, warnings)
    starts = _start_angles(detectors, rotations, numbers, used, name, warnings)
    angles, times, all_steps = np.empty(len(used)), np.ones(len(used)), []
    for (detector, rotation), start in starts.items():
        group = (numbers.detectors[used] == detector) & (numbers.rotations[used] == rotation)
        item, passed = rotations[rotation - 1], numbers.steps(used[group])
        step = _signed_step(item, int(passed.max()) + 1, name)
        angles[group] = start + step * passed
        duration = number(item, "ActualFrameDuration")
        times[group] = duration if duration and duration > 0 else 1.0
        all_steps.append(abs(step))
    first = min(starts)
    return Motion(
        angles=np.mod(angles, FULL_CIRCLE),
        times=times,
        step=min(all_steps),
        radius=_mean_radius(detectors, rotations),
        first_angle=starts[first],
        first_detector=detectors[first[0] - 1] if first[0] <= len(detectors) else None,
    )


def _check_rotations(rotations, rotation_numbers, detector_numbers, name):
    if not 1 <= rotation_numbers.min() <= rotation_numbers.max() <= len(rotations):
        raise DaTscanError(f"{name} does not tell how the detector turned (Rotation Information): export it again.")
    if not 1 <= detector_numbers.min() <= detector_numbers.max() <= _MAX_DETECTORS:
        raise DaTscanError(
            f"{name} numbers its detectors beyond {_MAX_DETECTORS}: no camera has more, export it again."
        )
    traverses = [number(rotations[index - 1], "TableTraverse") or 0.0 for index in np.unique(rotation_numbers)]
    if np.ptp(traverses) > 1:
        raise DaTscanError(f"{name} was acquired in several positions of the table: give the one over the head.")


def _check_center_of_rotation(detectors, warnings):
    """An offset is not applied: the standard does not say towards which side, and cameras mostly have done so."""
    offsets = [own_numbers(item, "CenterOfRotationOffset", 1) for item in detectors]
    largest = max((abs(float(offset[0])) for offset in offsets if offset is not None), default=0.0)
    if largest > _NOTICED_OFFSET:
        warnings.append(
            f"The header states a center of rotation {largest:.1f} mm off, taken as corrected: check sharpness."
        )


def _start_angles(detectors, rotations, numbers, used, name, warnings):
    """`{(detector, rotation): angle}` of DICOM, from the detector's own start and that of each rotation."""
    pairs = sorted({*zip(numbers.detectors[used].tolist(), numbers.rotations[used].tolist(), strict=True)})
    own = {detector: _start_angle(detectors, detector) for detector, _ in pairs}
    of_rotation = {rotation: _start_angle(rotations, rotation) for _, rotation in pairs}
    first = min(of_rotation)
    base = of_rotation[first] if of_rotation[first] is not None else own[min(own)]
    if base is None or (len(of_rotation) > 1 and None in of_rotation.values()):
        raise DaTscanError(f"{name} states no start angle, so front and back are unknown: export it again.")
    if len(own) > 1 and (None in own.values() or len({round(start) % 360 for start in own.values()}) < len(own)):
        if len(own) > 2:
            raise DaTscanError(f"{name} does not state where each of its detectors started: export it again.")
        one, other = sorted(own)
        own[one] = base if own[one] is None else own[one]
        own[other] = own[one] + HALF_CIRCLE  # so cameras that leave it out stand, GE's for one
        warnings.append("The header does not state where the second detector started: taken as opposite the first.")
    stated = [start for start in own.values() if start is not None]
    if stated and min(_apart(start, base) for start in stated) > _NOTICED_TURN:
        warnings.append(
            "Detector and rotation in the header start at different angles; the detector's is taken: "
            "check front, left and right."
        )
    return {
        (detector, rotation): (base if own[detector] is None else own[detector])
        + (0.0 if of_rotation[rotation] is None else of_rotation[rotation] - base)
        for detector, rotation in pairs
    }


def _apart(angle, other):
    """Degrees between two angles, 0 to 180."""
    return abs((angle - other + HALF_CIRCLE) % FULL_CIRCLE - HALF_CIRCLE)


def _start_angle(items, index):
    value = own_numbers(items[index - 1], "StartAngle", 1) if index <= len(items) else None
    return None if value is None else float(value[0])


def _signed_step(rotation, views, name):
    """Degrees from one view to the next, negative where the angle falls."""
    direction = _DIRECTIONS.get(text(rotation, "RotationDirection").upper())
    if direction is None:
        raise DaTscanError(f"{name} does not say which way its detector turned: export it again.")
    step = number(rotation, "AngularStep")
    if not step or step <= 0:
        arc = number(rotation, "ScanArc")
        if not arc or arc <= 0:
            raise DaTscanError(f"{name} states no angular step between its views: export it again.")
        step = arc / views
    return direction * step


def _mean_radius(detectors, rotations):
    values = [own_numbers(item, "RadialPosition") for item in (*detectors, *rotations)]
    radii = np.concatenate([value for value in values if value is not None] or [np.zeros(0)])
    return float(radii[radii > 0].mean()) if (radii > 0).any() else None
