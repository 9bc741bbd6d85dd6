"""What all DICOM results of a scan have in common: patient and study of the source, series, software, UIDs.

UIDs are derived, not random: from those of the source's images and from what the object says. Who analyzes the same
scan twice with the same result gets objects of the same UIDs, of which an archive keeps one. Only the times of their
making differ, for they are true.
"""

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from ...base.version import VERSION
from ...reading.dicom_source import DicomSource

SOFTWARE = "DaTscanAI"
STATEMENT = "Research use only. Not for diagnosis. Not a medical device."
LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_NAMESPACE = uuid.UUID("5d1c1c7e-8c0a-5b0e-9a55-2f8b6f1d3c41")  # of this software's UIDs
# What of a result differs between two runs that found the same.
_PASSING = ("timing_s", "inputs_sha256", "identifiers", "files")


@dataclass(frozen=True)
class Kind:
    """One kind of object: its name, the number and the description of its series."""

    name: str
    number: int
    description: str


REPORT = Kind("report", 9101, f"{SOFTWARE} measurements, research use only")
CAPTURE = Kind("capture", 9102, f"{SOFTWARE} pictures, research use only")
DOCUMENT = Kind("document", 9103, f"{SOFTWARE} report, research use only")


@dataclass(frozen=True, eq=False)
class Origin:
    """The scan, and the result that its DICOM objects tell of.

    Attributes:
        source: of the scan.
        result: the content of `result.json`.
        moment: when the objects are made.
    """

    source: DicomSource
    result: dict
    moment: datetime

    @cached_property
    def _digest(self) -> str:
        """Of the source and of all that was found."""
        lasting = {key: value for key, value in self.result.items() if key not in _PASSING}
        images = [[image.sop_class, image.instance] for image in self.source.images]
        facts = json.dumps([VERSION, self.source.values, images, lasting], sort_keys=True)
        return hashlib.sha256(facts.encode(errors="replace")).hexdigest()

    def series_uid(self, kind: Kind) -> str:
        """Of the series of one kind."""
        return derived_uid("series", kind.name, self._digest)

    def instance_uid(self, kind: Kind, content: bytes = b"") -> str:
        """Of an object with this content beyond the result."""
        return derived_uid("instance", kind.name, self._digest, hashlib.sha256(content).hexdigest())

    def tracking_uid(self, name: str) -> str:
        """Of a measurement of this scan."""
        return derived_uid("tracking", name, *(image.instance for image in self.source.images))

    def arguments(self, kind: Kind, content: bytes = b"", number: int = 1) -> dict:
        """Arguments that highdicom's classes share, patient and study left out.

        Args:
            kind: of the object.
            content: beyond the result.
            number: of the object in its series.
        """
        return {
            "series_instance_uid": self.series_uid(kind),
            "series_number": kind.number,
            "sop_instance_uid": self.instance_uid(kind, content),
            "instance_number": number,
            "manufacturer": SOFTWARE,
            "manufacturer_model_name": SOFTWARE,
            "software_versions": f"{SOFTWARE} {VERSION}",
            "series_description": kind.description,
            "content_qualification": "RESEARCH",
            "content_date": self.moment.date(),
            "content_time": self.moment.time(),
            "transfer_syntax_uid": LITTLE_ENDIAN,
        }

    def patient_and_study(self) -> dict:
        """Arguments of highdicom's classes that say whose object it is and of which study."""
        values = self.source.values
        return {
            "study_instance_uid": values["StudyInstanceUID"],
            "patient_id": values["PatientID"],
            "patient_name": values["PatientName"] or None,
            "patient_birth_date": values["PatientBirthDate"] or None,
            "patient_sex": values["PatientSex"],
            "accession_number": values["AccessionNumber"],
            "study_id": values["StudyID"],
            "study_date": values["StudyDate"] or None,
            "study_time": values["StudyTime"] or None,
            "referring_physician_name": values["ReferringPhysicianName"] or None,
        }

    def finish(self, dataset) -> None:
        """What highdicom leaves out: the character set, further words on patient and study, times that agree."""
        dataset.SpecificCharacterSet = "ISO_IR 192"
        for keyword in ("IssuerOfPatientID", "PatientAge", "PatientIdentityRemoved", "DeidentificationMethod"):
            _put(dataset, keyword, self.source.values[keyword])
        _put(dataset, "StudyDescription", self.source.values["StudyDescription"])
        dataset.SeriesDate = dataset.InstanceCreationDate = self.moment.strftime("%Y%m%d")
        dataset.SeriesTime = dataset.InstanceCreationTime = self.moment.strftime("%H%M%S")

    def source_images(self) -> list:
        """References to the images of the scan, as items of a sequence."""
        from pydicom.dataset import Dataset

        items = []
        for image in self.source.images:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.sop_class, image.instance
            items.append(item)
        return items


def derived_uid(*parts: str) -> str:
    """A UID that follows from texts (PS3.5 B.2: from a UUID, here one of name and namespace, RFC 9562 version 5)."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(10).join(parts)).int}"


def _put(dataset, keyword, value):
    if value:
        setattr(dataset, keyword, value)
