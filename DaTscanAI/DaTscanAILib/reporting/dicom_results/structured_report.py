"""The measurements as a Comprehensive SR of template TID 1500 (PS3.16): for programs to read, and for people.

A scan that was refused has a report too, which says so and why, and holds no number: a report that is missing would
look like one that is late, and a number of a failed registration would look like a measurement.
"""

from pydicom.dataset import Dataset

from ...base.version import VERSION
from ...mni.atlas import SIDES
from ...quantification.hottest_voxels import HOTTEST_VOLUME_ML
from ..result_files import is_refused
from ..wording import value_of
from . import codes
from .identity import REPORT, SOFTWARE, STATEMENT, Origin, derived_uid

_NUCLEI = ("putamen", "caudate")


def structured_report(origin: Origin):
    """The report of a result, a data set of pydicom."""
    from highdicom.sr import ComprehensiveSR

    class Report(ComprehensiveSR):
        """Takes patient and study from what has been checked, whatever class the source is of."""

        def copy_patient_and_study_information(self, dataset: Dataset) -> None:  # noqa: ARG002
            origin.finish(self)

    evidence = _evidence(origin)
    return Report(
        evidence=evidence,
        content=_content(origin, evidence),
        is_complete=True,
        is_final=False,
        coding_schemes=[_scheme()],
        **origin.arguments(REPORT),
    )


def _evidence(origin):
    """The images of the scan, as far as the report refers to them."""
    values, source = origin.source.values, origin.source
    images = []
    for image in source.images:
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = image.sop_class, image.instance
        dataset.Modality, dataset.Rows, dataset.Columns = "NM", source.rows, source.columns
        for keyword in (
            *("StudyInstanceUID", "SeriesInstanceUID", "PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
            *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
        ):
            setattr(dataset, keyword, values[keyword])
        if values["FrameOfReferenceUID"]:
            dataset.FrameOfReferenceUID = values["FrameOfReferenceUID"]
        images.append(dataset)
    return images


def _scheme():
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return CodingSchemeIdentificationItem(
        codes.SCHEME, codes.SCHEME_NAME, VERSION, responsible_organization=f"{SOFTWARE} developers"
    )


def _content(origin, evidence):
    from highdicom.sr import MeasurementReport

    report = MeasurementReport(
        observation_context=_observer(),
        procedure_reported=codes.SPECT,
        imaging_measurements=list(_Groups(origin).all()),
        referenced_images=evidence if _may_be_listed(evidence) else None,
    )
    root = report[0].ContentSequence
    measurements = len(root) - 1
    for place, sentence in enumerate(_sentences(origin.result)):
        root.insert(measurements + place, _comment(sentence))
    return report


def _may_be_listed(evidence):
    """Whether highdicom's library takes images of their class; it knows no retired ones."""
    from highdicom.sr.templates import ImageLibraryEntryDescriptors

    try:
        ImageLibraryEntryDescriptors(evidence[0])
    except (KeyError, ValueError):
        return False
    return True


def _observer():
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext
    from pydicom.sr.codedict import codes as dicom

    device = DeviceObserverIdentifyingAttributes(
        uid=derived_uid("device", VERSION),
        name=SOFTWARE,
        manufacturer_name=SOFTWARE,
        model_name=f"{SOFTWARE} {VERSION}",
    )
    return ObservationContext(observer_device_context=ObserverContext(dicom.DCM.Device, device))


def _comment(sentence):
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    return TextContentItem(codes.COMMENT, sentence, RelationshipTypeValues.CONTAINS)


def _sentences(result) -> list[str]:
    """What a reader has to know beyond the numbers."""
    sentences = [STATEMENT]
    if is_refused(result):
        sentences.append("This scan was refused: no measurement and no answer is given.")
    sentences += [value_of(result, "error"), value_of(result, "quantification", "normals", "source")]
    sentences += result.get("warnings") or ()
    return list(dict.fromkeys(map(str, filter(None, sentences))))


class _Groups:
    """The measurement groups (TID 1501) of a result: one for each quantity of a region and side."""

    def __init__(self, origin: Origin):
        self.origin, self.result = origin, origin.result
        self.quantification = value_of(self.result, "quantification") or {}

    def all(self):
        """None of the numbers of a scan that was refused."""
        yield self._answer()
        yield self._registration()
        if is_refused(self.result):
            return
        for nucleus in HOTTEST_VOLUME_ML:
            for side in SIDES:
                yield from self._measured(("sbr", f"{nucleus}_{side}"), f"{nucleus}_{side}", nucleus, side)
        for side in SIDES:
            key = f"caudate_putamen_ratio_{side}"
            yield from self._measured(("caudate_putamen_ratio", side), key, "striatum", side)
        for nucleus in _NUCLEI:
            yield from self._measured(("asymmetry_percent", nucleus), f"asymmetry_{nucleus}", nucleus, None)

    def _measured(self, place, key, region, side):
        """The group of one quantity with its z-score where normals gave one; nothing where it is not available."""
        value = value_of(self.quantification, *place)
        if value is None:
            return
        name, unit, derivation = {
            "sbr": (codes.SBR, codes.RATIO_UNIT, None),
            "caudate_putamen_ratio": (codes.CAUDATE_PUTAMEN_RATIO, codes.RATIO_UNIT, codes.RATIO),
            "asymmetry_percent": (codes.ASYMMETRY, codes.PERCENT, None),
        }[place[0]]
        numbers = [_number(name, value, unit, derivation)]
        z = value_of(self.quantification, "z", key)
        if z is not None and place[0] == "asymmetry_percent":  # its sign says the side, which the size does not have
            z = abs(z)
        numbers += [] if z is None else [_number(codes.Z_SCORE, z, codes.NO_UNIT)]
        yield self._group(key, codes.REGIONS[region], codes.SIDES.get(side, codes.BOTH_SIDES), numbers)

    def _answer(self):
        from highdicom.sr import QualitativeEvaluation

        answer = value_of(self.result, "classification") or {}
        refused = is_refused(self.result)
        label, probability = (None, None) if refused else (answer.get("label"), answer.get("probability_reduced"))
        numbers = []
        if probability is not None:
            numbers = [_number(codes.PROBABILITY_REDUCED, probability, codes.NO_UNIT, codes.PROBABILITY)]
        evaluation = QualitativeEvaluation(codes.ANSWER, codes.ANSWERS[label])
        model = [] if answer.get("model") is None else [f"model {answer['model']}"]
        return self._group("answer", codes.STRIATUM, codes.BOTH_SIDES, numbers, [evaluation], model)

    def _registration(self):
        from highdicom.sr import QualitativeEvaluation

        registration = value_of(self.result, "registration") or {}
        quality, accepted = registration.get("quality"), registration.get("accepted")
        shown = quality is not None and not is_refused(self.result)
        numbers = [_number(codes.REGISTRATION_QUALITY, quality, codes.NO_UNIT)] if shown else []
        evaluation = QualitativeEvaluation(codes.REGISTRATION_ACCEPTED, codes.YES if accepted else codes.NO)
        return self._group("registration", codes.BRAIN, None, numbers, [evaluation])

    def _group(self, key, region, side, numbers, evaluations=(), parameters=()):
        from highdicom.sr import (
            AlgorithmIdentification,
            FindingSite,
            MeasurementsAndQualitativeEvaluations,
            TrackingIdentifier,
        )

        return MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(self.origin.tracking_uid(key), key),
            algorithm_id=AlgorithmIdentification(SOFTWARE, VERSION, list(parameters) or None),
            finding_sites=[FindingSite(region, side)],
            measurements=numbers or None,
            qualitative_evaluations=list(evaluations) or None,
        )


def _number(name, value, unit, derivation=None):
    from highdicom.sr import Measurement

    return Measurement(name, float(value), unit, derivation=derivation)
