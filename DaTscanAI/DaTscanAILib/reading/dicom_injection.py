"""What a DICOM header tells of the injection (part 3 of the standard, C.8.4.10, the NM isotope module)."""

from datetime import datetime, timedelta

from .dicom_header import nested_item, own_numbers, text
from .scan_record import Injection
from .study_date import parse_date

# The standard's unit in nuclear medicine is MBq (C.8.4.10.1.7). Some programs write Bq as in PET; no dose of I-123
# can be both, so the number itself tells the unit.
_DOSES_MBQ = (10.0, 2000.0)
_BQ = 1e6
_LONGEST = timedelta(hours=48)


def injection_of(dataset) -> Injection:
    """Dose and time to the scan; None where the header does not state them, or not so that they can be meant."""
    item = nested_item(dataset, "RadiopharmaceuticalInformationSequence")
    return Injection(_dose(item), _minutes(item, dataset))


def _dose(item):
    stated = None if item is None else own_numbers(item, "RadionuclideTotalDose", 1)
    if stated is None:
        return None
    low, high = _DOSES_MBQ
    fitting = [dose for dose in (float(stated[0]), float(stated[0]) / _BQ) if low <= dose <= high]
    return round(fitting[0], 3) if fitting else None


def _minutes(item, dataset):
    scan = _moment(text(dataset, "AcquisitionDateTime")) or _moment(
        text(dataset, "AcquisitionDate") + text(dataset, "AcquisitionTime")
    )
    if item is None or scan is None:
        return None
    injected = _moment(text(item, "RadiopharmaceuticalStartDateTime"))
    if injected is None:  # a time without a date is of the scan's day
        injected = _moment(f"{scan:%Y%m%d}" + text(item, "RadiopharmaceuticalStartTime"))
    if injected is None or not timedelta(0) < scan - injected <= _LONGEST:
        return None
    return round((scan - injected).total_seconds() / 60, 1)


def _moment(digits):
    """Of DICOM's YYYYMMDDHHMM[SS[.FFFFFF]][&ZZXX]; the zone is left out, both ends of an interval have the same."""
    whole = digits.split(".")[0].split("+")[0].split("-")[0].replace(":", "")
    day, time = parse_date(whole[:8]), whole[8:]
    if day is None or len(time) not in (4, 6) or not time.isdecimal():
        return None
    try:
        return datetime(day.year, day.month, day.day, *(int(time[at : at + 2]) for at in range(0, len(time), 2)))
    except ValueError:
        return None
