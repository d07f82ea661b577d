"""Whether something changed when an action took effect: counts by week before and after it, with what they are counted against.

Each function gives a change, its interval, the p of no change, and the smallest change that would be seen four times of five. Weeks
vary more than chance alone would have it, so every interval is widened by that; where they seem to vary less it is not narrowed,
for that is chance too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from kpis.statistics.distributions import student_quantile, two_sided_z
from kpis.statistics.intervals import newcombe_difference, rate_ratio_exact
from kpis.statistics.series import poisson_fit

Direction = Literal["down", "up"]
SMALL = 10
"""With fewer events than this on a side, the exact interval is used."""
_POWER = 0.8416  # the normal quantile of 80 %
_CORRELATED = 0.2
# What is known of the dispersion of weeks before any is counted, and how many weeks that knowledge is worth: in few weeks the data's
# own dispersion is too uncertain to promise 5 % with.
_USUAL, _WORTH = 1.5, 4


@dataclass(frozen=True)
class Week:
    """`count` events of `size` (items, or units of exposure); `time` in weeks from the effect, below 0 before it."""

    time: float
    count: int
    size: float


@dataclass(frozen=True)
class Found:
    """`unit` says what no change is: 0 of a difference, 1 of a ratio."""

    method: str
    unit: Literal["difference", "ratio"]
    estimate: float
    low: float
    high: float
    p: float
    detectable: float


def share_change(before: Sequence[Week], after: Sequence[Week], *, direction: Direction) -> Found | None:
    """The share after minus the share before, by Newcombe's method 10 on counts divided by their dispersion."""
    (x1, n1), (x2, n2) = _sum(before), _sum(after)
    if n1 <= 0 or n2 <= 0:
        return None
    spread = dispersion(before, after, shares=True)

    def interval(confidence: float) -> tuple[float, float]:
        # Student's quantile, as everywhere else here, for the dispersion is estimated.
        reach = student_quantile(0.5 + confidence / 2, df=len(before) + len(after) - 2)
        confidence = min(math.erf(reach / math.sqrt(2)), 1 - 1e-9)
        told = newcombe_difference(x2 / spread, n2 / spread, x1 / spread, n1 / spread, confidence=confidence)
        return told["low"] or 0.0, told["high"] or 0.0

    low, high = interval(0.95)
    reach = (high - low) / (2 * two_sided_z(0.95)) * (two_sided_z(0.95) + _POWER)
    return Found(
        "share",
        "difference",
        x2 / n2 - x1 / n1,
        low,
        high,
        _p_of(interval, 0.0),
        -reach if direction == "down" else reach,
    )


def rate_change(before: Sequence[Week], after: Sequence[Week], *, direction: Direction) -> Found | None:
    """The rate after over the rate before: exact given the sum for small counts, otherwise quasi-Poisson."""
    (x1, t1), (x2, t2) = _sum(before), _sum(after)
    if t1 <= 0 or t2 <= 0 or x1 == 0:
        return None
    spread = dispersion(before, after)
    se = math.sqrt(spread * (1 / x1 + 1 / max(x2, 0.5)))
    if min(x1, x2) >= SMALL:
        return _on_log_scale("rate", math.log(x2 / t2) - math.log(x1 / t1), se, len(before) + len(after) - 2, direction)

    def interval(confidence: float) -> tuple[float, float]:
        told = rate_ratio_exact(x2, t2, x1, t1, confidence=confidence)
        return told["low"] or 0.0, told["high"] or 0.0

    low, high = interval(0.95)
    return Found(
        "exact", "ratio", x2 / t2 / (x1 / t1), low, high, _p_of(interval, 1.0), _detectable(se, 1.96, direction)
    )


def segmented_change(
    before: Sequence[Week], after: Sequence[Week], *, shape: Literal["step", "slope"], direction: Direction
) -> Found | None:
    """By which factor the rate changed over and above its trend: at once, or by the end of the weeks after, little by little.

    log(count) = log(size) + b0 + b1 time + b2 after (or + b3 time since); quasi-Poisson, with Student's quantile. Where neighbouring
    residuals go together (lag 1 above 0.2), the larger of this and Newey and West's error is taken, for theirs alone is too
    small in so few weeks. Weeks are too few for seasons, which want two years. Sources: Bernal, Cummins and Gasparrini 2017;
    Newey and West 1987, Econometrica 55:703-708. None where the data cannot tell the change from the trend.
    """
    weeks = [*before, *after]
    last = max(week.time for week in weeks)
    scale = max(abs(week.time) for week in weeks) or 1.0
    rows = [
        (
            1.0,
            week.time / scale,
            float(week.time >= 0) if shape == "step" else max(week.time, 0.0) / (last or 1.0),
        )
        for week in weeks
    ]
    counts = [week.count for week in weeks]
    fit = poisson_fit(counts, rows, [math.log(week.size) for week in weeks])
    if fit is None or len(weeks) <= 3:
        return None
    means, coefficients, inverse = fit
    pearson = sum((count - mean) ** 2 / mean for count, mean in zip(counts, means, strict=True))
    variance = _drawn(pearson, len(weeks) - 3) * inverse[2][2]
    residuals = [(count - mean) / math.sqrt(mean) for count, mean in zip(counts, means, strict=True)]
    if _lag_one(residuals) > _CORRELATED:
        variance = max(variance, _newey_west(counts, means, rows, inverse))
    if not 0 < variance < 25 or abs(coefficients[2]) > 10:
        return None
    return _on_log_scale("segmented", coefficients[2], math.sqrt(variance), len(weeks) - 3, direction)


def controlled_change(
    before: Sequence[Week],
    after: Sequence[Week],
    control_before: Sequence[Week],
    control_after: Sequence[Week],
    *,
    direction: Direction,
) -> Found | None:
    """The ratio of both rate ratios: by how much more the rate changed than that of a control which the action leaves alone.

    A difference in differences of logarithms; half an event is added to each side of a series in which one is empty.
    """
    change, variance = 0.0, 0.0
    for sign, first, second in ((1, before, after), (-1, control_before, control_after)):
        (x1, t1), (x2, t2) = _sum(first), _sum(second)
        if t1 <= 0 or t2 <= 0 or x1 + x2 == 0:
            return None
        extra = 0.5 if x1 == 0 or x2 == 0 else 0.0
        change += sign * (math.log((x2 + extra) / t2) - math.log((x1 + extra) / t1))
        variance += dispersion(first, second) * (1 / (x1 + extra) + 1 / (x2 + extra))
    return _on_log_scale("controlled", change, math.sqrt(variance), len(before) + len(after) - 2, direction)


def dispersion(before: Sequence[Week], after: Sequence[Week], *, shares: bool = False) -> float:
    """How much more the weeks of each side vary than chance: Pearson's chi-square over its degrees, drawn towards what is usual and
    never below 1."""
    total, degrees = 0.0, 0
    for side in (before, after):
        count, size = _sum(side)
        level = count / size if size else 0.0
        if not level > 0 or (shares and level >= 1):
            continue
        total += sum(
            (week.count - week.size * level) ** 2 / (week.size * level * ((1 - level) if shares else 1))
            for week in side
        )
        degrees += len(side) - 1
    return _drawn(total, degrees)


def _drawn(chi_square: float, degrees: int) -> float:
    return max(1.0, (chi_square + _USUAL * _WORTH) / (degrees + _WORTH))


def _on_log_scale(method: str, change: float, se: float, df: int, direction: Direction) -> Found:
    def interval(confidence: float) -> tuple[float, float]:
        reach = student_quantile(0.5 + confidence / 2, df=df) * se
        return change - reach, change + reach

    low, high = interval(0.95)
    quantile = student_quantile(0.975, df=df)
    return Found(
        method,
        "ratio",
        math.exp(change),
        math.exp(low),
        math.exp(high),
        _p_of(interval, 0.0),
        _detectable(se, quantile, direction),
    )


def _detectable(se: float, quantile: float, direction: Direction) -> float:
    reach = (quantile + _POWER) * se
    return math.exp(-reach if direction == "down" else reach)


def _p_of(interval: Callable[[float], tuple[float, float]], none: float) -> float:
    """One minus the largest confidence at which the interval still leaves out no change: one rule for the verdict and its p."""
    least, most = 0.0, 1.0
    for _ in range(40):
        middle = (least + most) / 2
        low, high = interval(min(max(middle, 1e-9), 1 - 1e-9))
        if low <= none <= high:
            most = middle
        else:
            least = middle
    return 1 - least


def _sum(weeks: Sequence[Week]) -> tuple[int, float]:
    return sum(week.count for week in weeks), math.fsum(week.size for week in weeks)


def _lag_one(residuals: Sequence[float]) -> float:
    whole = sum(value * value for value in residuals)
    return sum(one * other for one, other in pairwise(residuals)) / whole if whole > 0 else 0.0


def _newey_west(
    counts: Sequence[int],
    means: Sequence[float],
    rows: Sequence[tuple[float, ...]],
    inverse: Sequence[Sequence[float]],
) -> float:
    """The variance of the third coefficient from scores that may go together over a few weeks (Bartlett's weights)."""
    # Only the third line of the bread is needed: each score becomes one number.
    scores = [
        (count - mean) * sum(inverse[2][j] * row[j] for j in range(3))
        for count, mean, row in zip(counts, means, rows, strict=True)
    ]
    lags = max(1, math.floor(4 * (len(counts) / 100) ** (2 / 9)))
    total = sum(score * score for score in scores)
    for lag in range(1, lags + 1):
        weight = 1 - lag / (lags + 1)
        total += 2 * weight * sum(one * other for one, other in zip(scores[lag:], scores, strict=False))
    return total * len(counts) / (len(counts) - 3)
