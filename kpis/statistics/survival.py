"""How long things take while some are still open: curves that count the open ones, and tests between two curves."""

import math
from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from itertools import accumulate
from typing import Literal, TypedDict

from kpis.statistics.distributions import chi_square_above, two_sided_z

TOLERANCE = 1e-12
"""A curve that reaches 0.5 but for the last digit of the arithmetic has reached it."""


class Step(TypedDict):
    time: float
    at_risk: int
    events: int
    survival: float
    se: float | None
    low: float | None
    high: float | None


class SurvivalCurve(TypedDict):
    table: list[Step]
    median: float | None
    p90: float | None
    longest: float | None


class LogRank(TypedDict):
    observed_a: int
    expected_a: float
    chi2: float | None
    p: float | None


class IncidenceStep(TypedDict):
    time: float
    incidence: float


class Incidence(TypedDict):
    incidence: float | None
    table: list[IncidenceStep]


def kaplan_meier(
    durations: Sequence[float],
    events: Sequence[int],
    *,
    ci: Literal["log-log", "log"] = "log-log",
    confidence: float = 0.95,
    counts: Sequence[int] | None = None,
) -> SurvivalCurve:
    """The share still waiting after each time at which something happened, in the unit of `durations`.

    `events` is 1 where it happened and 0 where the item is still open (censored). An item censored at t is still at
    risk at t. `counts` says how many items each entry stands for, so that a histogram of ten million durations is one
    pass over its buckets. `median` is the first time with S <= 0.5, `p90` the first with S <= 0.1; `None` means not reached within
    `longest`, the longest time watched: say "over". Standard errors are Greenwood's; where S is 0 they are not defined.
    Sources: Kaplan and Meier 1958, J Am Stat Assoc 53:457-481; Kalbfleisch and Prentice for the log-log band.
    """
    z = two_sided_z(confidence)
    if ci not in ("log-log", "log"):
        raise ValueError("The band is `log-log`, or `log` to compare with other software.")
    survival, greenwood = 1.0, 0.0
    table: list[Step] = []
    for time, at_risk, happened in _event_times(durations, events, counts):
        survival *= 1 - happened / at_risk
        step: Step = {
            "time": time, "at_risk": at_risk, "events": happened,
            "survival": survival, "se": None, "low": None, "high": None,
        }  # fmt: skip
        if happened < at_risk:
            greenwood += happened / (at_risk * (at_risk - happened))
            step["se"] = survival * math.sqrt(greenwood)
            step["low"], step["high"] = _band(survival, math.sqrt(greenwood), z=z, ci=ci)
        table.append(step)
    return {
        "table": table,
        "median": _first_time(table, 0.5),
        "p90": _first_time(table, 0.1),
        "longest": max(durations, default=None),
    }


def logrank(
    durations_a: Sequence[float],
    events_a: Sequence[int],
    durations_b: Sequence[float],
    events_b: Sequence[int],
    *,
    counts_a: Sequence[int] | None = None,
    counts_b: Sequence[int] | None = None,
) -> LogRank:
    """Whether two groups wait differently: events of `a` against those expected if both followed one curve.

    `counts` say how many items each entry stands for, as in `kaplan_meier`. Source: Mantel 1966, Cancer Chemother Rep
    50:163-170, with the hypergeometric variance.
    """
    counts_a = [1] * len(durations_a) if counts_a is None else counts_a
    counts_b = [1] * len(durations_b) if counts_b is None else counts_b
    if not len(durations_a) == len(events_a) == len(counts_a):
        raise ValueError("Each duration has its event or censoring mark, so both lists are equally long.")
    in_order = sorted(zip(durations_a, counts_a, strict=True))
    ordered_a = [duration for duration, _ in in_order]
    left_before = [0, *accumulate(count for _, count in in_order)]
    happened_in_a = sum(count for event, count in zip(events_a, counts_a, strict=True) if event)
    expected = variance = 0.0
    both = ([*durations_a, *durations_b], [*events_a, *events_b], [*counts_a, *counts_b])
    for time, n, happened in _event_times(*both):
        share = (left_before[-1] - left_before[bisect_left(ordered_a, time)]) / n
        expected += happened * share
        if n > 1:
            variance += happened * share * (1 - share) * (n - happened) / (n - 1)
    if variance <= 0:
        return {"observed_a": happened_in_a, "expected_a": expected, "chi2": None, "p": None}
    chi2 = (happened_in_a - expected) ** 2 / variance
    return {"observed_a": happened_in_a, "expected_a": expected, "chi2": chi2, "p": chi_square_above(chi2, df=1)}


def cumulative_incidence(
    durations: Sequence[float], causes: Sequence[Hashable | None], cause: Hashable, at: float
) -> Incidence:
    """The share that ended by `cause` within `at`, while other endings compete; `None` marks the open ones.

    1 - Kaplan-Meier would overstate it, for what was declined can no longer be shipped. `table` holds the steps up to
    `at`. Source: Aalen and Johansen 1978, Scand J Stat 5:141-150.
    """
    if len(durations) != len(causes):
        raise ValueError("Each duration has its cause or None, so both lists are equally long.")
    if not durations:
        return {"incidence": None, "table": []}
    events = [int(one is not None) for one in causes]
    of_cause: dict[float, int] = {}
    for duration, one in zip(durations, causes, strict=True):
        if one is not None and one == cause:
            of_cause[duration] = of_cause.get(duration, 0) + 1
    waiting, incidence = 1.0, 0.0
    table: list[IncidenceStep] = []
    for time, at_risk, happened in _event_times(durations, events):
        if time > at:
            break
        if time in of_cause:
            incidence += waiting * of_cause[time] / at_risk
            table.append({"time": time, "incidence": incidence})
        waiting *= 1 - happened / at_risk
    return {"incidence": incidence, "table": table}


def _event_times(
    durations: Sequence[float], events: Sequence[int], counts: Sequence[int] | None = None
) -> Iterator[tuple[float, int, int]]:
    """(time, at risk, events) for each time with an event, rising."""
    if counts is None:
        counts = [1] * len(durations)
    if not len(durations) == len(events) == len(counts):
        raise ValueError("Each duration has its event or censoring mark, so both lists are equally long.")
    if min(durations, default=0) < 0:
        raise ValueError("Nothing happens before it was received: durations start at 0.")
    at_risk, now, left, happened = sum(counts), 0.0, 0, 0
    for time, event, count in sorted(zip(durations, events, counts, strict=True)):
        if time != now:
            if happened:
                yield now, at_risk, happened
            at_risk -= left
            now, left, happened = time, 0, 0
        left += count
        if event:
            happened += count
    if happened:
        yield now, at_risk, happened


def _band(survival: float, relative: float, *, z: float, ci: str) -> tuple[float, float]:
    """Limits of S from the standard error of log S; S of 1 has no error and no width."""
    if relative == 0:
        return survival, survival
    if ci == "log":
        return survival * math.exp(-z * relative), min(1.0, survival * math.exp(z * relative))
    reach = math.exp(z * relative / -math.log(survival))
    return survival**reach, survival ** (1 / reach)


def _first_time(table: Sequence[Step], share: float) -> float | None:
    return next((step["time"] for step in table if step["survival"] <= share + TOLERANCE), None)
