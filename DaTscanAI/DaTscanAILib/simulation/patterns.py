"""Losses that do not follow the order of Parkinson's disease, and lesions to be planted."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .anatomy import Anatomy, Region, load_anatomy

PARTS = ("caudate", "anterior_putamen", "posterior_putamen", "accumbens")
# Shares among the atypical patterns.
ATYPICAL_SHARES = {
    "one_caudate": 0.14,
    "caudates_first": 0.14,
    "vascular": 0.14,
    "focal": 0.16,
    "balanced": 0.16,
    "blocked_transporter": 0.14,
    "posterior_putamen": 0.12,
}
_LEAST_FOCAL_LOSS = 0.5  # of one part, for a drawn focal lesion


@dataclass(frozen=True)
class Focus:
    """A ball within the striatum that lost binding.

    Attributes:
        center: (x, y, z) in mm of the undeformed brain, MNI space.
        radius: mm.
        depth: share of the specific binding lost inside, 0 to 1.
    """

    center: tuple[float, float, float]
    radius: float
    depth: float


@dataclass(frozen=True)
class Lesion:
    """What is lost of the binding that was there.

    Attributes:
        losses: share (0 to 1) by part and side, `{(part of PARTS, "L" or "R"): share}`.
        foci: balls beside or instead of whole parts.
    """

    losses: dict[tuple[str, str], float] = field(default_factory=dict)
    foci: tuple[Focus, ...] = ()


def draw_atypical(subtype: str, random: np.random.Generator, anatomy: Anatomy | None) -> tuple[tuple, Lesion]:
    """Progression (left, right) that rules losses outside the striatum, and the loss of one of `ATYPICAL_SHARES`."""
    side = str(random.choice(["L", "R"]))
    return _DRAW[subtype](random, side, anatomy)


def _of_side(side, caudate, anterior, posterior, accumbens):
    values = zip(PARTS, (caudate, anterior, posterior, accumbens), strict=True)
    return {(part, side): float(np.clip(value, 0, 0.97)) for part, value in values}


def _one_caudate(random, side, _):
    """As after a stroke of its head; the putamina are whole."""
    loss = random.uniform(0.5, 0.97)
    return (0.0, 0.0), Lesion(_of_side(side, loss, *random.uniform(0, 0.08, 2), 0.5 * loss))


def _caudates_first(random, side, _):
    """Huntington's disease, hydrocephalus, some atypical syndromes: both caudates, putamina later."""
    loss, spread = random.uniform(0.5, 0.95), random.uniform(0, 0.5)
    losses = {}
    for each, factor in ((side, 1.0), ("L" if side == "R" else "R", random.uniform(0.8, 1.0))):
        losses |= _of_side(each, factor * loss, factor * loss * spread, factor * loss * spread / 2, 0.6 * loss)
    return (0.0, 0.0), Lesion(losses)


def _vascular(random, side, _):
    """One whole striatum."""
    return (0.0, 0.0), Lesion(_of_side(side, *random.uniform(0.5, 0.97) * random.uniform(0.93, 1.0, 4)))


def _balanced(random, _, __):
    """Caudates and putamina of both sides about alike, as in dementia with Lewy bodies."""
    loss = random.uniform(0.42, 0.88)
    losses = _of_side("L", *loss * random.normal(1, 0.05, 4)) | _of_side("R", *loss * random.normal(1, 0.05, 4))
    return (0.6, 0.6), Lesion(losses)


def _blocked_transporter(random, _, __):
    """A drug that sits on the transporter (cocaine, methylphenidate, bupropion): the same share everywhere."""
    loss = random.uniform(0.35, 0.70)
    return (0.0, 0.0), Lesion({(part, side): float(loss) for part in PARTS for side in "LR"})


def _posterior_putamen(random, side, _):
    """Posterior putamen alone, of one side or both."""
    losses = {("posterior_putamen", side): float(random.uniform(0.45, 0.92))}
    if random.random() < 0.5:
        losses["posterior_putamen", "L" if side == "R" else "R"] = float(random.uniform(0.3, 0.92))
    return (0.4, 0.4), Lesion(losses)


def _focal(random, side, anatomy):
    """One ball anywhere in one striatum, large enough to take half of one part."""
    codes = [Region[f"{part.upper()}_{side}"] for part in PARTS[:3]]
    places = np.argwhere(np.isin(anatomy.codes, codes))
    while True:
        center = tuple(float(x) for x in places[random.integers(len(places))] + anatomy.origin)
        focus = Focus(center, float(random.uniform(6, 13)), float(random.uniform(0.75, 1.0)))
        loss = focal_loss((focus,), anatomy)
        if max(loss[part, side] for part in PARTS[:3]) >= _LEAST_FOCAL_LOSS:
            return (0.0, 0.0), Lesion(foci=(focus,))


_DRAW = {
    "one_caudate": _one_caudate,
    "caudates_first": _caudates_first,
    "vascular": _vascular,
    "focal": _focal,
    "balanced": _balanced,
    "blocked_transporter": _blocked_transporter,
    "posterior_putamen": _posterior_putamen,
}


def kept_around(foci: tuple[Focus, ...], anatomy: Anatomy) -> tuple[tuple[slice, ...], np.ndarray]:
    """Share of the binding that foci leave in each voxel of the box around them: the box, float32 of its shape."""
    low = np.min([np.subtract(focus.center, focus.radius) for focus in foci], axis=0) - anatomy.origin
    high = np.max([np.add(focus.center, focus.radius) for focus in foci], axis=0) - anatomy.origin
    first = np.clip(np.floor(low).astype(int), 0, anatomy.codes.shape)
    last = np.clip(np.ceil(high).astype(int) + 1, 0, anatomy.codes.shape)
    box = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    axes = np.ix_(*[o + np.arange(a, b) for o, a, b in zip(anatomy.origin, first, last, strict=True)])
    kept = np.ones([b - a for a, b in zip(first, last, strict=True)], np.float32)
    for focus in foci:
        inside = sum((x - c) ** 2 for x, c in zip(axes, focus.center, strict=True)) <= focus.radius**2
        kept[inside] *= 1 - focus.depth
    return box, kept


def focal_loss(foci: tuple[Focus, ...], anatomy: Anatomy) -> dict[tuple[str, str], float]:
    """Share of each part's binding that foci take, by volume of the undeformed brain."""
    box, kept = kept_around(foci, anatomy)
    codes = anatomy.codes[box].ravel()
    lost = np.bincount(codes, 1 - kept.ravel(), minlength=len(Region))
    volume = _volumes(anatomy.traits.brain)
    return {
        (part, side): float(lost[code] / volume[code])
        for part in PARTS
        for side in "LR"
        for code in [Region[f"{part.upper()}_{side}"]]
    }


@lru_cache(maxsize=2)
def _volumes(brain):
    """Voxels of each region of one of the two brains."""
    return np.bincount(load_anatomy(brain).codes.ravel(), minlength=len(Region))
