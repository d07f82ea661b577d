"""How a number is told to people: value, interval, n and what its change means."""

from dataclasses import dataclass
from typing import Literal

from kpis.charts import COUNT, DAYS, HOURS, Unit
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
            return f"{figure.numerator} of {figure.denominator}", ""
        return "\N{EN DASH}", ""
    unit = _unit_of_figure(kpi, figure)
    return unit.write(figure.value).removesuffix(unit.suffix), unit.suffix.strip()


def interval_in_words(kpi: Kpi, figure: Figure, *, unit: Unit | None = None) -> str:
    """The 95 % interval and n; with `unit` in that unit, as the column it stands in."""
    if figure.value is None and kpi.unit != "%":
        return figure.note or "Not defined yet"
    if figure.denominator == 0:
        return figure.note
    unit = unit or _unit_of_figure(kpi, figure)
    low, high = (unit.write(limit) for limit in (figure.low, figure.high))
    span = f"{low.removesuffix(unit.suffix)} to {high}"
    if figure.high is None:
        span = f"over {low}"
    if kpi.unit == "items":
        return f"{span} by chance alone"
    return f"{span}, n = {figure.denominator:,}"


def change_in_words(kpi: Kpi, change: Change, now: Figure) -> Told:
    """What the tile says under its number. No direction is coloured unless the change is more than noise."""
    if change.verdict == "unknown":
        return Told("Too little to compare", "flat", "plain")
    moved = _moved(kpi, change, now)
    if not change.is_clear:
        return Told(f"{moved}, within noise", "flat", "plain")
    rise = change.difference or 0 if change.ratio is None else change.ratio - 1
    tones: dict[str, Tone] = {"better": "good", "worse": "bad"}
    return Told(moved, "up" if rise > 0 else "down" if rise < 0 else "flat", tones.get(change.verdict, "plain"))


def plainly(kpi: Kpi, figure: Figure) -> str:
    """The value inside a sentence."""
    value, suffix = value_in_words(kpi, figure)
    return f"{value}{suffix}" if suffix == "%" else f"{value} {suffix}".strip()


def _unit_of_figure(kpi: Kpi, figure: Figure) -> Unit:
    return unit_of(kpi, figure.value, figure.low, figure.high)


def _moved(kpi: Kpi, change: Change, now: Figure) -> str:
    if change.ratio is not None:
        limits = (None if limit is None else limit - 1 for limit in (change.low, change.high))
        return _with_span(Unit(suffix="%", factor=100), change.ratio - 1, *limits)
    if change.p is None:
        return _with_span(Unit(suffix=" pts", decimals=1), change.difference, change.low, change.high)
    test = f"log-rank p {'< 0.001' if change.p < 0.001 else f'= {change.p:.3f}'}"
    if change.difference is None:
        # Half is not reached in one of the periods, so there are no two medians to subtract.
        return f"{change.verdict.capitalize()}, {test}" if change.is_clear else test
    return f"{_unit_of_figure(kpi, now).write(change.difference, signed=True)}, {test}"


def _with_span(unit: Unit, moved: float | None, low: float | None, high: float | None) -> str:
    said = unit.write(moved, signed=True)
    if low is None or high is None:
        return said
    return f"{said} ({unit.write(low, signed=True).removesuffix(unit.suffix)} to {unit.write(high, signed=True)})"
