"""What a manifest or a file may state of the examination beside the image."""

from collections.abc import Mapping

from ..base.errors import DaTscanError

_TEXTS = ("indication", "tracer", "drugs", "prior_scan")
_MOST = {"dose_mbq": 2000.0, "injection_to_scan_min": 2880.0}
CLINICAL_COLUMNS = (*_TEXTS, *_MOST)
_NAMES = {"dose_mbq": "dose", "injection_to_scan_min": "time from injection to scan"}
_UNITS = {"dose_mbq": "MBq", "injection_to_scan_min": "minutes"}
_LONGEST = 300  # characters that a page has room for


def checked_clinical(cells: Mapping[str, str], where: str) -> dict[str, str | float]:
    """Texts and numbers by column; columns of other things and empty ones are left out.

    Args:
        cells: texts by column.
        where: they stand, for the error sentence.

    Raises:
        DaTscanError: a number that is none, or cannot be one of its unit.
    """
    stated = {column: " ".join(cells[column].split()) for column in CLINICAL_COLUMNS if cells.get(column)}
    return {
        column: _number(text, column, where) if column in _MOST else text[:_LONGEST]
        for column, text in stated.items()
        if text
    }


def _number(text, column, where):
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = 0.0
    if not 0 < value <= _MOST[column]:
        shown = "".join(character if character.isprintable() else "?" for character in text)[:40]
        raise DaTscanError(
            f'{where} has the {_NAMES[column]} "{shown}": give {_UNITS[column]} as a number, or leave it empty.'
        )
    return value
