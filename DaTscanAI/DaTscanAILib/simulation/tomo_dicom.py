"""A simulated acquisition as a camera exports it: projections in DICOM (NM TOMO).

Geometry as `reconstruction/tomo.py` explains it: the simulator's view 0 is from the front, which is DICOM's 180
degrees, and its detector goes to the patient's left, where DICOM's angle falls: clockwise (CW).
"""

import io
import uuid
from pathlib import Path

import numpy as np

from ..base.files import atomic_write_bytes
from ..base.version import VERSION
from .simulator import SimulatedScan

_NM_STORAGE = "1.2.840.10008.5.1.4.1.1.20"
_NAMESPACE = uuid.UUID("5b0c2f6e-3a7d-4c58-9d61-8f2e0a4b7c19")
_START_ANGLE, _FRAME_MILLISECONDS = 180, 30000
_PHOTOPEAK_KEV = (143.1, 174.9)  # 159 keV +-10 %
_LARGEST_STORED = 65535


def write_projections(path: Path | str, scan: SimulatedScan) -> None:
    """Write the projections of a scan; the same scan gives the same bytes.

    Raises:
        OSError: the folder is missing, read-only or full.
        ValueError: more counts in a pixel than 16 bits hold.
    """
    stream = io.BytesIO()
    projections_dataset(scan).save_as(stream, enforce_file_format=True)
    atomic_write_bytes(path, stream.getvalue())


def projections_dataset(scan: SimulatedScan):
    """The pydicom Dataset of a scan's projections, one detector that goes once all the way round."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = _NM_STORAGE
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = _uid(scan.seed, "instance")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _uid(scan.seed, "study"), _uid(scan.seed, "series")
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = _uid(scan.seed, "frame of reference"), ""
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]
    dataset.Modality, dataset.SeriesDescription = "NM", "simulated projections"
    dataset.Manufacturer, dataset.ManufacturerModelName = "DaTscanAI simulator", f"{scan.camera.family} {VERSION}"
    _add_patient(dataset, scan)
    _add_acquisition(dataset, scan)
    _add_pixels(dataset, scan.projections)
    return dataset


def _uid(seed, what):
    """A UID that the seed decides (part 5, B.2)."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, f'{VERSION} {seed} {what}').int}"


def _add_patient(dataset, scan):
    dataset.PatientName, dataset.PatientID = "SIMULATED", f"SIM{scan.seed:06d}"
    dataset.PatientBirthDate, dataset.PatientSex = "", scan.person.sex
    dataset.PatientAge = f"{round(scan.person.age):03d}Y"
    dataset.StudyDate = dataset.StudyTime = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", 1, 1
    dataset.PatientPosition = "HFS"
    supine = _code("F-10340", "supine")
    dataset.PatientOrientationCodeSequence = _code("F-10450", "recumbent")
    dataset.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = supine
    dataset.PatientGantryRelationshipCodeSequence = _code("F-10470", "headfirst")


def _add_acquisition(dataset, scan):
    camera = scan.camera
    views = len(scan.projections)
    dataset.RadiopharmaceuticalInformationSequence = [_item(Radiopharmaceutical="I-123 FP-CIT")]
    dataset.EnergyWindowInformationSequence = [
        _item(
            EnergyWindowName="I-123",
            EnergyWindowRangeSequence=[
                _item(EnergyWindowLowerLimit=_PHOTOPEAK_KEV[0], EnergyWindowUpperLimit=_PHOTOPEAK_KEV[1])
            ],
        )
    ]
    dataset.RotationInformationSequence = [
        _item(
            StartAngle=_START_ANGLE,
            AngularStep=f"{360 / views:.10g}",
            RotationDirection="CW",
            ScanArc=360,
            ActualFrameDuration=_FRAME_MILLISECONDS,
            RadialPosition=f"{camera.radius:.6g}",
            NumberOfFramesInRotation=views,
        )
    ]
    dataset.DetectorInformationSequence = [
        _item(
            CollimatorType="PARA",
            ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
            ImagePositionPatient=[f"{value:.6g}" for value in _first_pixel(scan)],
        )
    ]
    for vector, count in (
        ("EnergyWindowVector", "NumberOfEnergyWindows"),
        ("DetectorVector", "NumberOfDetectors"),
        ("RotationVector", "NumberOfRotations"),
    ):
        setattr(dataset, vector, [1] * views)
        setattr(dataset, count, 1)
    dataset.AngularViewVector = list(range(1, views + 1))
    dataset.FrameIncrementPointer = [0x00540010, 0x00540020, 0x00540050, 0x00540090]
    dataset.NumberOfFrames = views
    dataset.PixelSpacing = [f"{camera.pixel:.10g}"] * 2


def _first_pixel(scan):
    """LPS position of the upper left pixel of the view from the front: the patient's right, the top of the head."""
    _, columns, slices = scan.projections.shape
    pixel = scan.camera.pixel
    return -(columns - 1) / 2 * pixel, -scan.camera.radius, scan.projections_bottom + (slices - 1) * pixel


def _add_pixels(dataset, projections):
    # From columns along the patient's right and slices upwards to rows from the top, seen from the detector.
    frames = projections[:, ::-1, ::-1].transpose(0, 2, 1)
    if frames.max() > _LARGEST_STORED:
        raise ValueError(f"{frames.max():.0f} counts in a pixel are more than 16 bits hold")
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = frames.shape[1:]
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = np.rint(frames).astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"


def _code(value, meaning):
    return [_item(CodeValue=value, CodingSchemeDesignator="SRT", CodeMeaning=meaning)]


def _item(**elements):
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
