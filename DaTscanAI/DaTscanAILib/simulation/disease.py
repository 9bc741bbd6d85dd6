"""What dopaminergic degeneration leaves of each part of the striatum, and the patterns seen in the clinic.

In Parkinson's disease the posterior putamen goes first, then the anterior putamen, last the caudate (Guttman
1997: -56 / -28 / -12 % on the worse side of early disease, which is `progression` 0.32 here). Shares of them among
reduced scans follow an early-disease trial (n = 398): one putamen 20 %, both 51 %, caudate too 25 %, and few with
neither. Patterns that do not follow that order are drawn in `patterns.py`.
"""

from dataclasses import dataclass, field

import numpy as np

from .anatomy import Anatomy
from .patterns import ATYPICAL_SHARES, PARTS, Focus, Lesion, draw_atypical, focal_loss

TYPICAL_SHARES = {
    "one_putamen": 0.27,
    "both_putamina": 0.40,
    "caudate_too": 0.20,
    "burst": 0.05,
    "atypical_symmetric": 0.08,
}
# A quarter of reduced scans by default: far more than in a clinic, so that networks meet them.
ATYPICAL_SHARE = 0.25


def reduced_shares(atypical: float = ATYPICAL_SHARE) -> dict[str, float]:
    """Shares of the subtypes among reduced scans; `atypical` is that of all `ATYPICAL_SHARES` together."""
    return {
        **{name: (1 - atypical) * share for name, share in TYPICAL_SHARES.items()},
        **{name: atypical * share for name, share in ATYPICAL_SHARES.items()},
    }


REDUCED_SHARES = reduced_shares()
SUBTYPES = ("normal", "borderline", *REDUCED_SHARES)
LABELS = ("normal", "borderline", "reduced")

# A scan counts as reduced once the worse posterior putamen has lost 40 %: symptoms begin at 51 to 64 % there, and a
# network trained on real readings calls reduced from about there. "Borderline" lies on both sides of it. The other
# limits tell the patterns in which the posterior putamen is not the worst part.
REDUCED_FROM_LOSS = {"posterior_putamen": 0.40, "anterior_putamen": 0.45, "caudate": 0.50}
REDUCED_FROM_MEAN_LOSS = 0.35

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
# The six regions of the truth, in the order of its columns.
LOSS_COLUMNS = {
    f"loss_{name}_{side}": (part, side[0].upper())
    for side in ("left", "right")
    for name, part in (
        ("caudate", "caudate"),
        ("putamen_anterior", "anterior_putamen"),
        ("putamen_posterior", "posterior_putamen"),
    )
}


@dataclass(frozen=True)
class Degeneration:
    """The state of one nigrostriatal system.

    Attributes:
        subtype: one of `SUBTYPES`.
        progression: (left, right), 0 is intact, about 0.3 early, over 1.5 near complete.
        remaining: share of intact binding kept, `{(part, "L" or "R"): share}`, outside the foci.
        foci: lesions within the striatum.
        focal: share of a part's binding that the foci take, `{(part, side): share}`.
    """

    subtype: str
    progression: tuple[float, float]
    remaining: dict[tuple[str, str], float]
    foci: tuple[Focus, ...] = ()
    focal: dict[tuple[str, str], float] = field(default_factory=dict)

    def loss(self, part: str, side: str) -> float:
        """Share of the healthy specific binding that a part has lost in all."""
        return 1 - self.remaining[part, side] * (1 - self.focal.get((part, side), 0.0))

    @property
    def losses(self) -> dict[str, float]:
        """The six of `LOSS_COLUMNS`."""
        return {column: self.loss(*place) for column, place in LOSS_COLUMNS.items()}

    @property
    def severity(self) -> float:
        """Loss (0 to 1) of the worst of the six regions: the continuous measure of the disease."""
        return max(self.losses.values())

    @property
    def label(self) -> str:
        """`normal` or `reduced`, by the losses."""
        mean = float(np.mean(list(self.losses.values())))
        lost = any(
            self.loss(part, side) >= least - 1e-9 for part, least in REDUCED_FROM_LOSS.items() for side in "LR"
        )
        return "reduced" if lost or mean >= REDUCED_FROM_MEAN_LOSS - 1e-9 else "normal"


def remaining_share(part: str, progression: float, symmetric: bool = False) -> float:
    """Share of binding that a part keeps at a progression of its own hemisphere."""
    rate, power = (_SYMMETRIC_RATE if symmetric else _RATE)[part]
    return FLOOR + (1 - FLOOR) * float(np.exp(-rate * progression**power))


def draw_degeneration(subtype: str, random: np.random.Generator, anatomy: Anatomy | None = None) -> Degeneration:
    """A random case of a subtype; either side may be the worse one.

    Args:
        subtype: of `SUBTYPES`.
        random: source of all draws.
        anatomy: where focal lesions lie; needed for `focal` alone.
    """
    if subtype in ATYPICAL_SHARES:
        progression, lesion = draw_atypical(subtype, random, anatomy)
        intact = {(part, side): 1.0 for part in PARTS for side in "LR"}
        return with_lesion(Degeneration(subtype, progression, intact), lesion, anatomy)
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


def with_lesion(degeneration: Degeneration, lesion: Lesion, anatomy: Anatomy | None) -> Degeneration:
    """The same system after a lesion took its share of what was left.

    Args:
        degeneration: before.
        lesion: what is lost, of parts and around foci.
        anatomy: for the foci.
    """
    remaining = {
        place: share * (1 - lesion.losses.get(place, 0.0)) for place, share in degeneration.remaining.items()
    }
    foci = (*degeneration.foci, *lesion.foci)
    focal = focal_loss(foci, anatomy) if foci else {}
    return Degeneration(degeneration.subtype, degeneration.progression, remaining, foci, focal)


def draw_subtype(label: str, random: np.random.Generator, shares: dict[str, float] = REDUCED_SHARES) -> str:
    """A subtype of the given label (`normal`, `borderline` or `reduced`), with these shares of the reduced ones."""
    if label != "reduced":
        return label
    return str(random.choice(list(shares), p=list(shares.values())))
