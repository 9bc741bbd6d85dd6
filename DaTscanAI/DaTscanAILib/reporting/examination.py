"""The examination as the report heads it: what was asked, given and recorded; empty where nobody stated it."""

import numpy as np

from ..mni.geometry import voxel_spacing
from .language import ENGLISH, Language
from .wording import number, value_of

FROM_HEADER = " *"
_TIMES = " \N{MULTIPLICATION SIGN} "


def examination_rows(result: dict, words: Language = ENGLISH) -> list[tuple[str, str]]:
    """Name and text of each entry, in the order of IAEA's report skeleton.

    Args:
        result: the dictionary of `result.json`.
        words: language of the names; what a person stated stays as it is.
    """
    return [
        (words("examination.indication"), _stated(result, "indication", words)),
        (words("examination.drugs"), _stated(result, "drugs", words)),
        (words("examination.tracer"), _tracer_and_dose(result, words)),
        (words("examination.interval"), _stated(result, "injection_to_scan_min", words, _hours)),
        (words("examination.acquisition"), _acquisition(result, words) or words("not_stated")),
        (words("examination.processing"), _processing(result, words) or words("not_stated")),
        (words("examination.comparison"), prior_scan(result, words) or words("examination.no_prior")),
    ]


def is_from_header(result: dict) -> bool:
    """Whether any entry has the mark of what the scan's header gave."""
    return bool(value_of(result, "clinical", "from_dicom"))


def prior_scan(result: dict, words: Language = ENGLISH) -> str:
    """The patient's scan before, as stated or from the manifest; empty where none is known."""
    stated = value_of(result, "clinical", "prior_scan")
    case, years = (value_of(result, "clinical", key) for key in ("prior_case", "prior_years"))
    known = [str(stated)] if stated else []
    if case:
        known.append(words("examination.prior", case=case, years=number(years, 1, words=words)))
    return "; ".join(known)


def _stated(result, key, words, text_of=lambda value, _words: str(value)):
    value = value_of(result, "clinical", key)
    if value is None:
        return words("not_stated")
    mark = FROM_HEADER if key in (value_of(result, "clinical", "from_dicom") or ()) else ""
    return text_of(value, words) + mark


def _tracer_and_dose(result, words):
    known = {"tracer": _stated(result, "tracer", words), "dose": _stated(result, "dose_mbq", words, _dose)}
    if set(known.values()) == {words("not_stated")}:
        return words("not_stated")
    texts = [words(f"examination.{key}.none") if text == words("not_stated") else text for key, text in known.items()]
    return ", ".join(texts)


def _dose(value, words):
    return words("examination.dose.value", dose=words.numbers_of(f"{value:.4g}"))


def _hours(value, words):
    hours, minutes = divmod(round(value), 60)
    return words("examination.interval.value", hours=hours, minutes=minutes)


def _acquisition(result, words):
    camera = value_of(result, "camera") or {}
    maker = " ".join(filter(None, (camera.get("manufacturer"), camera.get("model"))))
    collimator = camera.get("collimator")
    parts = [maker, collimator and words("examination.collimator", name=collimator), _voxels(result, words)]
    return ", ".join(filter(None, parts))


def _voxels(result, words):
    shape, affine = (value_of(result, "scan", key) for key in ("shape", "affine_ras"))
    if not shape or not affine:
        return ""
    edges = [f"{edge:.2f}".rstrip("0").rstrip(".") for edge in voxel_spacing(np.array(affine))]
    edges = edges[:1] if len(set(edges)) == 1 else edges
    size = _TIMES.join(words.numbers_of(edge) for edge in edges)
    return words("examination.voxels", shape=_TIMES.join(map(str, shape)), size=size)


def _processing(result, words):
    camera = value_of(result, "camera") or {}
    names, kernel = ", ".join(camera.get("corrections") or ()), camera.get("filter")
    parts = [
        camera.get("reconstruction"),
        kernel and words("examination.filter", name=kernel),
        names and words("examination.corrections", names=names),
    ]
    return "; ".join(filter(None, parts))
