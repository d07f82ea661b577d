"""Which points of a series say that something changed, and which are the noise it always had.

Positions in `outside` and `first_signal` count from 1. Limits below 0 (and, for shares, above 1) are cut; a point exactly
on a limit is inside. `baseline` says how many leading points set the limits; later points are judged against them, so a
change cannot widen its own limits. A point without exposure has no value and no limits.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import Literal, TypedDict

from kpis.statistics.distributions import binomial_quantile

# The mean range of two normal values, in standard deviations (d2 for n = 2).
_MOVING_RANGE_TO_SIGMA = 1.128
_LIMIT = 3.0


class RateChart(TypedDict):
    centre: float | None
    lower: list[float | None]
    upper: list[float | None]
    outside: list[int]
    values: list[float | None]


class LaneyChart(RateChart):
    sigma_z: float | None


class CountChart(TypedDict):
    centre: float | None
    lower: float | None
    upper: float | None
    outside: list[int]


class IndividualsChart(CountChart):
    mean_moving_range: float | None


class EwmaChart(TypedDict):
    ewma: list[float]
    lower: list[float]
    upper: list[float]
    outside: list[int]


class Cusum(TypedDict):
    high: list[float]
    low: list[float]
    first_signal: int | None


class RunLimits(TypedDict):
    longest_run_max: int
    crossings_min: int


class Runs(TypedDict):
    useful: int
    longest_run: int
    crossings: int
    is_shifted: bool


def p_chart(counts: Sequence[int], sizes: Sequence[float], *, baseline: int | None = None) -> RateChart:
    """Shares counts/sizes with binomial limits: p +- 3 sqrt(p (1 - p) / n)."""
    return _rate_chart(counts, sizes, baseline=baseline, is_share=True)[0]


def u_chart(counts: Sequence[int], sizes: Sequence[float], *, baseline: int | None = None) -> RateChart:
    """Rates counts/sizes with Poisson limits: u +- 3 sqrt(u / n)."""
    return _rate_chart(counts, sizes, baseline=baseline, is_share=False)[0]


def laney_p(counts: Sequence[int], sizes: Sequence[float], *, baseline: int | None = None) -> LaneyChart:
    """A p chart whose limits are widened by the spread between periods, for large or varying sizes.

    `sigma_z` is the mean moving range of the z values over 1.128; near 1 gives the plain chart.
    Source: Laney 2002, Qual Eng 14:531-537.
    """
    return _laney(counts, sizes, baseline=baseline, is_share=True)


def laney_u(counts: Sequence[int], sizes: Sequence[float], *, baseline: int | None = None) -> LaneyChart:
    """A u chart widened as in `laney_p`."""
    return _laney(counts, sizes, baseline=baseline, is_share=False)


def c_chart(counts: Sequence[int], *, baseline: int | None = None) -> CountChart:
    """Counts over a constant exposure: c +- 3 sqrt(c)."""
    if any(count < 0 for count in counts):
        raise ValueError("A count is never below 0.")
    if not counts:
        return {"centre": None, "lower": None, "upper": None, "outside": []}
    centre = fmean(_first(counts, baseline))
    lower, upper = max(0.0, centre - _LIMIT * math.sqrt(centre)), centre + _LIMIT * math.sqrt(centre)
    return {"centre": centre, "lower": lower, "upper": upper, "outside": _outside(counts, lower, upper)}


def individuals_chart(values: Sequence[float], *, baseline: int | None = None) -> IndividualsChart:
    """Single values, such as a weekly median: mean +- 3 moving ranges / 1.128, in the unit of the values."""
    if not values:
        return {"centre": None, "mean_moving_range": None, "lower": None, "upper": None, "outside": []}
    settled = _first(values, baseline)
    centre, spread = fmean(settled), _mean_moving_range(settled)
    if spread is None:
        return {"centre": centre, "mean_moving_range": None, "lower": None, "upper": None, "outside": []}
    reach = _LIMIT * spread / _MOVING_RANGE_TO_SIGMA
    lower, upper = centre - reach, centre + reach
    return {
        "centre": centre,
        "mean_moving_range": spread,
        "lower": lower,
        "upper": upper,
        "outside": _outside(values, lower, upper),
    }


def ewma_chart(
    values: Sequence[float],
    target: float,
    sigma: float,
    *,
    weight: float = 0.2,
    k: float = 2.7,
    limits: Literal["steady", "exact"] = "steady",
) -> EwmaChart:
    """Exponentially weighted averages, which find a slow drift; they start at the target.

    Limits are target +- k sigma sqrt(weight / (2 - weight)), or `exact`, narrower for the first points.
    Source: Roberts 1959, Technometrics 1:239-250.
    """
    if not 0 < weight <= 1 or sigma <= 0:
        raise ValueError("The weight lies between 0 and 1 and sigma is greater than 0.")
    if limits not in ("steady", "exact"):
        raise ValueError("Limits are `steady` or `exact`.")
    averages: list[float] = []
    lower, upper = [], []
    average = target
    for place, value in enumerate(values, start=1):
        average += weight * (value - average)
        averages.append(average)
        reach = k * sigma * math.sqrt(weight / (2 - weight))
        if limits == "exact":
            reach *= math.sqrt(1 - (1 - weight) ** (2 * place))
        lower.append(target - reach)
        upper.append(target + reach)
    return {"ewma": averages, "lower": lower, "upper": upper, "outside": _outside(averages, lower, upper)}


def cusum(values: Sequence[float], target: float, slack: float, threshold: float) -> Cusum:
    """Sums of what each value exceeds (or lacks) beyond target +- slack; a signal is a sum above the threshold.

    Slack and threshold are in the unit of the values, usually 0.5 and 5 standard deviations. `low` is counted upwards too.
    Source: Page 1954, Biometrika 41:100-115, in the tabular form.
    """
    high, low = [], []
    above = below = 0.0
    for value in values:
        above = max(0.0, above + value - target - slack)
        below = max(0.0, below + target - slack - value)
        high.append(above)
        low.append(below)
    signals = (place for place, sums in enumerate(zip(high, low, strict=True), start=1) if max(sums) > threshold)
    return {"high": high, "low": low, "first_signal": next(signals, None)}


def run_limits(n: int) -> RunLimits:
    """The longest run and the fewest crossings that `n` points off the centre line show by chance.

    Source: Anhoej and Olesen 2014, PLoS One 9:e113825.
    """
    if n < 1:
        raise ValueError("Runs need at least one point off the centre line.")
    return {
        "longest_run_max": round(math.log2(n) + 3),
        "crossings_min": binomial_quantile(0.05, trials=n - 1, chance=0.5),
    }


def runs(values: Sequence[float | None], centre: float) -> Runs:
    """The runs of a series on either side of its centre; points on the centre, or without value, do not count.

    `is_shifted` says that a run is too long or the crossings are too few for chance.
    """
    sides = [value > centre for value in values if value is not None and value != centre]
    if not sides:
        return {"useful": 0, "longest_run": 0, "crossings": 0, "is_shifted": False}
    longest = run = 1
    crossings = 0
    for before, after in pairwise(sides):
        crossings += before != after
        run = 1 if before != after else run + 1
        longest = max(longest, run)
    limits = run_limits(len(sides))
    return {
        "useful": len(sides),
        "longest_run": longest,
        "crossings": crossings,
        "is_shifted": longest > limits["longest_run_max"] or crossings < limits["crossings_min"],
    }


def _laney(counts: Sequence[int], sizes: Sequence[float], *, baseline: int | None, is_share: bool) -> LaneyChart:
    chart, errors = _rate_chart(counts, sizes, baseline=baseline, is_share=is_share)
    scores = [
        (value - chart["centre"]) / error
        for value, error in zip(chart["values"], errors, strict=True)
        if value is not None and chart["centre"] is not None and error
    ]
    settled = sum(size > 0 for size in _first(sizes, baseline))
    spread = _mean_moving_range(scores[:settled])
    if spread is None:
        return {**chart, "sigma_z": None}
    sigma_z = spread / _MOVING_RANGE_TO_SIGMA
    return {**_with_limits(chart, errors, widen=sigma_z, is_share=is_share), "sigma_z": sigma_z}


def _rate_chart(
    counts: Sequence[int], sizes: Sequence[float], *, baseline: int | None, is_share: bool
) -> tuple[RateChart, list[float]]:
    """The chart and the standard error of each point (0 where there is no exposure)."""
    if len(counts) != len(sizes):
        raise ValueError("Each count has its size, so both lists are equally long.")
    if any(count < 0 for count in counts) or any(size < 0 for size in sizes):
        raise ValueError("Counts and sizes are never below 0.")
    if is_share and any(count > size for count, size in zip(counts, sizes, strict=True)):
        raise ValueError("A share counts some out of all: no count is larger than its size.")
    values = [count / size if size > 0 else None for count, size in zip(counts, sizes, strict=True)]
    exposure = sum(_first(sizes, baseline))
    chart: RateChart = {
        "centre": None,
        "lower": [None] * len(values),
        "upper": [None] * len(values),
        "outside": [],
        "values": values,
    }
    if exposure <= 0:
        return chart, [0.0] * len(values)
    centre = sum(_first(counts, baseline)) / exposure
    chart["centre"] = centre
    variance = centre * (1 - centre) if is_share else centre
    errors = [math.sqrt(variance / size) if size > 0 else 0.0 for size in sizes]
    return _with_limits(chart, errors, widen=1.0, is_share=is_share), errors


def _with_limits(chart: RateChart, errors: Sequence[float], *, widen: float, is_share: bool) -> RateChart:
    centre, values = chart["centre"], chart["values"]
    if centre is None:
        return chart
    reaches = [_LIMIT * widen * error for error in errors]
    lower: list[float | None] = []
    upper: list[float | None] = []
    for value, reach in zip(values, reaches, strict=True):
        lower.append(None if value is None else max(0.0, centre - reach))
        upper.append(None if value is None else min(1.0, centre + reach) if is_share else centre + reach)
    return {**chart, "lower": lower, "upper": upper, "outside": _outside(values, lower, upper)}


def _outside(
    values: Sequence[float | None],
    lower: float | Sequence[float | None],
    upper: float | Sequence[float | None],
) -> list[int]:
    lows = lower if isinstance(lower, Sequence) else [lower] * len(values)
    highs = upper if isinstance(upper, Sequence) else [upper] * len(values)
    return [
        place
        for place, (value, low, high) in enumerate(zip(values, lows, highs, strict=True), start=1)
        if value is not None and low is not None and high is not None and _is_outside(value, low, high)
    ]


def _is_outside(value: float, low: float, high: float) -> bool:
    # The slack keeps a point that lies on its limit from leaving it by a rounding error.
    slack = 1e-12 * max(abs(value), abs(low), abs(high))
    return value < low - slack or value > high + slack


def _mean_moving_range(values: Sequence[float]) -> float | None:
    """The mean step between neighbours; it needs two values."""
    if len(values) < 2:
        return None
    return fmean(abs(after - before) for before, after in pairwise(values))


def _first(values: Sequence[float], baseline: int | None) -> Sequence[float]:
    if baseline is not None and baseline < 1:
        raise ValueError("A baseline has at least one point; leave it out to use all.")
    return values[:baseline]
