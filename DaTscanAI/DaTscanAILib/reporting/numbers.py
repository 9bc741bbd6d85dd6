"""The numbers of a result as texts in rows, alike in the report and wherever else a table of them is shown."""

from ..classification.grades import GRADES, expected_loss
from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML
from .language import ENGLISH, Language
from .sentences import translated
from .wording import number, value_of

SIDES = ("right", "left")
_RATIO = "caudate_putamen_ratio"
GRADED_PARTS = ("caudate", "putamen_anterior", "putamen_posterior")
# The second grade is named where its probability is at least this share of the first's.
_CLOSE = 0.5


def sbr_headings(result: dict, words: Language = ENGLISH) -> list[str]:
    """Headings of the columns of `sbr_rows`, without that of the names."""
    if value_of(result, "quantification", "sbr_without_sides"):
        return [words("table.lower_side"), words("table.other_side")]
    columns = ("right", "left", "asymmetry", "right_against", "left_against")
    has_normals = bool(value_of(result, "quantification", "normals", "measures"))
    return [words(f"table.{name}") for name in (columns if has_normals else columns[:3])]


def sbr_rows(result: dict, words: Language = ENGLISH) -> list[tuple[str, list[str]]]:
    """Name and texts of each row: right, left, asymmetry, and right and left against normals where there are any.

    Where left and right are unknown: the side with the lower putamen and the other one.
    """
    quantification = value_of(result, "quantification") or {}
    without_sides = value_of(quantification, "sbr_without_sides")
    if without_sides:
        return [
            (words(f"table.{region}"), [number(value, words=words) for value in values])
            for region, values in without_sides.items()
        ]
    against = value_of(quantification, "normals", "measures") or {}
    rows = []
    for region in HOTTEST_VOLUME_ML:
        texts = [number(value_of(quantification, "sbr", f"{region}_{side}"), words=words) for side in SIDES]
        texts.append("" if region == "striatum" else _asymmetry(quantification, against, region, words))
        rows.append((words(f"table.{region}"), texts + _against(against, region, words)))
    ratios = [number(value_of(quantification, _RATIO, side), words=words) for side in SIDES]
    rows.append((words("table.ratio"), [*ratios, "", *_against(against, _RATIO, words)]))
    return rows


def against_normals_text(entry: dict | None, words: Language = ENGLISH) -> str:
    """ "z -4.6, -57 %, P <1" of a measure among normals."""
    z = value_of(entry or {}, "z")
    if z is None:
        return number(None, words=words)
    deviation = value_of(entry, "percent_deviation")
    parts = [words("table.z", z=number(z, 1, signed=True, words=words))]
    parts += [] if deviation is None else [f"{number(deviation, 0, signed=True, words=words)} %"]
    parts.append(words("table.percentile", percentile=percentile_text(entry["percentile"])))
    return (", " if words.texts["decimal_sign"] == "." else "; ").join(parts)


def percentile_text(percentile: float) -> str:
    """A whole percentile, never 0 and never 100."""
    if percentile < 1:
        return "<1"
    return ">99" if percentile > 99 else f"{percentile:.0f}"


def normals_note(result: dict, words: Language = ENGLISH) -> str | None:
    """Whose normals stand beside the numbers, or why none do; None where none were asked for."""
    normals = value_of(result, "quantification", "normals")
    if not normals:
        return None
    if not normals["fits"]:
        return translated(str(normals["why_not"]), words)
    return f"{words('table.normals_note')} {translated(normals['source'], words)}"


def grade_rows(result: dict, words: Language = ENGLISH) -> list[tuple[str, list[str]]]:
    """The model's grade of each region: name, right, left; empty without grades."""
    grades = value_of(result, "quantification", "grades") or {}
    return [
        (words(f"grades.{part}"), [grade_text(grades.get(f"{part}_{side}"), words) for side in SIDES])
        for part in GRADED_PARTS
        if any(f"{part}_{side}" in grades for side in SIDES)
    ]


def grade_text(entry: dict | None, words: Language = ENGLISH) -> str:
    """ "moderate (72 %)", or "moderate or strong (48 %, 41 %)" where the next grade is close."""
    close = close_grades(entry)
    if not close:
        return number(None, words=words)
    names = f" {words('or')} ".join(words.texts.get(f"grade.{name}", name) for name, _ in close)
    shares = ", ".join(f"{100 * share:.0f} %" for _, share in close if share is not None)
    return f"{names} ({shares})" if shares else names


def close_grades(entry: dict | None) -> list[tuple[str, float | None]]:
    """The likeliest grade with its probability, and the neighbouring one if it is close; empty for no grade."""
    probabilities = value_of(entry or {}, "probabilities")
    if not probabilities:
        grade = value_of(entry or {}, "grade")
        return [(grade, None)] if grade else []
    first = max(probabilities, key=probabilities.get)
    place = GRADES.index(first)
    beside = [name for name in GRADES[max(place - 1, 0) : place + 2] if name != first]
    next_one = max(beside, key=lambda name: probabilities.get(name, 0.0))
    is_close = probabilities.get(next_one, 0.0) >= _CLOSE * probabilities[first]
    return [(name, probabilities[name]) for name in ((first, next_one) if is_close else (first,))]


def worst_region(result: dict) -> tuple[str, str, dict] | None:
    """Part, side and grades of the region with the greatest loss; None without grades or where none is lost."""
    grades = value_of(result, "quantification", "grades") or {}
    losses = {
        key: expected_loss([entry["probabilities"][name] for name in GRADES])
        for key, entry in grades.items()
        if value_of(entry, "probabilities") and entry.get("grade") != GRADES[0]
    }
    if not losses:
        return None
    worst = max(losses, key=losses.get)
    return (*worst.rsplit("_", 1), grades[worst])


def _asymmetry(quantification, against, region, words):
    value = value_of(quantification, "asymmetry_percent", region)
    text = number(value, 1, words=words) + ("" if value is None else " %")
    z = value_of(against, f"asymmetry_{region}", "z")
    return text if z is None else f"{text} ({words('table.z', z=number(abs(z), 1, words=words))})"


def _against(against, measure, words):
    if not against:
        return []
    return [against_normals_text(against.get(f"{measure}_{side}"), words) for side in SIDES]
