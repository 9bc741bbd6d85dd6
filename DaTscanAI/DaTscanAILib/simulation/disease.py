"""What dopaminergic degeneration leaves of each part of the striatum, and the subtypes seen in the clinic.

The posterior putamen goes first, then the anterior putamen, last the caudate (Guttman 1997: -56 / -28 / -12 % on
the worse side of early disease, which is `progression` 0.32 here). Shares of the subtypes among reduced scans follow
an early-disease trial (n = 398): one putamen 20 %, both 51 %, caudate too 25 %, and few with neither.
"""

from dataclasses import dataclass

import numpy as np

SUBTYPES = ("normal", "borderline", "one_putamen", "both_putamina", "caudate_too", "burst", "atypical_symmetric")
REDUCED_SHARES = {
    "one_putamen": 0.27,
    "both_putamina": 0.40,
    "caudate_too": 0.20,
    "burst": 0.05,
    "atypical_symmetric": 0.08,
}

# A scan counts as reduced once the worse posterior putamen has lost 40 %: symptoms begin at 51 to 64 % there, and a
# network trained on real readings calls reduced from about there. "Borderline" lies on both sides of it.
REDUCED_FROM_LOSS = 0.40

PARTS = ("caudate", "anterior_putamen", "posterior_putamen", "accumbens")
_RATE = {
    "caudate": (1.0, 1.5),
    "anterior_putamen": (1.5, 1.3),
    "posterior_putamen": (2.6, 1.0),
    "accumbens": (0.7, 1.5),
}
_SYMMETRIC_RATE = {
    "caudate": (1.9, 1.1),
    "anterior_putamen": (2.1, 1.1),
    "posterior_putamen": (2.6, 1.0),
    "accumbens": (1.3, 1.2),
}
FLOOR = 0.04


@dataclass(frozen=True)
class Degeneration:
    """The state of one nigrostriatal system.

    Attributes:
        subtype: one of `SUBTYPES`.
        progression: (left, right), 0 is intact, about 0.3 early, over 1.5 near complete.
        remaining: share of intact binding kept, `{(part, "L" or "R"): share}`.
    """

    subtype: str
    progression: tuple[float, float]
    remaining: dict[tuple[str, str], float]

    @property
    def severity(self) -> float:
        """Loss (0 to 1) of the worse posterior putamen: the continuous measure of the disease."""
        return 1 - min(self.remaining["posterior_putamen", side] for side in "LR")

    @property
    def label(self) -> str:
        """`normal` or `reduced`, by the severity."""
        return "reduced" if self.severity >= REDUCED_FROM_LOSS else "normal"


def remaining_share(part: str, progression: float, symmetric: bool = False) -> float:
    """Share of binding that a part keeps at a progression of its own hemisphere."""
    rate, power = (_SYMMETRIC_RATE if symmetric else _RATE)[part]
    return FLOOR + (1 - FLOOR) * float(np.exp(-rate * progression**power))


def draw_degeneration(subtype: str, random: np.random.Generator) -> Degeneration:
    """A random case of a subtype; either side may be the worse one."""
    worse = {
        "normal": 0.0,
        "borderline": random.uniform(0.11, 0.29),
        "one_putamen": random.uniform(0.32, 0.6),
        "both_putamina": random.uniform(0.42, 0.9),
        "caudate_too": random.uniform(0.75, 1.3),
        "burst": random.uniform(1.5, 2.4),
        "atypical_symmetric": random.uniform(0.4, 0.95),
    }[subtype]
    ratio = {
        "normal": 0.0,
        "borderline": random.uniform(0.0, 0.6),
        "one_putamen": random.uniform(0.05, 0.3),
        "both_putamina": random.uniform(0.5, 0.9),
        "caudate_too": random.uniform(0.6, 0.95),
        "burst": random.uniform(0.9, 1.0),
        "atypical_symmetric": random.uniform(0.9, 1.0),
    }[subtype]
    pair = (worse, worse * ratio) if random.random() < 0.5 else (worse * ratio, worse)
    symmetric = subtype == "atypical_symmetric"
    remaining = {
        (part, side): remaining_share(part, progression, symmetric)
        for side, progression in zip("LR", pair, strict=True)
        for part in PARTS
    }
    return Degeneration(subtype, pair, remaining)


def draw_subtype(label: str, random: np.random.Generator) -> str:
    """A subtype of the given label (`normal`, `borderline` or `reduced`) with the clinic's shares."""
    if label != "reduced":
        return label
    return str(random.choice(list(REDUCED_SHARES), p=list(REDUCED_SHARES.values())))
