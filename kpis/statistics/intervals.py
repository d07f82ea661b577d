"""How sure a share, a mean or a count is, and how sure its change.

Shares run from 0 to 1. `None` stands for what is not defined: no answers have no share, and it is never 0.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TypedDict

from kpis.statistics.distributions import (
    beta_quantile,
    check_confidence,
    gamma_quantile,
    student_quantile,
    two_sided_z,
)


class Interval(TypedDict):
    low: float | None
    high: float | None


class Estimate(Interval):
    estimate: float | None


class Difference(Interval):
    difference: float | None


class Ratio(Interval):
    ratio: float | None


class Value(TypedDict):
    value: float | None


def wilson(successes: float, n: float, *, confidence: float = 0.95) -> Estimate:
    """A share with its score interval, which holds its promise for 0 of n and n of n too.

    Source: Wilson 1927, J Am Stat Assoc 22:209-212; method 3 of Newcombe 1998, Stat Med 17:857-872.
    """
    _check_share(successes, n)
    z = two_sided_z(confidence)
    if n == 0:
        return {"estimate": None, "low": None, "high": None}
    return score_interval(successes / n, n, z=z)


def score_interval(share: float, n: float, *, z: float) -> Estimate:
    """Wilson's interval of a share; `n` need not be whole, as in a weighted sample."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At the ends the bound is 0 or 1 exactly; rounding would leave 1e-18.
    low = 0.0 if share == 0 else max(0.0, middle - reach)
    high = 1.0 if share == 1 else min(1.0, middle + reach)
    return {"estimate": share, "low": low, "high": high}


def clopper_pearson(successes: int, n: int, *, confidence: float = 0.95) -> Estimate:
    """A share with its exact interval from beta quantiles; wider than Wilson's, never too short.

    Source: Clopper and Pearson 1934, Biometrika 26:404-413.
    """
    _check_share(successes, n)
    tail = (1 - check_confidence(confidence)) / 2
    if n == 0:
        return {"estimate": None, "low": None, "high": None}
    low = beta_quantile(tail, a=successes, b=n - successes + 1) if successes > 0 else 0.0
    high = beta_quantile(1 - tail, a=successes + 1, b=n - successes) if successes < n else 1.0
    return {"estimate": successes / n, "low": low, "high": high}


def newcombe_difference(x1: float, n1: float, x2: float, n2: float, *, confidence: float = 0.95) -> Difference:
    """x1/n1 - x2/n2 of two independent groups, from their Wilson intervals. Counts need not be whole, as where they were made
    smaller for varying more than chance.

    Source: method 10 of Newcombe 1998, Stat Med 17:873-890.
    """
    one, two = wilson(x1, n1, confidence=confidence), wilson(x2, n2, confidence=confidence)
    p1, low1, high1 = one["estimate"], one["low"], one["high"]
    p2, low2, high2 = two["estimate"], two["low"], two["high"]
    if p1 is None or low1 is None or high1 is None or p2 is None or low2 is None or high2 is None:
        return {"difference": None, "low": None, "high": None}
    difference = p1 - p2
    return {
        "difference": difference,
        "low": difference - math.hypot(p1 - low1, high2 - p2),
        "high": difference + math.hypot(high1 - p1, p2 - low2),
    }


def mean_ci(n: int, mean: float, sd: float, *, confidence: float = 0.95) -> Interval:
    """The interval of a mean, in the unit of the mean: mean +- t(n - 1) sd / sqrt(n). It needs two values.

    `sd` is the sample standard deviation, with n - 1 below. Source: Student 1908, Biometrika 6:1-25.
    """
    if sd < 0:
        raise ValueError("A standard deviation is never below 0.")
    check_confidence(confidence)
    if n < 2:
        return {"low": None, "high": None}
    reach = student_quantile(0.5 + confidence / 2, df=n - 1) * sd / math.sqrt(n)
    return {"low": mean - reach, "high": mean + reach}


def mean_difference(
    one: tuple[int, float, float], two: tuple[int, float, float], *, confidence: float = 0.95
) -> Difference:
    """Of two (n, mean, sample standard deviation), the first mean minus the second, in the unit of the means. The groups are
    independent, their spreads may differ, and each needs two values.

    Source: Welch 1947, Biometrika 34:28-35, with the degrees of freedom of Satterthwaite 1946.
    """
    (n1, mean1, sd1), (n2, mean2, sd2) = one, two
    if min(sd1, sd2) < 0:
        raise ValueError("A standard deviation is never below 0.")
    check_confidence(confidence)
    if min(n1, n2) < 2:
        return {"difference": None, "low": None, "high": None}
    a, b = sd1**2 / n1, sd2**2 / n2
    if a + b == 0:
        return {"difference": mean1 - mean2, "low": mean1 - mean2, "high": mean1 - mean2}
    freedom = (a + b) ** 2 / (a**2 / (n1 - 1) + b**2 / (n2 - 1))
    reach = student_quantile(0.5 + confidence / 2, df=freedom) * math.sqrt(a + b)
    return {"difference": mean1 - mean2, "low": mean1 - mean2 - reach, "high": mean1 - mean2 + reach}


def percentile(values: Sequence[float], q: float) -> Value:
    """The value below which the share `q` (0 to 1) lies, linear between neighbours: h = (n - 1) q.

    The same number as PostgreSQL's percentile_cont, so that a list and a query agree.
    """
    if not 0 <= q <= 1:
        raise ValueError("A percentile is asked for as a share, 0.9 for the ninetieth.")
    if not values:
        return {"value": None}
    ordered = sorted(values)
    place = (len(ordered) - 1) * q
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return {"value": ordered[below] + (place - below) * (ordered[above] - ordered[below])}


def poisson_ci(count: int, *, confidence: float = 0.95) -> Interval:
    """The exact interval of an expected count of which `count` were seen.

    Source: Garwood 1936, Biometrika 28:437-442, as gamma quantiles.
    """
    low, high = garwood(count, confidence)
    return {"low": low, "high": high}


def rate_ratio_exact(x1: int, t1: float, x2: int, t2: float, *, confidence: float = 0.95) -> Ratio:
    """(x1 / t1) / (x2 / t2) for counts x over exposures t, right for small counts.

    Given the sum of both counts, x1 is binomial; its Clopper-Pearson limits become odds, times t2 / t1.
    No events in group 2 leave the ratio and its upper limit open. Source: Przyborowski and Wilenski 1940,
    Biometrika 31:313-323.
    """
    _check_exposures(t1, t2)
    share = clopper_pearson(x1, x1 + x2, confidence=confidence)
    if share["low"] is None or share["high"] is None:
        return {"ratio": None, "low": None, "high": None}
    scale = t2 / t1
    low, high = share["low"], share["high"]
    return {
        "ratio": x1 / x2 * scale if x2 > 0 else None,
        "low": low / (1 - low) * scale,
        "high": high / (1 - high) * scale if x2 > 0 else None,
    }


def rate_ratio_wald(x1: int, t1: float, x2: int, t2: float, *, confidence: float = 0.95) -> Ratio:
    """(x1 / t1) / (x2 / t2), normal on the log scale with variance 1/x1 + 1/x2; open when a count is 0.

    Source: Rothman, Modern Epidemiology.
    """
    _check_exposures(t1, t2)
    z = two_sided_z(confidence)
    if x1 < 0 or x2 < 0:
        raise ValueError("A count is never below 0.")
    if x2 == 0:
        return {"ratio": None, "low": None, "high": None}
    ratio = x1 / x2 * t2 / t1
    if x1 == 0:
        return {"ratio": ratio, "low": None, "high": None}
    reach = math.exp(z * math.sqrt(1 / x1 + 1 / x2))
    return {"ratio": ratio, "low": ratio / reach, "high": ratio * reach}


# A page asks for the same counts of past weeks again and again.
@lru_cache(maxsize=4096)
def garwood(count: float, confidence: float) -> tuple[float, float]:
    """Garwood's limits; a funnel needs them between whole counts too."""
    if count < 0:
        raise ValueError("A count is never below 0.")
    tail = (1 - check_confidence(confidence)) / 2
    low = gamma_quantile(tail, shape=count) if count > 0 else 0.0
    return low, gamma_quantile(1 - tail, shape=count + 1)


def _check_share(successes: float, n: float) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"A share counts some out of all: {successes} of {n} is not one.")


def _check_exposures(t1: float, t2: float) -> None:
    if t1 <= 0 or t2 <= 0:
        raise ValueError("A rate needs an exposure greater than 0 in both groups.")
