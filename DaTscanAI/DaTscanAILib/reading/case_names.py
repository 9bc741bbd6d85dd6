"""Names of cases: safe for a folder on any system, each its own, and none that wanders to another scan.

A name is made of where the scan lies below the input and of what it is called, for slices also of their series; so it
stays when files are added or removed. Only names that would be equal take on more.
"""

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass

from .series_name import short_hash

_MAX_NAME = 100
_MAX_FOLDERS = 6
# Names that Windows keeps for devices, and files that the results folder keeps for itself.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|results\.csv|index\.html", re.IGNORECASE)
# Where a long name may be cut: not between digits, which may be a date's.
_BOUNDARY = re.compile(r"(?<!\d)[_. ]|[_. ](?!\d)")
_LAST_BOUNDARY = 60


@dataclass(frozen=True)
class Place:
    """Where a case's scan lies, as far as its name goes.

    Attributes:
        parts: folders below the input, and what the scan itself is called.
        above: folders above those, the nearest first: they tell scans of several inputs apart.
        identity: equal for the same scan only; "" if there is none.
        given: a person gave the name, which stays as it is.
    """

    parts: tuple[str, ...]
    above: tuple[str, ...] = ()
    identity: str = ""
    given: bool = False


def safe_name(text: str) -> str:
    """A text as the name of a file or folder on any system, and harmless as the first cell of a CSV row."""
    name = _shortened(_plain(text)).strip("._-")
    return f"{name}_" if _RESERVED.fullmatch(name) else name or "case"


def unique_names(places: list[Place]) -> list[str]:
    """A safe name for each place, none twice without regard to case.

    Equal names take on folders above the input, then a hash of what they name; the same scan named twice is numbered.
    """
    groups = defaultdict(list)
    for index, place in enumerate(places):
        groups[_joined(place.parts).casefold()].append(index)
    names = [""] * len(places)
    for group in groups.values():
        for index, name in zip(group, _names_of_group([places[index] for index in group]), strict=True):
            names[index] = name
    return _numbered(places, names)


def _names_of_group(group):
    if len(group) == 1:
        return [_joined(group[0].parts)]
    candidates = [
        [_joined(place.parts if place.given else (*reversed(place.above[:depth]), *place.parts)) for place in group]
        for depth in range(_MAX_FOLDERS + 1)
    ]
    names = max(candidates, key=lambda names: len({name.casefold() for name in names}))
    owners = defaultdict(set)
    for place, name in zip(group, names, strict=True):
        owners[name.casefold()].add(place.identity)
    return [
        f"{name}_{short_hash(place.identity)}"
        if len(owners[name.casefold()]) > 1 and place.identity and not place.given
        else name
        for place, name in zip(group, names, strict=True)
    ]


def _numbered(places, names):
    taken, numbered = set(), dict.fromkeys(range(len(names)))
    for index in sorted(numbered, key=lambda index: not places[index].given):  # given names go first
        candidate, number = names[index], 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{names[index]}_{number}"
        taken.add(candidate.casefold())
        numbered[index] = candidate
    return list(numbered.values())


def _joined(parts):
    """The parts as one name; of a name too long the last parts that fit, and a hash of it all."""
    whole = "_".join(part for part in map(_plain, parts) if part)
    if len(whole) <= _MAX_NAME or len(parts) == 1:
        return safe_name(whole)
    kept = list(map(_plain, parts))
    hashed = short_hash("/".join(parts))
    while len(kept) > 1 and len("_".join(kept)) > _MAX_NAME - len(hashed) - 1:
        kept.pop(0)
    return safe_name(f"{_shortened('_'.join(kept), _MAX_NAME - len(hashed) - 1)}_{hashed}")


def _plain(text):
    return re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", text)).strip("._-")


def _shortened(name, length=_MAX_NAME):
    """The end of a long name, which tells more than its beginning: numbers of images, file names."""
    if len(name) <= length:
        return name
    end = name[-length:]
    found = _BOUNDARY.search(end, 0, _LAST_BOUNDARY)
    if found:
        return end[found.end() :]
    digits = re.match(r"\d*", end).end() if name[-length - 1].isdecimal() else 0
    return end[digits:] if digits < length // 2 else end
