"""The fixed rule: what the weeks before and after an action say, as an outcome and as a sentence. No rows and no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from kpis.charts.units import Unit
from kpis.statistics.before_after import (
    Direction,
    Found,
    Week,
    controlled_change,
    rate_change,
    segmented_change,
    share_change,
)

FEWEST_WEEKS = 8
"""On each side; before that nothing is said."""
SEGMENTED_FROM = 12
FALSE_DISCOVERIES = 0.10
"""Of the verdicts that stand together at one moment, so many may be false (Benjamini and Hochberg)."""
_POINTS = Unit(suffix=" points", factor=100, decimals=1)
_PERCENT = Unit(suffix="%", factor=100, decimals=1)
_TIMES = Unit(suffix=" times", decimals=2)

Outcome = Literal["worked", "worse", "unclear"]
Side = Sequence[Week]


@dataclass(frozen=True)
class Hope:
    """What was said before anybody saw later data; `per` names the exposure of a rate, as in "units shipped"."""

    measure: Literal["share", "rate"]
    direction: Direction
    shape: Literal["step", "slope"]
    by_percent: int | None = None
    per: str = ""
    control: str = ""


def compare(before: Side, after: Side, *, hope: Hope, control: tuple[Side, Side] | None = None) -> Found | None:
    """The change by the strongest design there is data for: against a control, over and above the trend from 12 + 12 weeks on,
    else plainly before and after. None where it cannot be computed."""
    if control is not None:
        found = controlled_change(before, after, *control, direction=hope.direction)
        if found is not None:
            return found
    if min(len(before), len(after)) >= SEGMENTED_FROM or hope.shape == "slope":
        found = segmented_change(before, after, shape=hope.shape, direction=hope.direction)
        if found is not None:
            return found
    plain = share_change if hope.measure == "share" else rate_change
    return plain(before, after, direction=hope.direction)


def outcome_of(found: Found, hope: Hope) -> Outcome:
    """The interval leaves out no change in the hoped direction: worked; in the other: worse; else no clear change."""
    none = 0.0 if found.unit == "difference" else 1.0
    if found.low <= none <= found.high:
        return "unclear"
    return "worked" if (found.high < none) == (hope.direction == "down") else "worse"


def sentence(
    before: Side, after: Side, found: Found, *, outcome: Outcome, alone: Outcome, hope: Hope, among: int
) -> str:
    """The numbers in words: both levels, the change with its interval, and what could have been seen."""
    parts = [f"{_level(before, hope)} before and {_level(after, hope)} after: {_change(found, hope)}."]
    if outcome != alone:
        parts.append(
            f"Alone this would read “{'Worked' if alone == 'worked' else 'Worse'}”; among the {among} actions judged together so"
            " much is to be expected by chance."
        )
    if outcome == "unclear":
        parts.append(f"{_seen(found, hope)} would have been seen four times of five.")
    elif hope.by_percent:
        parts.append(f"Hoped for: {hope.by_percent}% {'fewer' if hope.direction == 'down' else 'more'}.")
    return " ".join(parts)


def too_early(after: Side, *, effective: date, first_verdict: date) -> str:
    return (
        f"{len(after)} of {FEWEST_WEEKS} weeks since {effective:%-d %B %Y} are over. The first verdict can come on"
        f" {first_verdict:%-d %B %Y}."
    )


def too_little(before: Side) -> str:
    return (
        f"Only {len(before)} of {FEWEST_WEEKS} weeks before it are known, so there is nothing to compare with. It can be closed"
        " with a written reason."
    )


def _level(side: Side, hope: Hope) -> str:
    count, size = sum(week.count for week in side), sum(week.size for week in side)
    if hope.measure == "share":
        return f"{_PERCENT.write(count / size)} ({count:,} of {size:,.0f} items in {len(side)} weeks)"
    return f"{1000 * count / size:,.2f} per 1,000 {hope.per} ({count:,} in {len(side)} weeks)"


def _change(found: Found, hope: Hope) -> str:
    if found.unit == "difference":
        low, high = _POINTS.write(found.low, signed=True), _POINTS.write(found.high, signed=True)
        return f"{_POINTS.write(found.estimate, signed=True)} (95% {low} to {high})"
    about = {
        "segmented": ", over and above the trend"
        if hope.shape == "step"
        else ", over and above the trend, by the last week",
        "controlled": f", compared with {hope.control}",
    }.get(found.method, "")
    low, high = f"{found.low:.2f}", f"{found.high:.2f}"
    return f"{_TIMES.write(found.estimate)} as many{about} (95% {low} to {high})"


def _seen(found: Found, hope: Hope) -> str:
    word = "A fall" if hope.direction == "down" else "A rise"
    if found.unit == "difference":
        return f"{word} by {_POINTS.write(abs(found.detectable))} or more"
    size = 1 - found.detectable if hope.direction == "down" else found.detectable - 1
    return f"{word} by {size:.0%} or more"
