"""A database of normal scans of one camera: a JSON file that people can read, and what it expects of a scan."""

import json
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..base.resources import resource_path
from ..base.version import RESEARCH_USE, VERSION
from ..reading.scan_checks import display_name
from .age_regression import AgeRegression, Expected, fit_age_regression
from .measures import KEYS, SIDED, SINGLE, measure_name
from .site_fingerprint import SiteFingerprint

FORMAT, NORMALS_FILE = "DaTscanAI normal database, version 1", "normals.json"
LEAST_SCANS = 20  # Schmitz-Steinkrueger 2020 tested 5 to 50: below 20 the limits themselves are guesses
_BEYOND_AGES = 10.0  # years outside those of the normals to which the line is still drawn


@dataclass(frozen=True)
class NormalCase:
    """One normal scan.

    Attributes:
        row: of the manifest that it came from; names may identify.
        age, sex: of the person, None if not known.
        values: by key of `measures.KEYS`.
    """

    row: int
    age: float | None
    sex: str | None
    values: dict[str, float]


@dataclass(frozen=True)
class NormalDatabase:
    """Normal scans of one camera.

    Attributes:
        name: for people.
        simulated: no patients, and no healthy volunteers either.
        fingerprint: that a scan must fit.
        cases: the normals.
        common_smoothness_mm: to which scans are smoothed before they are measured; None leaves them as they are.
        added_deviation: by measure, what a transfer from another camera adds to the standard deviation.
        history: what was done to the values, a sentence each.
    """

    name: str
    simulated: bool
    fingerprint: SiteFingerprint
    cases: tuple[NormalCase, ...]
    common_smoothness_mm: float | None = None
    added_deviation: dict[str, float] = field(default_factory=dict)
    history: tuple[str, ...] = ()

    @property
    def with_ages(self) -> bool:
        """Whether the age of every normal is known; otherwise age is left out."""
        return all(case.age is not None for case in self.cases)

    @property
    def ages(self) -> tuple[float, float] | None:
        """Lowest and highest age; None where not all are known."""
        years = [case.age for case in self.cases]
        return (min(years), max(years)) if self.with_ages else None

    @cached_property
    def regressions(self) -> dict[str, AgeRegression]:
        """The fitted line of each measure."""
        return {name: self._fit(name) for name in (*SIDED, *SINGLE)}

    def _fit(self, name):
        values = np.array([[case.values[key] for key in SIDED.get(name, (name,))] for case in self.cases])
        if name in SINGLE:  # a difference of two sides of one brain: neither age nor sex has a say
            return fit_age_regression(values)
        ages = np.array([case.age for case in self.cases]) if self.with_ages else None
        return fit_age_regression(values, ages, [case.sex for case in self.cases], logarithmic=True)

    def expected(self, key: str, age: float | None, sex: str | None) -> Expected:
        """Of a measure, for a person."""
        name = measure_name(key)
        expected = self.regressions[name].expected(age, sex)
        added = self.added_deviation.get(name, 0.0)
        return expected.widened(added) if added else expected

    def age_problem(self, age: float | None) -> str | None:
        """Why no value can be expected of a person of this age."""
        if self.ages is None:
            return None
        if age is None:
            return (
                "the patient's age is not known, and normal values fall with age: give it in a manifest's column age"
            )
        low, high = self.ages
        if not low - _BEYOND_AGES <= age <= high + _BEYOND_AGES:
            return f"the patient is {age:.0f} years old, and the normals are {low:.0f} to {high:.0f}"
        return None

    def without(self, index: int) -> "NormalDatabase":
        """All cases but one."""
        return replace(self, cases=self.cases[:index] + self.cases[index + 1 :])

    @property
    def source(self) -> str:
        """One sentence on whose values these are."""
        kind = "simulated normal scans, no patients" if self.simulated else "normal scans"
        ages = "" if self.ages is None else f", {self.ages[0]:.0f} to {self.ages[1]:.0f} years"
        return f"{self.name}: {len(self.cases)} {kind}{ages}."

    def to_json(self) -> dict:
        """The file's content; `expected` is there for people, it follows from the cases."""
        sexes = [case.sex for case in self.cases]
        return {
            "format": FORMAT,
            "name": self.name,
            "simulated": self.simulated,
            "research_use": RESEARCH_USE,
            "software": f"DaTscanAI {VERSION}",
            "scans": len(self.cases),
            "women": sexes.count("F"),
            "men": sexes.count("M"),
            "ages": self.ages,
            "expected": {name: _readable(fit) for name, fit in self.regressions.items()},
            "fingerprint": self.fingerprint.to_json(),
            "common_smoothness_mm": self.common_smoothness_mm,
            "added_deviation": self.added_deviation,
            "history": list(self.history),
            "cases": [
                {
                    "row": case.row,
                    "age": case.age,
                    "sex": case.sex,
                    **{key: round(case.values[key], 4) for key in KEYS},
                }
                for case in self.cases
            ],
        }


def _readable(fit):
    """In the measure's units, at the middle age."""
    unit = fit.level if fit.logarithmic else 1.0
    return {
        "mean": round(fit.level, 4),
        "at_years": None if fit.middle_age is None else round(fit.middle_age, 1),
        "slope_per_year": round(unit * fit.slope_per_year, 5),
        "women_minus_men": round(unit * fit.women_minus_men, 4),
        "standard_deviation": round(unit * fit.deviation, 4),
        "of_the_logarithm": fit.logarithmic,
        "left_out": fit.left_out,
    }


def normals_text(database: NormalDatabase) -> str:
    """The file's text: one line a case."""
    content = database.to_json()
    cases = ",\n  ".join(json.dumps(case) for case in content.pop("cases"))
    head = json.dumps(content, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{head},\n "cases": [\n  {cases}\n ]\n}}\n'


def find_normals(site: str | Path) -> Path:
    """The file of a database: a path to it or to its folder, or the name of a shipped one.

    Raises:
        DaTscanError: there is none.
    """
    for path in (Path(site), Path(site) / NORMALS_FILE):
        if path.is_file():
            return path
    known = shipped_normals()
    if str(site) in known:
        return resource_path("Normals", f"{site}.json")
    others = f", or one of {', '.join(known)}" if known else ""
    raise DaTscanError(
        f"{display_name(Path(site))} is no database of normals: give a folder that `normals build` made{others}."
    )


def shipped_normals() -> tuple[str, ...]:
    """Names of the databases that ship with the extension; all are simulated."""
    return tuple(sorted(path.stem for path in resource_path("Normals").glob("simulated-*.json")))


def read_normals(site: str | Path) -> NormalDatabase:
    """A database.

    Args:
        site: as in `find_normals`.

    Raises:
        DaTscanError: there is none, or its file is damaged.
    """
    path = find_normals(site).resolve()
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read(path, _changed):
    name = display_name(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(content["format"])
        return _database(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DaTscanError(
            f"{name} cannot be read as a database of normals ({type(error).__name__}): build it again."
        ) from error


def _database(content):
    cases = [
        NormalCase(case["row"], case["age"], case["sex"], {key: float(case[key]) for key in KEYS})
        for case in content["cases"]
    ]
    if len(cases) < LEAST_SCANS:
        raise ValueError(len(cases))
    return NormalDatabase(
        name=str(content["name"]),
        simulated=bool(content["simulated"]),
        fingerprint=SiteFingerprint.from_json(content["fingerprint"]),
        cases=tuple(cases),
        common_smoothness_mm=content["common_smoothness_mm"],
        added_deviation=dict(content["added_deviation"]),
        history=tuple(content["history"]),
    )
