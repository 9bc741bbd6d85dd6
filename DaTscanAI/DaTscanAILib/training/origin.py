"""Where scans come from, by what stands beside them: never by their names."""

import json
from collections import Counter
from collections.abc import Iterable

from ..reading.inputs import Case

SIMULATED, UNKNOWN = "simulated", "unknown"
_LARGEST_TRUTH = 2**20  # bytes


def origin_of(case: Case) -> str:
    """`simulated`, what the manifest's column `origin` says, or `unknown`.

    Without the column, a truth file of this project's simulator beside the scan (`NAME.json`) tells.
    """
    stated = case.other.get("origin", "").strip().casefold()
    if stated or case.path is None:
        return stated or UNKNOWN
    truth = _truth(case.path.parent / f"{case.path.name.split('.')[0]}.json")
    if truth.get("origin"):
        return str(truth["origin"]).strip().casefold()
    return SIMULATED if "true_specific_ratio" in truth else UNKNOWN


def describe_origins(cases: Iterable[Case]) -> str:
    """`simulated scans; no patient was involved`, or what is known of the scans otherwise."""
    counts = Counter(origin_of(case) for case in cases)
    if set(counts) == {SIMULATED}:
        return "simulated scans; no patient was involved"
    if len(counts) == 1:
        return f"scans of {next(iter(counts))} origin"
    parts = ", ".join(f"{count} {origin}" for origin, count in sorted(counts.items()))
    return f"scans of mixed origin ({parts})"


def _truth(path):
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_LARGEST_TRUTH))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
