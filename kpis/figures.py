"""What a KPI comes to: a value with its interval, the limits its weeks should keep, and a judged change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kpis.statistics.survival import SurvivalCurve

Parts = Mapping[str, int]
"""Whole numbers by name, which add up over days: `{"numerator": 3, "denominator": 7}`."""

Verdict = Literal["better", "worse", "changed", "noise", "unknown"]


@dataclass(frozen=True)
class Waits:
    """Waiting times in hours, whether each has ended (1) or goes on (0), and how many items each stands for."""

    times: Sequence[float]
    events: Sequence[int]
    counts: Sequence[int]


@dataclass(frozen=True)
class Figure:
    """A KPI's value over a period with a 95 % interval; `None` means not defined, and then `note` says why.

    `numerator` and `denominator` are numbers of items, and each opens a list of exactly that length. `parts` is what was
    summed; durations carry their curve and what it was drawn from as well.
    """

    value: float | None
    low: float | None
    high: float | None
    numerator: int
    denominator: int
    note: str = ""
    parts: Parts = field(default_factory=dict)
    curve: SurvivalCurve | None = None
    waits: Waits | None = None


@dataclass(frozen=True)
class Change:
    """How a figure moved, in the unit of the KPI or as a ratio, and whether chance alone would move it so far.

    "noise": the interval of the difference holds no change. "unknown": there is too little to compare.
    """

    verdict: Verdict
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: float | None = None
    p: float | None = None

    @property
    def is_clear(self) -> bool:
        return self.verdict in {"better", "worse", "changed"}


NO_COMPARISON = Change("unknown")


@dataclass(frozen=True)
class Limits:
    """Within which a series stays while nothing but chance moves it; `outside` are the places, from 0, that left them."""

    centre: float | None
    lower: Sequence[float | None]
    upper: Sequence[float | None]
    outside: frozenset[int]


def judged(
    low: float | None, high: float | None, *, none: float, better: Literal["higher", "lower", "neither"]
) -> Verdict:
    """The verdict on an interval of a difference (`none` is 0) or of a ratio (`none` is 1)."""
    if low is None and high is None:
        return "unknown"
    rose, fell = low is not None and low > none, high is not None and high < none
    if not rose and not fell:
        return "noise"
    if better == "neither":
        return "changed"
    return "better" if rose == (better == "higher") else "worse"
