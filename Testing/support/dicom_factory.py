"""Synthetic nuclear-medicine DICOM with a marker at a known place, right or wrong as a header can be.

The place of every voxel follows from the formulas of the standard (C.7.6.2.1.1 and C.8.4.15), written down
here once more and voxel by voxel, so that the reader's matrices have something to be wrong against.
"""

import copy
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, RLELossless
from scipy.spatial.transform import Rotation

NM_CLASS = "1.2.840.10008.5.1.4.1.1.20"
CAPTURE_CLASS = "1.2.840.10008.5.1.4.1.1.7.3"
AXIAL = (1, 0, 0, 0, 1, 0)
OBLIQUE = tuple(Rotation.from_euler("xyz", [12, -7, 20], degrees=True).as_matrix().T[:2].ravel())
MARKER_RAS = np.array([21.0, 13.0, -17.0])  # to the right, front and bottom of the origin: no symmetry hides a flip
MARKER_SIGMA = 7.0  # mm
MARKER_COUNTS = 40000.0
SHAPE = (48, 40, 36)  # columns, rows, slices
PIXEL_SPACING = (4.0, 3.5)  # between rows, between columns: unequal, so that an exchange shows
SLICE_SPACING = 3.8


def centered_position(orientation=AXIAL, pixel_spacing=PIXEL_SPACING, slice_spacing=SLICE_SPACING, shape=SHAPE):
    """LPS position of the first voxel that puts the volume around the origin."""
    return -voxel_positions(orientation, (0, 0, 0), pixel_spacing, slice_spacing, shape).mean(axis=(0, 1, 2))


def voxel_positions(orientation, position, pixel_spacing, slice_spacing, shape):
    """LPS mm of every voxel, (slice, row, column, 3)."""
    along_row, along_column = np.reshape(np.array(orientation, float), (2, 3))
    normal = np.array(
        [
            along_row[1] * along_column[2] - along_row[2] * along_column[1],
            along_row[2] * along_column[0] - along_row[0] * along_column[2],
            along_row[0] * along_column[1] - along_row[1] * along_column[0],
        ]
    )
    k, j, i = (axis[..., None] for axis in np.indices(shape[::-1]))
    in_plane = i * pixel_spacing[1] * along_row + j * pixel_spacing[0] * along_column
    return np.array(position, float) + in_plane + k * slice_spacing * normal


def marker_frames(positions, marker_ras=MARKER_RAS):
    """Frames (slice, row, column), float64, with a Gaussian blob around the marker and nothing else."""
    marker_lps = np.array(marker_ras) * [-1, -1, 1]
    squared = ((positions - marker_lps) ** 2).sum(axis=-1)
    return MARKER_COUNTS * np.exp(-squared / (2 * MARKER_SIGMA**2))


def marker_place(voxels, affine):
    """RAS mm of the center of mass of a volume `(x, y, z)`."""
    weights = voxels.astype(float)
    center = [(weights * axis).sum() / weights.sum() for axis in np.indices(voxels.shape)]
    return affine[:3, :3] @ center + affine[:3, 3]


def nm_dataset(
    orientation=AXIAL,
    position=None,
    pixel_spacing=PIXEL_SPACING,
    slice_spacing=SLICE_SPACING,
    shape=SHAPE,
    geometry="detector",
    numbers="<u2",
    slope=1.0,
    intercept=0.0,
    order=None,
    modality="NM",
    image_type=("ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"),
    sop_class=NM_CLASS,
    **elements,
) -> Dataset:
    """A multi-frame reconstruction.

    Args:
        orientation: Image Orientation (Patient).
        position: Image Position (Patient); None centers the volume on the origin.
        pixel_spacing: between rows, between columns, mm.
        slice_spacing: signed, mm.
        shape: columns, rows, slices.
        geometry: where orientation and position stand: "detector", "top", "groups" (functional groups) or
            "nowhere".
        numbers: numpy type of the stored pixels.
        slope: of the rescale; the stored numbers are divided by it.
        intercept: likewise subtracted.
        order: which slice each stored frame shows, counted from 0; also written to the Slice Vector.
        modality, image_type, sop_class: as they say.
        elements: further elements by keyword; None removes one.
    """
    position = centered_position(orientation, pixel_spacing, slice_spacing, shape) if position is None else position
    frames = marker_frames(voxel_positions(orientation, position, pixel_spacing, slice_spacing, shape))
    order = list(range(shape[2])) if order is None else list(order)
    dataset = _header(modality, image_type, sop_class)
    _add_geometry(dataset, geometry, orientation, position, pixel_spacing, slice_spacing, shape[2])
    dataset.NumberOfFrames = shape[2]
    dataset.FrameIncrementPointer = 0x00540080
    dataset.SliceVector = [slice_ + 1 for slice_ in order]
    dataset.NumberOfSlices = shape[2]
    dataset.RescaleSlope, dataset.RescaleIntercept = f"{slope:.12g}", f"{intercept:.12g}"
    set_pixels(dataset, (frames[order] - intercept) / slope, numbers)
    change(dataset, **elements)
    return dataset


def nm_slices(count=SHAPE[2], slopes=None, geometry="top", slice_spacing=SLICE_SPACING, **options) -> list[Dataset]:
    """The same reconstruction, one data set for each slice, from the first to the last."""
    shape = (*SHAPE[:2], count)
    whole = nm_dataset(shape=shape, slice_spacing=slice_spacing, geometry="top", **options)
    frames = whole.pixel_array.astype(float)
    del whole.PixelData
    normal = np.cross(whole.ImageOrientationPatient[:3], whole.ImageOrientationPatient[3:])
    datasets = []
    for index in range(count):
        slope = 1.0 if slopes is None else slopes[index]
        dataset = copy.deepcopy(whole)
        place = np.array(whole.ImagePositionPatient, float) + index * slice_spacing * normal
        change(dataset, NumberOfFrames=1, SliceVector=[1], InstanceNumber=index + 1, RescaleSlope=f"{slope:.12g}")
        dataset.ImagePositionPatient = [f"{number:.6f}" for number in place]
        set_identity(dataset)
        set_pixels(dataset, frames[index] / slope, "<u2")
        if geometry == "detector":
            _move_to_detector(dataset)
        datasets.append(dataset)
    return datasets


def set_pixels(dataset, frames, numbers):
    """Store frames as a numpy type, integers rounded."""
    kind = np.dtype(numbers)
    stored = np.rint(frames).astype(kind) if kind.kind in "iu" else frames.astype(kind)
    dataset.Rows, dataset.Columns = frames.shape[-2:]
    for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        dataset.pop(keyword, None)
    bits = 8 * kind.itemsize
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.BitsAllocated = 1, "MONOCHROME2", bits
    if kind.kind == "f":
        setattr(dataset, "FloatPixelData" if bits == 32 else "DoubleFloatPixelData", stored.tobytes())
        return
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits - 1, int(kind.kind == "i")
    data = stored.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"


def set_identity(dataset):
    """A SOP Instance UID of its own."""
    dataset.SOPInstanceUID = pydicom.uid.generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID


def change(dataset, **elements):
    """Set elements by keyword, or remove those that are None."""
    for keyword, value in elements.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)


def code(value, meaning) -> Sequence:
    """A code sequence of one item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SRT", meaning
    return Sequence([item])


def item_of(**elements) -> Dataset:
    """A sequence item with these elements."""
    item = Dataset()
    change(item, **elements)
    return item


def save(dataset: Dataset, path: Path, syntax=ExplicitVRLittleEndian) -> Path:
    """Write a data set, RLE-compressed if the syntax says so."""
    if syntax == RLELossless:
        dataset.compress(RLELossless)  # from the uncompressed syntax that it has so far
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, enforce_file_format=True)
    return path


def _header(modality, image_type, sop_class):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    set_identity(dataset)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = (
        pydicom.uid.generate_uid(),
        pydicom.uid.generate_uid(),
    )
    dataset.Modality, dataset.ImageType = modality, list(image_type)
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Doe^Jane", "MRN-4711", "19500203"
    dataset.AccessionNumber, dataset.PatientSex, dataset.PatientAge = "ACC-0815", "F", "071Y"
    dataset.PatientPosition, dataset.StudyDate = "HFS", "20210304"
    dataset.Manufacturer, dataset.ManufacturerModelName = "Test Camera Works", "Twin Head"
    return dataset


def _add_geometry(dataset, geometry, orientation, position, pixel_spacing, slice_spacing, slices):
    cosines = [f"{number:.10f}" for number in np.array(orientation, float)]
    first = [f"{number:.6f}" for number in position]
    spacing = [str(number) for number in pixel_spacing]
    if geometry == "groups":
        _add_groups(dataset, cosines, position, spacing, slice_spacing, slices)
        return
    dataset.PixelSpacing, dataset.SliceThickness = spacing, str(abs(slice_spacing))
    dataset.SpacingBetweenSlices = str(slice_spacing)
    if geometry != "nowhere":
        dataset.ImageOrientationPatient, dataset.ImagePositionPatient = cosines, first
    if geometry == "detector":
        _move_to_detector(dataset)


def _move_to_detector(dataset):
    detector = item_of(
        ImageOrientationPatient=dataset.ImageOrientationPatient,
        ImagePositionPatient=dataset.ImagePositionPatient,
        CollimatorType="PARA",
    )
    dataset.DetectorInformationSequence = Sequence([detector])
    del dataset.ImageOrientationPatient, dataset.ImagePositionPatient


def _add_groups(dataset, cosines, position, spacing, slice_spacing, slices):
    """Enhanced and legacy converted objects: what is common once, the positions frame by frame."""
    normal = np.cross(*np.reshape(np.array(cosines, float), (2, 3)))
    dataset.SharedFunctionalGroupsSequence = Sequence(
        [
            item_of(
                PlaneOrientationSequence=Sequence([item_of(ImageOrientationPatient=cosines)]),
                PixelMeasuresSequence=Sequence([item_of(PixelSpacing=spacing)]),
            )
        ]
    )
    places = [np.array(position) + index * slice_spacing * normal for index in range(slices)]
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        item_of(PlanePositionSequence=Sequence([item_of(ImagePositionPatient=[f"{n:.6f}" for n in place])]))
        for place in places
    )
