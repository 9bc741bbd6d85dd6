"""The one-page report as an encapsulated PDF (PS3.3 A.45.1)."""

from ...base.version import VERSION
from .identity import DOCUMENT, SOFTWARE, STATEMENT, Origin

_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"


def encapsulated_pdf(origin: Origin, pdf: bytes):
    """The report as a data set of pydicom; highdicom has no class for it, so the modules are filled here."""
    from highdicom.base import SOPClass
    from pydicom.dataset import Dataset

    document = SOPClass(
        sop_class_uid=_CLASS,
        modality="DOC",
        **origin.patient_and_study(),
        **origin.arguments(DOCUMENT, pdf),
    )
    origin.finish(document)
    document.ConversionType = "WSD"
    document.AcquisitionDateTime = None
    document.BurnedInAnnotation = "YES"
    document.DocumentTitle = f"{SOFTWARE} {VERSION} report. {STATEMENT}"
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = "126000", "DCM", "Imaging Measurement Report"
    document.ConceptNameCodeSequence = [title]
    document.VerificationFlag = "UNVERIFIED"
    document.SourceInstanceSequence = origin.source_images()
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocumentLength = len(pdf)
    document.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return document
