"""Tracer concentration of each region: non-specific uptake, specific binding, age, sex, medication, disease.

Values are relative to non-specific uptake of cortical grey matter (1). Specific ratios are (concentration - 1) of the
patient, not of the camera; a healthy striatum has about 5.2, a little under the mean of the calibrated European data
base (5.4). What published SBRs and networks trained on patients say of that stands in `literature_page.py`.
Extrastriatal ratios follow the mean of 174 healthy FP-CIT scans (facts only) and the losses reported with disease.
"""

from dataclasses import dataclass

import numpy as np

from .anatomy import HEADS, Region, Traits
from .disease import Degeneration

REFERENCE_AGE = 65.0  # years

# Specific ratio at the reference age (man, unmedicated), and its share lost at full disease (progression >= 1).
STRIATAL_RATIO = {"caudate": 5.5, "anterior_putamen": 5.25, "posterior_putamen": 4.95, "accumbens": 4.3}
EXTRASTRIATAL_RATIO = {
    Region.THALAMUS: (0.40, 0.12),
    Region.MIDBRAIN: (0.53, 0.30),
    Region.PONS: (0.25, 0.05),
    Region.MEDULLA: (0.09, 0.0),
    Region.INSULA: (0.17, 0.22),
    Region.AMYGDALA: (0.50, 0.35),
    Region.HIPPOCAMPUS: (0.58, 0.10),
    Region.VENTROMEDIAL_FRONTAL: (0.06, 0.30),
    Region.TEMPORAL_POLE: (0.05, 0.25),
}
CORTICAL_SPREAD = 0.05  # of non-specific uptake between persons, each lobe for itself
COMMON_SPREAD = 0.08  # of striatal binding between persons of the same age and sex

PALLIDUM_SHARE = 0.31  # of the mean ratio of the putamen beside it: terminals passing through

# Non-specific uptake relative to grey matter.
NONSPECIFIC = {
    Region.FRONTAL: 0.97,
    Region.PARIETAL: 0.90,
    Region.TEMPORAL: 0.97,
    Region.OCCIPITAL: 1.0,
    Region.CEREBELLUM: 1.0,
}

STRIATAL_AGE_SLOPE = -0.0055  # of the value at 65, per year: 4 to 6.7 % per decade (ENC-DAT)
EXTRASTRIATAL_AGE_SLOPE = -0.008  # per year (Nazari 2021, Sci Rep: thalamus -8 % per decade)
WOMEN_FACTOR = 1.08  # +6 to +14 % (Schmitz-Steinkrueger 2021)


@dataclass(frozen=True)
class Person:
    """Age (years), sex (`F` or `M`), and whether a serotonin reuptake inhibitor is taken."""

    age: float
    sex: str
    ssri: bool = False


@dataclass(frozen=True)
class Uptake:
    """Concentrations by region code and the true specific ratios by name.

    Attributes:
        concentration: (29,) float, indexed by `Region`.
        specific_ratio: for example `{"posterior_putamen_l": 6.4, "insula": 0.17, ...}`.
    """

    concentration: np.ndarray
    specific_ratio: dict[str, float]


def draw_person(random: np.random.Generator) -> Person:
    """Age 40 to 90 years as in the papers' samples (67.5 +- 11.2), either sex, 8 % on SSRI."""
    age = float(np.clip(random.normal(67.5, 11.2), 40, 90))
    return Person(round(age, 1), str(random.choice(["F", "M"])), bool(random.random() < 0.08))


def draw_uptake(
    person: Person,
    degeneration: Degeneration,
    random: np.random.Generator,
    extrastriatal_loss: bool = True,
    traits: Traits = HEADS["colin27"],
) -> Uptake:
    """Random concentrations of one person, without the foci of a lesion.

    The same draws are taken whatever the degeneration, so that a person can be had with and without it.

    Args:
        person: age, sex, medication.
        degeneration: what is left of each part.
        random: source of all draws.
        extrastriatal_loss: False confines the disease to the striatum.
        traits: of the head, for the uptake of white matter, scalp and skull.
    """
    ratio = {
        **_striatal_ratios(person, degeneration, random),
        **_extrastriatal_ratios(person, degeneration, random, extrastriatal_loss),
    }
    concentration = np.zeros(len(Region))
    for region, value in NONSPECIFIC.items():
        concentration[region] = value * random.normal(1, CORTICAL_SPREAD)
    concentration[Region.WHITE_MATTER] = random.uniform(*traits.white_matter)
    concentration[Region.CSF] = random.uniform(0.05, 0.35)
    concentration[Region.SKULL] = random.uniform(*traits.skull)
    concentration[Region.SOFT_TISSUE] = random.uniform(*traits.scalp)
    for region, value in ratio.items():
        concentration[region] = 1 + value
    concentration[Region.INSULA] += random.normal(0, CORTICAL_SPREAD)
    return Uptake(concentration, {region.name.lower(): float(value) for region, value in ratio.items()})


def _striatal_ratios(person, degeneration, random):
    common = (1 + STRIATAL_AGE_SLOPE * (person.age - REFERENCE_AGE)) * (WOMEN_FACTOR if person.sex == "F" else 1)
    common *= float(np.clip(random.normal(1, COMMON_SPREAD), 0.72, 1.32)) * (
        1 + person.ssri * random.uniform(0.05, 0.15)
    )
    ratio = {}
    for part, value in STRIATAL_RATIO.items():
        of_part = common * value * random.normal(1, 0.04)
        for side in "LR":
            region = Region[f"{part.upper()}_{side}"]
            ratio[region] = of_part * random.normal(1, 0.025) * degeneration.remaining[part, side]
    for side in "LR":
        putamen = [ratio[Region[f"{end}_PUTAMEN_{side}"]] for end in ("ANTERIOR", "POSTERIOR")]
        ratio[Region[f"PALLIDUM_{side}"]] = PALLIDUM_SHARE * float(np.mean(putamen))
    return ratio


def _extrastriatal_ratios(person, degeneration, random, extrastriatal_loss):
    age = max(1 + EXTRASTRIATAL_AGE_SLOPE * (person.age - REFERENCE_AGE), 0.2)
    stage = min(max(degeneration.progression), 1.0) ** 0.5 if extrastriatal_loss else 0.0
    ratio = {}
    for region, (value, loss) in EXTRASTRIATAL_RATIO.items():
        serotonin = region in (Region.THALAMUS, Region.MIDBRAIN, Region.PONS)
        blocked = random.uniform(0.3, 0.55) * (person.ssri and serotonin)
        ratio[region] = value * age * max(random.normal(1, 0.15), 0.3) * (1 - loss * stage) * (1 - blocked)
    return ratio
