"""A picture as a secondary capture, for viewers that show images only."""

import numpy as np
from PIL import Image

from .identity import CAPTURE, STATEMENT, Origin


def secondary_capture(origin: Origin, picture: Image.Image, what: str, number: int):
    """The picture as a data set of pydicom, uncompressed RGB, which every archive takes.

    It has no frame of reference: it shows slices in MNI space, legends and words.

    Args:
        origin: of the result.
        picture: to be shown.
        what: a sentence on what it shows.
        number: in the series.
    """
    from highdicom.sc import SCImage

    pixels = np.asarray(picture.convert("RGB"))
    capture = SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        **origin.patient_and_study(),
        **origin.arguments(CAPTURE, pixels.tobytes(), number),
    )
    origin.finish(capture)
    capture.ConversionType = "WSD"
    capture.DateOfSecondaryCapture, capture.TimeOfSecondaryCapture = capture.SeriesDate, capture.SeriesTime
    capture.PatientOrientation = []  # several views and legends
    capture.BurnedInAnnotation = "YES"  # the name of the case, which may say who it is
    capture.BodyPartExamined = "BRAIN"
    capture.ImageComments = STATEMENT
    capture.DerivationDescription = what
    capture.SourceImageSequence = origin.source_images()
    return capture
