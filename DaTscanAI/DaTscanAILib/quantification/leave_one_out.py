"""How well a database of normals describes its own scans: each beside all the others."""

from dataclasses import dataclass

import numpy as np

from .measures import SIDED, SINGLE
from .normals import NormalDatabase

_LOW = -1.645  # 5 % of normals lie below


@dataclass(frozen=True)
class LeftOut:
    """z-scores of a measure's normals, each beside the others.

    Attributes:
        mean, spread: of the z-scores; 0 and 1 where the database is right.
        share_low: of them below -1.645; 0.05 where it is right.
        lowest: the lowest, and the row of the scan that has it.
        row: of that scan.
    """

    mean: float
    spread: float
    share_low: float
    lowest: float
    row: int


def leave_one_out(database: NormalDatabase) -> dict[str, LeftOut]:
    """Of each measure by name, both sides together.

    Args:
        database: of at least `LEAST_SCANS` scans.
    """
    z = {name: [] for name in (*SIDED, *SINGLE)}
    for index, case in enumerate(database.cases):
        others = database.without(index)
        for name, found in z.items():
            keys = SIDED.get(name, (name,))
            found.append([others.expected(key, case.age, case.sex).z(case.values[key]) for key in keys])
    rows = [case.row for case in database.cases]
    return {name: _summary(np.array(found), rows) for name, found in z.items()}


def _summary(z, rows):
    lowest = np.unravel_index(np.argmin(z), z.shape)
    return LeftOut(
        mean=float(z.mean()),
        spread=float(z.std()),
        share_low=float((z < _LOW).mean()),
        lowest=float(z[lowest]),
        row=rows[lowest[0]],
    )
