"""The net promoter score and its change, with how sure they are."""

import math
from typing import Literal, NotRequired, TypedDict

from kpis.statistics.distributions import two_sided_z
from kpis.statistics.intervals import wilson

SMALL = 30
"""Below this many answers the variance of the score says too little, and Wilson's intervals stand in."""


class Answers(TypedDict):
    promoters: int
    passives: int
    detractors: int
    confidence: NotRequired[float]


class Score(TypedDict):
    n: int
    nps: float | None
    variance: float | None
    se: float | None
    moe: float | None
    low: float | None
    high: float | None


class ScoreDifference(TypedDict):
    difference: float | None
    se: float | None
    moe: float | None
    low: float | None
    high: float | None


def nps(promoters: int, passives: int, detractors: int, *, confidence: float = 0.95) -> Score:
    """The share of 9s and 10s minus the share of 0s to 6s, in points from -100 to 100.

    `variance` is that of one answer (scored 1, 0, -1): p + d - (p - d)^2; `se` and `moe` are in points. Below `SMALL`
    answers, or when all answer alike and the variance is 0, low and high come from the Wilson limits of p and d.
    Source: Reichheld 2003 for the score, multinomial variance for its error.
    """
    if min(promoters, passives, detractors) < 0:
        raise ValueError("A number of answers is never below 0.")
    z = two_sided_z(confidence)
    n = promoters + passives + detractors
    if n == 0:
        return {"n": 0, "nps": None, "variance": None, "se": None, "moe": None, "low": None, "high": None}
    p, d = promoters / n, detractors / n
    # n squared is taken out so that answers all alike give exactly 0.
    variance = ((promoters + detractors) * n - (promoters - detractors) ** 2) / (n * n)
    se = 100 * math.sqrt(variance / n)
    score, moe = 100 * (p - d), z * se
    if n < SMALL or variance == 0:
        low = 100 * (_limit(promoters, n, confidence, "low") - _limit(detractors, n, confidence, "high"))
        high = 100 * (_limit(promoters, n, confidence, "high") - _limit(detractors, n, confidence, "low"))
    else:
        low, high = score - moe, score + moe
    return {
        "n": n,
        "nps": score,
        "variance": variance,
        "se": se,
        "moe": moe,
        "low": max(-100.0, low),
        "high": min(100.0, high),
    }


def nps_difference(a: Answers, b: Answers, *, confidence: float = 0.95) -> ScoreDifference:
    """The score of `a` minus that of `b`, in points; independent groups, so the standard errors add in squares."""
    z = two_sided_z(confidence)
    one, two = nps(**a), nps(**b)
    if one["nps"] is None or one["se"] is None or two["nps"] is None or two["se"] is None:
        return {"difference": None, "se": None, "moe": None, "low": None, "high": None}
    difference = one["nps"] - two["nps"]
    se = math.hypot(one["se"], two["se"])
    moe = z * se
    return {"difference": difference, "se": se, "moe": moe, "low": difference - moe, "high": difference + moe}


def _limit(successes: int, n: int, confidence: float, side: Literal["low", "high"]) -> float:
    limit = wilson(successes, n, confidence=confidence)[side]
    assert limit is not None  # n > 0 here
    return limit
