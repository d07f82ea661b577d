"""Is this week's count more than this series, at this exposure, shows by chance? An upper tail for each of many series.

The improved Farrington algorithm (Noufaily and others 2013, Stat Med 32:1206-1222) for short histories: a quasi-Poisson
regression on time with log(exposure) as offset, so that the trend is always fitted; past outbreaks are down-weighted by
their Anscombe residuals; the tail is that of a negative binomial law with the variance of a new observation. What season
or general traffic does belongs into the exposure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from kpis.statistics.distributions import beta_below, gamma_below

FEWEST_WEEKS = 12
"""A baseline shorter than this is none."""
WINDOWS = (1, 2, 4)
"""Weeks taken together, each tried."""

# What is known of the dispersion before anything is counted, and how many weeks that knowledge is worth.
_USUAL_DISPERSION, _WORTH_WEEKS = 1.2, 8
# What was silent is not therefore impossible: it is taken for so many items in the whole baseline.
_LEAST_SAID = 0.5
_OUTBREAK = 2.58
_STEPS, _TURNS = 25, 3


@dataclass(frozen=True)
class Excess:
    """The last weeks of a series against those before them; `p` is the chance of so many or more where nothing changed,
    corrected for the windows that were tried."""

    window: int
    count: int
    expected: float
    p: float
    dispersion: float
    last_p: float
    """Of the last week alone, not corrected."""

    @property
    def ratio(self) -> float | None:
        return self.count / self.expected if self.expected > 0 else None


def excess(counts: Sequence[int], exposure: Sequence[float], *, windows: Sequence[int] = WINDOWS) -> Excess | None:
    """The last weeks against those before, oldest first, each at its exposure (units, orders, or what else was said).

    A sudden rise shows in the last week alone, a smaller one in the last four together: of the windows the one that speaks
    most for a rise is told, its p times their number. None where no window has 12 points with exposure before it.
    """
    if len(counts) != len(exposure):
        raise ValueError("Each count has its exposure, so both lists are equally long.")
    if any(count < 0 for count in counts) or any(size < 0 for size in exposure):
        raise ValueError("Counts and exposures are never below 0.")
    tried = [found for window in windows if (found := _excess(counts, exposure, window)) is not None]
    if not tried:
        return None
    best = min(tried, key=lambda found: found.p)
    return replace(best, p=min(1.0, best.p * len(tried)), last_p=tried[0].p)


def _excess(counts: Sequence[int], exposure: Sequence[float], window: int) -> Excess | None:
    size = sum(exposure[-window:])
    past = [
        # Time counts back from the middle of what is judged, so its own predictor is the constant alone.
        (place - len(counts) + (window + 1) / 2, count, size)
        for place, (count, size) in enumerate(zip(counts[:-window], exposure[:-window], strict=True))
        if size > 0
    ]
    if len(past) < FEWEST_WEEKS or size <= 0:
        return None
    count, said = sum(counts[-window:]), sum(number for _, number, _ in past)
    fit = _fit(past) if said >= 2 else None
    if fit is None:
        mean = max(said, _LEAST_SAID) / sum(size for _, _, size in past) * size
        # The mean itself is known from so few that its error counts as much as chance.
        return Excess(window, count, mean, tail(count, mean, mean + mean**2 / max(said, 1)), 1.0, 1.0)
    mean = math.exp(fit.level) * size
    variance = fit.dispersion * mean + mean**2 * fit.level_variance
    return Excess(window, count, mean, tail(count, mean, variance), fit.dispersion, 1.0)


def tail(count: int, mean: float, variance: float) -> float:
    """P(X >= count) of the negative binomial law with this mean and variance; Poisson's where they are equal."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    if variance <= mean * (1 + 1e-9):
        return gamma_below(mean, shape=count)
    size = mean**2 / (variance - mean)
    return beta_below(mean / (size + mean), a=count, b=size)


@dataclass(frozen=True)
class _Fit:
    level: float
    level_variance: float
    dispersion: float


def _fit(past: Sequence[tuple[float, int, float]]) -> _Fit | None:
    """log(rate) on time by weighted least squares, and again while past outbreaks come out, which then weigh less."""
    weights = [1.0] * len(past)
    fit = None
    for _ in range(_TURNS):
        solved = _regression(past, weights)
        if solved is None:
            return fit
        level, slope, (a, b, c) = solved
        determinant = a * c - b * b
        means = [size * math.exp(level + slope * time) for time, _, size in past]
        spread = sum(
            weight * (count - mean) ** 2 / mean
            for weight, mean, (_, count, _) in zip(weights, means, past, strict=True)
        )
        dispersion = max(1.0, (spread + _USUAL_DISPERSION * _WORTH_WEEKS) / (len(past) - 2 + _WORTH_WEEKS))
        fit = _Fit(level, dispersion * c / determinant, dispersion)
        # What usually varies, by its middle: an outbreak must not hide itself by the spread it makes.
        usual = max(1.0, (median(map(abs, _pearson(past, means))) / 0.6745) ** 2)
        residuals = []
        for weight, mean, (time, count, _) in zip(weights, means, past, strict=True):
            leverage = min(0.95, weight * mean * (c - 2 * b * time + a * time * time) / determinant)
            error = math.sqrt(usual * (1 - leverage)) * mean ** (1 / 6)
            residuals.append(1.5 * (count ** (2 / 3) - mean ** (2 / 3)) / error)
        weights = [(_OUTBREAK / residual) ** 2 if residual > _OUTBREAK else 1.0 for residual in residuals]
        if min(weights) == 1.0:
            break
        scale = len(weights) / sum(weights)
        weights = [weight * scale for weight in weights]
    return fit


def _pearson(past: Sequence[tuple[float, int, float]], means: Sequence[float]) -> list[float]:
    return [(count - mean) / math.sqrt(mean) for mean, (_, count, _) in zip(means, past, strict=True)]


def _regression(
    past: Sequence[tuple[float, int, float]], weights: Sequence[float]
) -> tuple[float, float, tuple[float, float, float]] | None:
    """Level and slope of the log rate, and the information matrix (a, b; b, c); None where they cannot be told apart."""
    said = sum(weight * count for weight, (_, count, _) in zip(weights, past, strict=True))
    level = math.log(said / sum(weight * size for weight, (_, _, size) in zip(weights, past, strict=True)))
    slope = 0.0
    for _ in range(_STEPS):
        a = b = c = u = v = 0.0
        for weight, (time, count, size) in zip(weights, past, strict=True):
            predictor = level + slope * time
            if abs(predictor) > 100:
                return None
            mean = size * math.exp(predictor)
            a += weight * mean
            b += weight * mean * time
            c += weight * mean * time * time
            u += weight * (count - mean)
            v += weight * (count - mean) * time
        determinant = a * c - b * b
        if determinant <= 1e-12 * a * c:
            return None
        up, steeper = (c * u - b * v) / determinant, (a * v - b * u) / determinant
        # A long step overshoots where counts are small; half of it still arrives.
        short = min(1.0, 2.0 / max(abs(up), abs(steeper) * abs(past[0][0]), 1e-12))
        level += short * up
        slope += short * steeper
        if abs(up) < 1e-9 and abs(steeper) < 1e-9:
            return level, slope, (a, b, c)
    return None
