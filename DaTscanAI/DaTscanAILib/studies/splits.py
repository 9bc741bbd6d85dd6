"""Dividing scans into sets: stratified, balanced by random exclusion, the best of many for equal ages."""

import numpy as np


def allot(strata: list, shares: tuple[float, ...], random: np.random.Generator) -> np.ndarray:
    """Number of the set of each scan; every set gets its share of all scans and nearly so of each stratum.

    The scans are shuffled within their strata, put in a row stratum by stratum, and each goes to the set that lags
    most behind its share. Small strata, for which draws of their own would need rounding, so cost no set its size.

    Args:
        strata: a hashable value a scan, for example its class or (class, sex).
        shares: of the sets, summing to 1.
    """
    order = sorted(random.permutation(len(strata)), key=lambda k: str(strata[k]))
    sets, counts, shares = np.empty(len(strata), int), np.zeros(len(shares)), np.array(shares)
    for place, scan in enumerate(order, 1):
        sets[scan] = np.argmax(shares * place - counts)
        counts[sets[scan]] += 1
    return sets


def balanced(truth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """bool, which scans stay when the larger class loses scans at random until both are equal (Kim 2018)."""
    truth = np.asarray(truth, bool)
    kept = np.zeros(truth.size, bool)
    count = min(truth.sum(), (~truth).sum())
    for of_class in (truth, ~truth):
        kept[random.permutation(np.flatnonzero(of_class))[:count]] = True
    return kept


def papers_classes(truth: np.ndarray, reduced: int, normal: int, seed: int, paper_shares: bool) -> np.ndarray:
    """Indices of the scans that make a paper's sample: as many of either class as it had, drawn at random.

    Where there are not as many, all scans; with `paper_shares` as many as there are in the paper's share.
    """
    share = min(1.0, truth.sum() / reduced, (~truth).sum() / normal)
    if share < 1 and not paper_shares:
        return np.arange(truth.size)
    random, chosen = np.random.default_rng(seed), []
    for of_class, count in ((truth, reduced), (~truth, normal)):
        chosen.append(random.permutation(np.flatnonzero(of_class))[: round(share * count)])
    return np.sort(np.concatenate(chosen))


def best_for_age(
    strata: list, ages: list[float | None], shares: tuple[float, ...], random: np.random.Generator, tries: int = 100
) -> np.ndarray:
    """Of so many stratified divisions the one whose sets differ least in mean age within a stratum (Nazari 2021).

    "Balanced within the four subgroups" of class and sex: the largest difference of any stratum is what counts.

    Args:
        ages: years; scans without one are left out of the means.

    Returns:
        Number of the set of each scan.
    """
    divisions = [allot(strata, shares, random) for _ in range(tries)]
    return min(divisions, key=lambda sets: max(age_differences(strata, ages, sets).values(), default=0.0))


def age_differences(strata: list, ages: list[float | None], sets: np.ndarray) -> dict:
    """By stratum, the largest difference in years between the mean ages of two sets."""
    known = np.array([age is not None for age in ages])
    years = np.array([age if age is not None else 0.0 for age in ages])
    members = {stratum: np.array([other == stratum for other in strata]) & known for stratum in dict.fromkeys(strata)}
    means = {
        stratum: [years[of_stratum & (sets == k)].mean() for k in np.unique(sets) if (of_stratum & (sets == k)).any()]
        for stratum, of_stratum in members.items()
    }
    return {stratum: float(max(values) - min(values)) for stratum, values in means.items() if values}


def analysis_of_variance(values: list[float | None], sets: np.ndarray) -> dict:
    """Whether a quantity differs between the sets, by one-way analysis of variance.

    Args:
        values: of each scan; those without one are left out. A class or a sex counts as 0 and 1.
        sets: number of the set of each scan.

    Returns:
        `means` by set, `f` and `p`; both None where the values do not vary within the sets.
    """
    from scipy.stats import f_oneway

    known = np.array([value is not None for value in values])
    numbers = np.array([value if value is not None else 0.0 for value in values], float)
    groups = [numbers[known & (sets == k)] for k in np.unique(sets)]
    means = [float(group.mean()) if group.size else None for group in groups]
    groups = [group for group in groups if group.size]
    if len(groups) < 2 or not any(np.ptp(group) > 0 for group in groups):
        return {"means": means, "f": None, "p": None}
    found = f_oneway(*groups)
    return {"means": means, "f": float(found.statistic), "p": float(found.pvalue)}
