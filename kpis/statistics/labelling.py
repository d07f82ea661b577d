"""How far labels can be trusted: how sure an agreement is, shares of a weighted sample, and shares put right for wrong labels."""

import math
from collections.abc import Sequence
from typing import TypedDict

from kpis.statistics.comparisons import cohen_kappa
from kpis.statistics.distributions import two_sided_z
from kpis.statistics.intervals import Estimate, Interval, score_interval


class Kappa(Interval):
    kappa: float | None


class Weighted(Estimate):
    n: float


class Rate(TypedDict):
    """A share with how many it was counted of; of a weighted sample, how many equally weighted ones it is worth."""

    estimate: float
    n: float


def kappa_interval(table: Sequence[Sequence[int]], *, confidence: float = 0.95) -> Kappa:
    """Cohen's kappa with its large-sample interval, cut at -1 and 1.

    Not defined where both people always choose the same one tag. Source: Fleiss, Cohen and Everitt 1969, Psychol Bull
    72:323-327, equation 13.
    """
    z = two_sided_z(confidence)
    found = cohen_kappa(table)
    kappa, observed, expected = found["kappa"], found["observed"], found["expected"]
    if kappa is None or observed is None or expected is None:
        return {"kappa": None, "low": None, "high": None}
    total = sum(map(sum, table))
    rows = [sum(row) / total for row in table]
    columns = [sum(column) / total for column in zip(*table, strict=True)]
    agreed = math.fsum(
        table[i][i] / total * ((1 - expected) - (rows[i] + columns[i]) * (1 - observed)) ** 2 for i in range(len(table))
    )
    apart = math.fsum(
        count / total * (columns[i] + rows[j]) ** 2
        for i, row in enumerate(table)
        for j, count in enumerate(row)
        if count and i != j
    )
    spread = agreed + (1 - observed) ** 2 * apart - (observed * expected - 2 * expected + observed) ** 2
    reach = z * math.sqrt(max(0.0, spread) / total) / (1 - expected) ** 2
    return {"kappa": kappa, "low": max(-1.0, kappa - reach), "high": min(1.0, kappa + reach)}


def weighted_share(hits: Sequence[bool], weights: Sequence[float], *, confidence: float = 0.95) -> Weighted:
    """The share of hits where each item stands for `weights` of its population, with Wilson's interval.

    `n` is how many equally weighted items the sample is worth, (sum w)^2 / sum w^2, which the interval is computed with.
    Source: Kish 1965, Survey Sampling, section 11.7; Korn and Graubard 1998, Surv Methodol 24:193-201.
    """
    if any(weight <= 0 for weight in weights):
        raise ValueError("An item of a sample stands for more than none of its population.")
    z = two_sided_z(confidence)
    total = math.fsum(weights)
    if not total:
        return {"estimate": None, "low": None, "high": None, "n": 0.0}
    share = min(1.0, math.fsum(weight for hit, weight in zip(hits, weights, strict=True) if hit) / total)
    if all(hits):
        share = 1.0
    worth = total**2 / math.fsum(weight**2 for weight in weights)
    return {**score_interval(share, worth, z=z), "n": worth}


def rogan_gladen(seen: Rate, *, sensitivity: Rate, specificity: Rate, confidence: float = 0.95) -> Estimate:
    """The share there really is, of a share that was seen through labels that are sometimes wrong, by the delta method.

    (s + sp - 1) / (se + sp - 1); not defined where labels are no better than chance or the result is no share. Source: Rogan
    and Gladen 1978, Am J Epidemiol 107:71-76.
    """
    z = two_sided_z(confidence)
    if any(rate["n"] <= 0 or not 0 <= rate["estimate"] <= 1 for rate in (seen, sensitivity, specificity)):
        raise ValueError("Each share lies between 0 and 1 and is counted of something.")
    worth = sensitivity["estimate"] + specificity["estimate"] - 1
    if worth <= 0:
        return {"estimate": None, "low": None, "high": None}
    share = (seen["estimate"] + specificity["estimate"] - 1) / worth
    if not 0 <= share <= 1:
        return {"estimate": None, "low": None, "high": None}

    def variance(rate: Rate) -> float:
        return rate["estimate"] * (1 - rate["estimate"]) / rate["n"]

    spread = variance(seen) + share**2 * variance(sensitivity) + (1 - share) ** 2 * variance(specificity)
    reach = z * math.sqrt(spread) / worth
    return {"estimate": share, "low": max(0.0, share - reach), "high": min(1.0, share + reach)}
