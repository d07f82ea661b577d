"""What a series does over time: its seasons, its one break, and whether an action changed it."""

import math
from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean
from typing import Literal, TypedDict

from kpis.statistics.distributions import two_sided_z


class SeasonalIndices(TypedDict):
    indices: list[float] | None


class ChangePoint(TypedDict):
    index: int | None
    mean_before: float | None
    mean_after: float | None


class Interruption(TypedDict):
    rate_ratio: float | None
    low: float | None
    high: float | None
    dispersion: float | None
    log_coefficient: float | None
    se: float | None


def seasonal_indices(
    series: Sequence[float], period: int, *, model: Literal["multiplicative", "additive"] = "multiplicative"
) -> SeasonalIndices:
    """How much each season lies above the trend, as factors around 1 or amounts around 0; first that of the first point.

    Classical decomposition: ratio (or difference) to the centred moving average, 2 x period for even periods, plain mean
    per season, scaled to mean 1 (or 0). At least two full cycles; before that, and where the trend reaches 0 under the
    multiplicative model, `None`.
    """
    if period < 2:
        raise ValueError("A season has at least two points to a cycle.")
    if model not in ("multiplicative", "additive"):
        raise ValueError("The model is `multiplicative` or `additive`.")
    if len(series) < 2 * period:
        return {"indices": None}
    by_season: list[list[float]] = [[] for _ in range(period)]
    half = period // 2
    for place in range(half, len(series) - half):
        trend = _centred_average(series, place, period)
        if model == "additive":
            by_season[place % period].append(series[place] - trend)
        elif trend > 0:
            by_season[place % period].append(series[place] / trend)
    if not all(by_season):
        return {"indices": None}
    plain = [fmean(season) for season in by_season]
    level = fmean(plain)
    if model == "additive":
        return {"indices": [value - level for value in plain]}
    return {"indices": [value / level for value in plain] if level > 0 else None}


def change_point(series: Sequence[float]) -> ChangePoint:
    """The one break that leaves the least squared error: `index` points before it, and the mean on each side.

    It always finds one; whether it matters is for a test. The first of equal breaks wins; two points are needed.
    """
    if len(series) < 2:
        return {"index": None, "mean_before": None, "mean_after": None}
    level = fmean(series)
    sums = list(accumulate(value - level for value in series))
    # The explained sum of squares of a break after k of n centred points is S_k^2 n / (k (n - k)).
    n = len(series)
    index = max(range(1, n), key=lambda k: sums[k - 1] ** 2 * n / (k * (n - k)))
    return {"index": index, "mean_before": fmean(series[:index]), "mean_after": fmean(series[index:])}


def interrupted_time_series(
    counts: Sequence[int],
    exposure: Sequence[float],
    time: Sequence[float],
    after: Sequence[int],
    *,
    dispersion: Literal["pearson", "poisson"] = "pearson",
    confidence: float = 0.95,
) -> Interruption:
    """By which factor a rate changed when an action took effect, over and above its trend.

    log(count) = log(exposure) + b0 + b1 time + b2 after, fitted by maximum likelihood; `rate_ratio` is exp(b2) with a
    normal interval on the log scale. `pearson` widens it by the dispersion left over (quasi-Poisson); `poisson` takes
    1. `None` where the data cannot tell the step from the trend. Source: Bernal, Cummins and Gasparrini 2017,
    Int J Epidemiol 46:348-355.
    """
    z = two_sided_z(confidence)
    if not len(counts) == len(exposure) == len(time) == len(after):
        raise ValueError("Each point has its count, exposure, time and side, so all lists are equally long.")
    if any(size <= 0 for size in exposure) or any(count < 0 for count in counts):
        raise ValueError("Exposures are greater than 0 and counts are not below 0.")
    if dispersion not in ("pearson", "poisson"):
        raise ValueError("The dispersion is `pearson` or `poisson`.")
    nothing: Interruption = {
        "rate_ratio": None, "low": None, "high": None, "dispersion": None, "log_coefficient": None, "se": None,
    }  # fmt: skip
    if len(counts) < 4:
        return nothing
    # Time is centred and scaled: the step does not depend on it, the arithmetic does.
    middle = fmean(time)
    scale = max(abs(moment - middle) for moment in time) or 1.0
    rows = [(1.0, (moment - middle) / scale, float(bool(side))) for moment, side in zip(time, after, strict=True)]
    fit = poisson_fit(counts, rows, [math.log(size) for size in exposure])
    if fit is None:
        return nothing
    means, coefficients, inverse = fit
    pearson = sum((count - mean) ** 2 / mean for count, mean in zip(counts, means, strict=True))
    spread = pearson / (len(counts) - len(coefficients)) if dispersion == "pearson" else 1.0
    step, se = coefficients[2], math.sqrt(spread * inverse[2][2])
    return {
        "rate_ratio": math.exp(step),
        "low": math.exp(step - z * se),
        "high": math.exp(step + z * se),
        "dispersion": spread,
        "log_coefficient": step,
        "se": se,
    }


def _centred_average(series: Sequence[float], place: int, period: int) -> float:
    half = period // 2
    window = series[place - half : place + half + 1]
    if period % 2:
        return sum(window) / period
    # An even window has no middle point: one more point, and half weight for both ends.
    return (sum(window) - (window[0] + window[-1]) / 2) / period


def poisson_fit(
    counts: Sequence[int], rows: Sequence[tuple[float, ...]], offsets: Sequence[float]
) -> tuple[list[float], list[float], list[list[float]]] | None:
    """Means, coefficients and their covariances at dispersion 1, by iteratively reweighted least squares."""
    width = len(rows[0])
    means = [count + 0.5 for count in counts]
    coefficients = [0.0] * width
    for _ in range(100):
        # The working response of the log link.
        targets = [
            math.log(mean) - offset + (count - mean) / mean
            for count, mean, offset in zip(counts, means, offsets, strict=True)
        ]
        weighted = list(zip(rows, means, targets, strict=True))
        matrix = [[sum(m * row[i] * row[j] for row, m, _ in weighted) for j in range(width)] for i in range(width)]
        inverse = _inverse(matrix)
        if inverse is None:
            return None
        vector = [sum(m * row[i] * target for row, m, target in weighted) for i in range(width)]
        found = [sum(a * b for a, b in zip(line, vector, strict=True)) for line in inverse]
        moved = max(abs(new - old) for new, old in zip(found, coefficients, strict=True))
        coefficients = found
        predictors = [
            sum(c * x for c, x in zip(coefficients, row, strict=True)) + offset
            for row, offset in zip(rows, offsets, strict=True)
        ]
        if max(map(abs, predictors)) > 500:
            return None
        means = [math.exp(value) for value in predictors]
        if moved < 1e-12:
            return means, coefficients, inverse
    return None


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]] | None:
    """The inverse of a small matrix by Gauss and Jordan with row pivoting; `None` if it has none."""
    width = len(matrix)
    work = [[*row, *(float(i == j) for j in range(width))] for i, row in enumerate(matrix)]
    largest = max(abs(value) for row in matrix for value in row)
    for column in range(width):
        pivot = max(range(column, width), key=lambda i: abs(work[i][column]))
        if abs(work[pivot][column]) <= 1e-12 * largest:
            return None
        work[column], work[pivot] = work[pivot], work[column]
        head = work[column][column]
        work[column] = [value / head for value in work[column]]
        for i in range(width):
            if i != column and work[i][column]:
                factor = work[i][column]
                work[i] = [value - factor * lead for value, lead in zip(work[i], work[column], strict=True)]
    return [row[width:] for row in work]
