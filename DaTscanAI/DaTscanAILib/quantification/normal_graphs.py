"""What the graphs of a scan beside its normals show, as plain numbers for any program that draws them."""

from dataclasses import dataclass

import numpy as np

from ..mni.atlas import SIDES
from .age_regression import LIMITS_PERCENT
from .measures import RATIO, SIDED
from .normals import NormalDatabase

GRAPHS = {
    "caudate": "Caudate SBR",
    "putamen": "Putamen SBR",
    "striatum": "Striatum SBR",
    RATIO: "Caudate/putamen ratio",
}
_CURVE_POINTS = 41
_MARGIN = 3.0  # years beside the outermost point


@dataclass(frozen=True)
class Visit:
    """One scan of the patient.

    Attributes:
        age: years; None where the normals' ages are not known either.
        values: by key of `measures.KEYS`.
    """

    age: float | None
    values: dict[str, float | None]


@dataclass(frozen=True)
class NormalGraph:
    """A measure against age.

    Attributes:
        name: key of `GRAPHS`.
        title: for people.
        ages: `(points,)` years of the curves; their place only, where ages are not known.
        mean: `(points,)` expected of the patient's sex.
        limits: `{percent: (lower, upper)}`, each `(points,)`.
        normal_ages, normal_values: `(sides of all normals,)`.
        visits: `(age, right, left)` from the first to the last; None where a value is missing.
        with_ages: whether the axis means years.
    """

    name: str
    title: str
    ages: np.ndarray
    mean: np.ndarray
    limits: dict[int, tuple[np.ndarray, np.ndarray]]
    normal_ages: np.ndarray
    normal_values: np.ndarray
    visits: tuple[tuple[float, float | None, float | None], ...]
    with_ages: bool


def normal_graphs(
    database: NormalDatabase, visits: tuple[Visit, ...] = (), sex: str | None = None
) -> list[NormalGraph]:
    """The four graphs: each nucleus, and the ratio.

    Args:
        database: the normals.
        visits: of the patient, the first scan first; none for the normals alone.
        sex: of the patient, whose expectation the curves show.
    """
    return [_graph(name, database, visits, sex) for name in GRAPHS]


def _graph(name, database, visits, sex):
    places = _places(database)
    years = [visit.age if database.with_ages else float(np.mean(places)) for visit in visits]
    ends = [*places, *(year for year in years if year is not None)]
    ages = np.linspace(min(ends) - _MARGIN, max(ends) + _MARGIN, _CURVE_POINTS)
    key = SIDED[name][0]
    expected = [database.expected(key, age if database.with_ages else None, sex) for age in ages]
    limits = {percent: np.array([one.limits(percent) for one in expected]).T for percent in LIMITS_PERCENT}
    return NormalGraph(
        name=name,
        title=GRAPHS[name],
        ages=ages,
        mean=np.array([one.mean for one in expected]),
        limits={percent: (low, high) for percent, (low, high) in limits.items()},
        normal_ages=np.repeat(places, len(SIDES)),
        normal_values=np.array([case.values[key] for case in database.cases for key in SIDED[name]]),
        visits=tuple(
            (year, visit.values.get(f"{name}_right"), visit.values.get(f"{name}_left"))
            for year, visit in zip(years, visits, strict=True)
            if year is not None
        ),
        with_ages=database.with_ages,
    )


def _places(database):
    """Ages of the normals, or their numbers where ages are not known."""
    if database.with_ages:
        return np.array([case.age for case in database.cases])
    return np.arange(len(database.cases), dtype=float)
