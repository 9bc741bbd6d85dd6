"""A scan's measures beside those of normals: z-scores, deviation in percent, percentile, limits; or why not."""

from dataclasses import dataclass

from .age_regression import LIMITS_PERCENT, Expected
from .fingerprint import Fingerprint
from .measures import KEYS, SINGLE
from .normals import NormalDatabase


@dataclass(frozen=True)
class AgainstNormals:
    """What a database says of a scan.

    Attributes:
        database: that was asked.
        why_not: the reason that it says nothing, a sentence; None where it does.
        notes: what the reader should know, a sentence each.
        measures: by key of `measures.KEYS`; empty where it says nothing.
    """

    database: NormalDatabase
    why_not: str | None
    notes: tuple[str, ...]
    measures: dict[str, dict]

    @property
    def z(self) -> dict[str, float | None] | None:
        """z-scores by key; None where the database says nothing."""
        return None if self.why_not else {key: entry["z"] for key, entry in self.measures.items()}

    def to_json(self) -> dict:
        """The entry `quantification.normals` of `result.json`."""
        return {
            "name": self.database.name,
            "simulated": self.database.simulated,
            "scans": len(self.database.cases),
            "source": self.database.source,
            "fits": self.why_not is None,
            "why_not": self.why_not,
            "notes": list(self.notes),
            "measures": self.measures,
        }


def against_normals(
    values: dict[str, float | None],
    age: float | None,
    sex: str | None,
    fingerprint: Fingerprint,
    database: NormalDatabase,
) -> AgainstNormals:
    """Set a scan beside normals.

    Args:
        values: of `measures_of`; of the scan smoothed to the database's common smoothness, where it has one.
        age, sex: of the patient, None if not known.
        fingerprint: of the scan as it is.
        database: the normals.
    """
    reasons = database.fingerprint.misfits(fingerprint)
    reasons += [problem] if (problem := database.age_problem(age)) else []
    if reasons:
        return no_comparison(database, "; ".join(reasons))
    measures = {key: _entry(key, values.get(key), database.expected(key, age, sex)) for key in KEYS}
    return AgainstNormals(database, None, tuple(_notes(age, sex, fingerprint, database)), measures)


def no_comparison(database: NormalDatabase, reason: str) -> AgainstNormals:
    """The answer of a database that has nothing to say, with the reason in its sentence."""
    return AgainstNormals(database, f"No z-scores by the normals {database.name}: {reason}.", (), {})


def _entry(key, value, expected: Expected):
    if value is None:
        return {"value": None, "expected": expected.mean, "z": None, "percent_deviation": None, "percentile": None}
    percentile = expected.percentile(value)
    in_percent = key not in SINGLE and expected.mean > 0  # an asymmetry's mean is about zero
    return {
        "value": value,
        "expected": expected.mean,
        "z": expected.z(value),
        "percent_deviation": 100 * (value / expected.mean - 1) if in_percent else None,
        "percentile": abs(2 * percentile - 100) if key in SINGLE else percentile,
        **{f"limits_{percent}": list(expected.limits(percent)) for percent in LIMITS_PERCENT},
    }


def _notes(age, sex, fingerprint, database):
    if database.simulated:
        yield f"The normals {database.name} are simulated: no person's scan is among them."
    unknown = database.fingerprint.unknown(fingerprint)
    if unknown:
        yield (
            f"The scan's header does not state {', '.join(unknown)}: that the normals fit is judged by voxel size, "
            "smoothness and the middle of the brain against its rim alone; confirm that camera and reconstruction "
            "are theirs."
        )
    elif not database.simulated and not database.fingerprint.names_a_camera:
        yield (
            f"The headers of the normals {database.name} state no camera: that they fit is judged by voxel size, "
            "smoothness and the middle of the brain against its rim alone; confirm that camera and reconstruction "
            "are the scan's."
        )
    if sex is None and any(fit.women_minus_men for fit in database.regressions.values()):
        yield "The patient's sex is not known: the expectation lies between women's and men's."
    if database.ages and not database.ages[0] <= age <= database.ages[1]:
        low, high = database.ages
        yield f"The patient's age lies outside the normals' ({low:.0f} to {high:.0f} years): limits are extrapolated."
