"""What SBR to expect of a normal scan at a given age: a place to see a patient's values in, not a diagnosis.

`Resources/Templates/build_normal_values.py` made the numbers from simulated scans of several cameras, so their spread
holds the differences of cameras too.
"""

import json
from functools import lru_cache

from ..base.resources import resource_path
from ..mni.atlas import SIDES


def normal_values(age: float | None = None) -> dict:
    """Mean and standard deviation of normal SBRs.

    Args:
        age: years; None takes the middle of the simulated ages.

    Returns:
        `{"source": sentence, "age": years, "sbr": {"putamen_left": {"mean": m, "sd": s}, ...}}`
    """
    table = _table()
    years = table["middle_age"] if age is None else min(max(age, table["ages"][0]), table["ages"][1])
    sbr = {
        f"{nucleus}_{side}": {
            "mean": round(fit["mean"] + fit["slope_per_year"] * (years - table["middle_age"]), 4),
            "sd": fit["sd"],
        }
        for nucleus, fit in table["sbr"].items()
        for side in SIDES
    }
    source = f"Of {table['scans']} simulated normal scans of several cameras at {years:.0f} years, no patients."
    return {"source": source, "age": years, "sbr": sbr}


@lru_cache(maxsize=1)
def _table():
    return json.loads(resource_path("Templates", "normal_values.json").read_text(encoding="utf-8"))
