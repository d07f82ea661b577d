"""Comparing groups fairly: teams of different size and mix, many series at once, two people who tag the same text."""

import math
from collections.abc import Sequence
from typing import TypedDict

from kpis.statistics.distributions import check_confidence, chi_square_above, gamma_quantile
from kpis.statistics.intervals import Ratio, garwood


class StandardisedRate(TypedDict):
    crude: float | None
    adjusted: float | None
    low: float | None
    high: float | None


class Homogeneity(TypedDict):
    chi2: float | None
    df: int
    p: float | None


class Discoveries(TypedDict):
    rejected: int
    adjusted: list[float]


class FunnelLimits(TypedDict):
    limits: list[dict[str, float]]


class Shrunk(TypedDict):
    grand_mean: float | None
    factor: float | None
    shrunk: list[float]


class Agreement(TypedDict):
    observed: float | None
    expected: float | None
    kappa: float | None


def standardised_ratio(observed: int, expected: float, *, confidence: float = 0.95) -> Ratio:
    """Observed over expected, with Garwood's limits of the observed count over the same expected count."""
    low, high = garwood(observed, confidence)
    if expected <= 0:
        return {"ratio": None, "low": None, "high": None}
    return {"ratio": observed / expected, "low": low / expected, "high": high / expected}


def direct_standardised_rate(
    counts: Sequence[int], sizes: Sequence[float], standard: Sequence[float], *, confidence: float = 0.95
) -> StandardisedRate:
    """The rate a group would have with the standard's mix of strata, in events per unit of size.

    A stratum that the group lacks leaves the adjusted rate undefined, for there is nothing to weight.
    Source: Fay and Feuer 1997, Stat Med 16:791-801 (gamma limits).
    """
    if not len(counts) == len(sizes) == len(standard):
        raise ValueError("Counts, sizes and standard describe the same strata, so they are equally long.")
    tail = (1 - check_confidence(confidence)) / 2
    total, whole = sum(sizes), sum(standard)
    crude = sum(counts) / total if total > 0 else None
    if whole <= 0 or any(size <= 0 < share for size, share in zip(sizes, standard, strict=True)):
        return {"crude": crude, "adjusted": None, "low": None, "high": None}
    weights = [share / whole / size if size > 0 else 0.0 for size, share in zip(sizes, standard, strict=True)]
    adjusted = sum(weight * count for weight, count in zip(weights, counts, strict=True))
    variance = sum(weight**2 * count for weight, count in zip(weights, counts, strict=True))
    low = 0.0
    if adjusted > 0:
        low = variance / adjusted * gamma_quantile(tail, shape=adjusted**2 / variance)
    # The upper limit allows for one more event, in the stratum where it would weigh most.
    heaviest = max(weights)
    mean, spread = adjusted + heaviest, variance + heaviest**2
    high = spread / mean * gamma_quantile(1 - tail, shape=mean**2 / spread)
    return {"crude": crude, "adjusted": adjusted, "low": low, "high": high}


def chi_square_homogeneity(successes: Sequence[int], n: Sequence[int]) -> Homogeneity:
    """Whether groups share one rate: Pearson's chi-square on successes and failures, with groups - 1 degrees."""
    if len(successes) != len(n):
        raise ValueError("Each group has its successes and its size, so both lists are equally long.")
    groups = [(hits, size) for hits, size in zip(successes, n, strict=True) if size > 0]
    if any(not 0 <= hits <= size for hits, size in groups):
        raise ValueError("No group has more successes than members.")
    df = max(len(groups) - 1, 0)
    total = sum(size for _, size in groups)
    share = sum(hits for hits, _ in groups) / total if total else 0.0
    if df == 0 or not 0 < share < 1:
        return {"chi2": None, "df": df, "p": None}
    chi2 = sum((hits - size * share) ** 2 / (size * share * (1 - share)) for hits, size in groups)
    return {"chi2": chi2, "df": df, "p": chi_square_above(chi2, df=df)}


def benjamini_hochberg(p_values: Sequence[float], q: float) -> Discoveries:
    """Which of many tests to believe so that about a share `q` of those believed is false.

    `adjusted` keeps the order given and is made monotone from the largest p down; a value of at most `q` rejects.
    Source: Benjamini and Hochberg 1995, J R Stat Soc B 57:289-300.
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise ValueError("A p-value lies between 0 and 1.")
    check_confidence(q)
    adjusted = [1.0] * len(p_values)
    smallest = 1.0
    by_size = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for rank, index in reversed(list(enumerate(by_size, start=1))):
        smallest = min(smallest, p_values[index] * len(p_values) / rank)
        adjusted[index] = smallest
    return {"rejected": sum(value <= q * (1 + 1e-12) for value in adjusted), "adjusted": adjusted}


def funnel_poisson(expected: Sequence[float], levels: Sequence[float] = (0.95, 0.998)) -> FunnelLimits:
    """Between which ratios of observed to expected a team stays by chance, for each expected count and level.

    Keys are `expected` and, per level, `low_0.95` and `high_0.95`. Garwood's limits, so the funnel is curved and never
    below 0. Source: Spiegelhalter 2005, Stat Med 24:1185-1202.
    """
    if any(count <= 0 for count in expected):
        raise ValueError("An expected count is greater than 0; leave out teams with none.")
    limits = []
    for count in expected:
        row: dict[str, float] = {"expected": count}
        for level in levels:
            low, high = garwood(count, level)
            row[f"low_{level:g}"] = low / count
            row[f"high_{level:g}"] = high / count
        limits.append(row)
    return {"limits": limits}


def shrink(successes: Sequence[int], n: int) -> Shrunk:
    """The shares of k small groups of one size `n`, drawn towards their mean m: m + c (y - m).

    c = 1 - (k - 3) v / sum (y - m)^2 with v = m (1 - m) / n, kept between 0 (all alike) and 1 (fewer than four groups
    say nothing about their spread). Source: Efron and Morris 1975, J Am Stat Assoc 70:311-319.
    """
    if n <= 0 or any(not 0 <= hits <= n for hits in successes):
        raise ValueError("Each group counts successes out of the same number of tries, greater than 0.")
    if not successes:
        return {"grand_mean": None, "factor": None, "shrunk": []}
    shares = [hits / n for hits in successes]
    mean = sum(shares) / len(shares)
    spread = math.fsum((share - mean) ** 2 for share in shares)
    noise = max(len(shares) - 3, 0) * mean * (1 - mean) / n
    factor = max(0.0, 1 - noise / spread) if spread > 0 else 0.0
    return {"grand_mean": mean, "factor": factor, "shrunk": [mean + factor * (share - mean) for share in shares]}


def cohen_kappa(table: Sequence[Sequence[int]]) -> Agreement:
    """How far two people agree beyond chance: (observed - expected) / (1 - expected).

    Row: the first person's tag; column: the second's. Source: Cohen 1960, Educ Psychol Meas 20:37-46.
    """
    if any(len(row) != len(table) for row in table):
        raise ValueError("Both people choose from the same tags, so the table is square.")
    total = sum(map(sum, table))
    if total == 0:
        return {"observed": None, "expected": None, "kappa": None}
    observed = sum(row[index] for index, row in enumerate(table)) / total
    columns = [sum(column) for column in zip(*table, strict=True)]
    expected = sum(sum(row) * column for row, column in zip(table, columns, strict=True)) / total**2
    kappa = (observed - expected) / (1 - expected) if expected < 1 else None
    return {"observed": observed, "expected": expected, "kappa": kappa}
