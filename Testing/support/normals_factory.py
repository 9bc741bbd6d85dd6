"""Normals of a made-up camera whose law is known, without any scan."""

import numpy as np

from DaTscanAILib.quantification.fingerprint import Fingerprint
from DaTscanAILib.quantification.normals import NormalCase, NormalDatabase
from DaTscanAILib.quantification.site_fingerprint import site_fingerprint

# At 65 years, between women and men; loss per year and women's surplus as shares of it; spreads between people and
# between a person's sides.
MEANS = {"caudate": 2.6, "putamen": 2.2, "striatum": 2.4}
SLOPE, WOMEN, PERSON, SIDE = -0.006, 0.08, 0.12, 0.03
FINGERPRINT = Fingerprint(
    stated={"manufacturer": "Maker", "model": "Camera A", "reconstruction": "OSEM 4i8s"},
    corrections="ATTN",
    matrix=(128, 128),
    voxel_mm=(3.9, 3.9, 3.9),
    smoothness_mm=13.0,
    middle_to_rim=0.0,
    contrast=1.6,
)


def values_of(random, age, sex, factor=1.0, camera=1.0) -> dict[str, float]:
    """Measures of a person; `factor` of the healthy binding, `camera` of what camera A shows."""
    person = factor * camera * (1 + SLOPE * (age - 65)) * (1 + WOMEN * {"F": 0.5, "M": -0.5}.get(sex, 0.0))
    person *= random.normal(1, PERSON)
    values = {
        f"{nucleus}_{side}": mean * person * random.normal(1, SIDE)
        for nucleus, mean in MEANS.items()
        for side in ("left", "right")
    }
    for side in ("left", "right"):
        values[f"caudate_putamen_ratio_{side}"] = values[f"caudate_{side}"] / values[f"putamen_{side}"]
    for nucleus in ("putamen", "caudate"):
        left, right = (values[f"{nucleus}_{side}"] for side in ("left", "right"))
        values[f"asymmetry_{nucleus}"] = 200 * (left - right) / (left + right)
    return values


def people(random, count):
    """Ages and sexes."""
    return [(round(float(random.uniform(45, 85)), 1), "FM"[k % 2]) for k in range(count)]


def database_of_people(seed=0, count=30, **changes) -> NormalDatabase:
    """Normals of camera A."""
    random = np.random.default_rng(seed)
    cases = tuple(
        NormalCase(row, age, sex, values_of(random, age, sex))
        for row, (age, sex) in enumerate(people(random, count), start=2)
    )
    content = {"name": "Camera A", "simulated": False, "fingerprint": site_fingerprint([FINGERPRINT]), "cases": cases}
    return NormalDatabase(**{**content, **changes})
