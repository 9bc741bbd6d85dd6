"""The numbers of a result as texts in rows, alike in the report and wherever else a table of them is shown."""

from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML
from .wording import number, value_of

SIDES = ("right", "left")
_RATIO = "caudate_putamen_ratio"
_PARTS = {
    "caudate": "Caudate",
    "putamen_anterior": "Front of the putamen",
    "putamen_posterior": "Back of the putamen",
}
# The second grade is named where its probability is at least this share of the first's.
_CLOSE = 0.5
NORMALS_NOTE = "Against normals: z-score, deviation from the expected value, percentile (P)."


def sbr_rows(result: dict) -> list[tuple[str, list[str]]]:
    """Name and texts of each row: right, left, asymmetry, and right and left against normals where there are any."""
    quantification = value_of(result, "quantification") or {}
    against = value_of(quantification, "normals", "measures") or {}
    rows = []
    for region in HOTTEST_VOLUME_ML:
        texts = [number(value_of(quantification, "sbr", f"{region}_{side}")) for side in SIDES]
        texts.append("" if region == "striatum" else _asymmetry(quantification, against, region))
        rows.append((region.capitalize(), texts + _against(against, region)))
    ratios = [number(value_of(quantification, _RATIO, side)) for side in SIDES]
    rows.append(("Caudate/putamen ratio", [*ratios, "", *_against(against, _RATIO)]))
    return rows


def against_normals_text(entry: dict | None) -> str:
    """ "z -4.6, -57 %, P <1" of a measure among normals."""
    z = value_of(entry or {}, "z")
    if z is None:
        return number(None)
    deviation = value_of(entry, "percent_deviation")
    parts = [f"z {number(z, 1, signed=True)}"]
    parts += [] if deviation is None else [f"{number(deviation, 0, signed=True)} %"]
    return ", ".join([*parts, f"P {percentile_text(entry['percentile'])}"])


def percentile_text(percentile: float) -> str:
    """A whole percentile, never 0 and never 100."""
    if percentile < 1:
        return "<1"
    return ">99" if percentile > 99 else f"{percentile:.0f}"


def normals_note(result: dict) -> str | None:
    """Whose normals stand beside the numbers, or why none do; None where none were asked for."""
    normals = value_of(result, "quantification", "normals")
    if not normals:
        return None
    return str(normals["why_not"]) if not normals["fits"] else f"{NORMALS_NOTE} {normals['source']}"


def grade_rows(result: dict) -> list[tuple[str, list[str]]]:
    """The model's grade of each region: name, right, left; empty without grades."""
    grades = value_of(result, "quantification", "grades") or {}
    return [
        (name, [grade_text(grades.get(f"{part}_{side}")) for side in SIDES])
        for part, name in _PARTS.items()
        if any(f"{part}_{side}" in grades for side in SIDES)
    ]


def grade_text(entry: dict | None) -> str:
    """ "moderate (72 %)", or "moderate or strong (48 %, 41 %)" where the next grade is close."""
    if not entry:
        return number(None)
    ranked = sorted(entry["probabilities"].items(), key=lambda item: -item[1])
    (first, most), *others = ranked
    close = [(name, share) for name, share in others[:1] if share >= _CLOSE * most]
    names = " or ".join(name for name, _ in [(first, most), *close])
    return f"{names} ({', '.join(f'{100 * share:.0f} %' for _, share in [(first, most), *close])})"


def _asymmetry(quantification, against, region):
    value = value_of(quantification, "asymmetry_percent", region)
    text = number(value, 1) + ("" if value is None else " %")
    z = value_of(against, f"asymmetry_{region}", "z")
    return text if z is None else f"{text} (z {abs(z):.1f})"


def _against(against, measure):
    return [against_normals_text(against.get(f"{measure}_{side}")) for side in SIDES] if against else []
