"""The fixed rule: what the weeks before and after an action say, as an outcome and as a sentence. No rows and no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from feedback_portal.marking import marked, worded
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
    """The numbers in words, to be stored (`marking.worded`): both levels, the change with its interval, and what could have
    been seen."""
    told = worded(
        "%(before)s before and %(after)s after: %(change)s.",
        before=_level(before, hope),
        after=_level(after, hope),
        change=_change(found, hope),
    )
    if outcome != alone:
        told = _and(
            told,
            worded(
                marked(
                    "Alone this would read “Worked”; among the %(among)s actions judged together so much is to be expected by"
                    " chance."
                )
                if alone == "worked"
                else marked(
                    "Alone this would read “Worse”; among the %(among)s actions judged together so much is to be expected by"
                    " chance."
                ),
                among=among,
            ),
        )
    if outcome == "unclear":
        return _and(told, _seen(found, hope))
    if hope.by_percent:
        fewer, more = marked("Hoped for: %(percent)s%% fewer."), marked("Hoped for: %(percent)s%% more.")
        return _and(told, worded(fewer if hope.direction == "down" else more, percent=hope.by_percent))
    return told


def too_early(after: Side, *, effective: date, first_verdict: date) -> str:
    return worded(
        "%(weeks)s of %(fewest)s weeks since %(effective)s are over. The first verdict can come on %(day)s.",
        weeks=len(after),
        fewest=FEWEST_WEEKS,
        effective=effective,
        day=first_verdict,
    )


def too_little(before: Side) -> str:
    return worded(
        "Only %(weeks)s of %(fewest)s weeks before it are known, so there is nothing to compare with. It can be closed with a"
        " written reason.",
        weeks=len(before),
        fewest=FEWEST_WEEKS,
    )


def nothing_said() -> str:
    return worded("Nothing of this was said on either side, so there is nothing to compare.")


def _and(one: str, other: str) -> str:
    return worded("%(one)s %(other)s", one=one, other=other)


def _rounded(value: float, decimals: int = 0) -> Decimal:
    return Decimal(f"{value:.{decimals}f}")


def _level(side: Side, hope: Hope) -> str:
    count, size = sum(week.count for week in side), sum(week.size for week in side)
    if hope.measure == "share":
        return worded(
            "%(share)s%% (%(count)s of %(size)s items in %(weeks)s weeks)",
            share=_rounded(100 * count / size, 1),
            count=_rounded(count),
            size=_rounded(size),
            weeks=len(side),
        )
    return worded(
        "%(rate)s per 1,000 %(per)s (%(count)s in %(weeks)s weeks)",
        rate=_rounded(1000 * count / size, 2),
        per=worded(hope.per),
        count=_rounded(count),
        weeks=len(side),
    )


_BEYOND_TREND: Final = {
    "step": marked("%(times)s times as many, over and above the trend (95%% %(low)s to %(high)s)"),
    "slope": marked("%(times)s times as many, over and above the trend, by the last week (95%% %(low)s to %(high)s)"),
}


def _change(found: Found, hope: Hope) -> str:
    if found.unit == "difference":
        return worded(
            "%(change)s points (95%% %(low)s points to %(high)s points)",
            change=_rounded(100 * found.estimate, 1),
            low=_rounded(100 * found.low, 1),
            high=_rounded(100 * found.high, 1),
        )
    words = marked("%(times)s times as many (95%% %(low)s to %(high)s)")
    if found.method == "segmented":
        words = _BEYOND_TREND[hope.shape]
    elif found.method == "controlled":
        words = marked("%(times)s times as many, compared with %(control)s (95%% %(low)s to %(high)s)")
    return worded(
        words,
        times=_rounded(found.estimate, 2),
        low=_rounded(found.low, 2),
        high=_rounded(found.high, 2),
        control=hope.control,
    )


def _seen(found: Found, hope: Hope) -> str:
    is_fall = hope.direction == "down"
    if found.unit == "difference":
        fall = marked("A fall by %(size)s points or more would have been seen four times of five.")
        rise = marked("A rise by %(size)s points or more would have been seen four times of five.")
        return worded(fall if is_fall else rise, size=_rounded(100 * abs(found.detectable), 1))
    fall = marked("A fall by %(size)s%% or more would have been seen four times of five.")
    rise = marked("A rise by %(size)s%% or more would have been seen four times of five.")
    size = 1 - found.detectable if is_fall else found.detectable - 1
    return worded(fall if is_fall else rise, size=_rounded(100 * size))
