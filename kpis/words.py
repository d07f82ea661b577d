"""How a number is told to people: value, interval, n and what its change means."""

from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext

from feedback_portal.marking import marked
from kpis.charts import COUNT, DAYS, HOURS, Unit, out_of, written
from kpis.definitions.base import Kpi
from kpis.figures import Change, Figure

_LONG = 72
"""Waits longer than this many hours are told in days."""

_UNITS = {
    "%": Unit(suffix="%", decimals=1),
    "points": Unit(decimals=0),
    "items": COUNT,
}
_IN_DAYS = Unit(suffix=DAYS.suffix, factor=1 / 24, decimals=1)

Tone = Literal["good", "bad", "plain"]

VERDICTS = {
    "worse": marked("Worse"),
    "better": marked("Better"),
    "changed": marked("Changed"),
    "noise": marked("No change"),
}


@dataclass(frozen=True)
class Told:
    """A change in words, with the direction and the tone its mark shows."""

    words: str
    direction: Literal["up", "down", "flat"]
    tone: Tone


def unit_of(kpi: Kpi, *values: float | None) -> Unit:
    """The unit these values are read in, the same for all of them."""
    if kpi.unit == "hours":
        longest = max((value for value in values if value is not None), default=0)
        return _IN_DAYS if longest > _LONG else HOURS
    return _UNITS.get(kpi.unit, Unit(decimals=kpi.decimals))


def value_in_words(kpi: Kpi, figure: Figure) -> tuple[str, str]:
    """The number and its unit, which is set smaller; of too few, how many of how many."""
    if figure.value is None:
        if kpi.unit == "%" and figure.denominator:
            return out_of(figure.numerator, figure.denominator), ""
        return "\N{EN DASH}", ""
    unit = _unit_of_figure(kpi, figure)
    return unit.write(figure.value).removesuffix(unit.ending), unit.ending.strip()


def interval_in_words(kpi: Kpi, figure: Figure, *, unit: Unit | None = None, with_n: bool = True) -> str:
    """The 95 % interval and n; with `unit` in that unit, as the column it stands in."""
    if figure.value is None and kpi.unit != "%":
        return figure.note or gettext("Not defined yet")
    if figure.denominator == 0:
        return figure.note
    unit = unit or _unit_of_figure(kpi, figure)
    low, high = (unit.write(limit) for limit in (figure.low, figure.high))
    span = between(low.removesuffix(unit.ending), high)
    if figure.high is None:
        span = gettext("over %(low)s") % {"low": low}
    if kpi.unit == "items":
        return gettext("%(span)s by chance alone") % {"span": span}
    return f"{span}, {n_in_words(figure.denominator)}" if with_n else span


def change_in_words(kpi: Kpi, change: Change, now: Figure) -> Told:
    """What the tile says under its number. No direction is coloured unless the change is more than noise."""
    if change.verdict == "unknown":
        return Told(gettext("Too little to compare"), "flat", "plain")
    moved = moved_in_words(kpi, change, now)
    if not change.is_clear:
        return Told(gettext("%(moved)s, within noise") % {"moved": moved}, "flat", "plain")
    rise = change.difference or 0 if change.ratio is None else change.ratio - 1
    tones: dict[str, Tone] = {"better": "good", "worse": "bad"}
    return Told(moved, "up" if rise > 0 else "down" if rise < 0 else "flat", tones.get(change.verdict, "plain"))


GROUPS = {
    "team": marked("Team"),
    "channel": marked("Channel"),
    "stage": marked("Stage"),
    "product": marked("Product"),
    "segment": marked("Segment"),
    "language": marked("Language"),
}
"""What numbers are split by, above the column of its names."""
BY_GROUP = {
    "team": marked("By team"),
    "channel": marked("By channel"),
    "stage": marked("By stage"),
    "product": marked("By product"),
    "segment": marked("By segment"),
    "language": marked("By language"),
}


@dataclass(frozen=True)
class Grouped:
    """What a table is split by, as its heading and its column say it."""

    by: str

    @property
    def title(self) -> str:
        return gettext(BY_GROUP[self.by])

    @property
    def name(self) -> str:
        return gettext(GROUPS[self.by])


def between(low: str, high: str) -> str:
    """An interval, both ends already written."""
    return gettext("%(low)s to %(high)s") % {"low": low, "high": high}


def n_in_words(n: int) -> str:
    return gettext("n = %(n)s") % {"n": written(n)}


def plainly(kpi: Kpi, figure: Figure) -> str:
    """The value inside a sentence."""
    value, suffix = value_in_words(kpi, figure)
    return f"{value}{suffix}" if suffix == "%" else f"{value} {suffix}".strip()


def _unit_of_figure(kpi: Kpi, figure: Figure) -> Unit:
    return unit_of(kpi, figure.value, figure.low, figure.high)


def moved_in_words(kpi: Kpi, change: Change, now: Figure) -> str:
    """By how much, with the interval or the test, whether or not chance alone may be why."""
    if change.ratio is not None:
        limits = (None if limit is None else limit - 1 for limit in (change.low, change.high))
        return _with_span(Unit(suffix="%", factor=100), change.ratio - 1, *limits)
    if change.p is None:
        return _with_span(Unit(suffix=marked(" pts"), decimals=1), change.difference, change.low, change.high)
    test = f"p < {written(0.001, 3)}" if change.p < 0.001 else f"p = {written(change.p, 3)}"
    test = gettext("log-rank %(p)s") % {"p": test}
    if change.difference is None:
        # Half is not reached in one of the periods, so there are no two medians to subtract.
        return f"{gettext(VERDICTS[change.verdict])}, {test}" if change.is_clear else test
    return f"{_unit_of_figure(kpi, now).write(change.difference, signed=True)}, {test}"


def _with_span(unit: Unit, moved: float | None, low: float | None, high: float | None) -> str:
    said = unit.write(moved, signed=True)
    if low is None or high is None:
        return said
    slots = {
        "change": said,
        "low": unit.write(low, signed=True).removesuffix(unit.ending),
        "high": unit.write(high, signed=True),
    }
    return gettext("%(change)s (%(low)s to %(high)s)") % slots
