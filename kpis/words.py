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
    unit = unit_of(kpi, figure.value)
    return unit.write(figure.value).removesuffix(unit.suffix), unit.suffix.strip()


def interval_in_words(kpi: Kpi, figure: Figure) -> str:
    if figure.value is None and kpi.unit != "%":
        return figure.note or "Not defined yet"
    if figure.denominator == 0:
        return figure.note
    unit = unit_of(kpi, figure.value, figure.low, figure.high)
    low, high = (unit.write(limit) for limit in (figure.low, figure.high))
    span = f"{low.removesuffix(unit.suffix)} to {high}"
    if figure.high is None:
        span = f"over {low}"
    if kpi.unit == "items":
        return f"{span} by chance alone"
    return f"{span}, n = {figure.denominator:,}"


def change_in_words(kpi: Kpi, change: Change) -> Told:
    """What the tile says under its number. No direction is coloured unless the change is more than noise."""
    if change.verdict == "unknown":
        return Told("Too little to compare", "flat", "plain")
    if change.ratio is not None:
        percent = Unit(suffix="%", factor=100)
        low, high = (
            None if limit is None else percent.write(limit - 1, signed=True) for limit in (change.low, change.high)
        )
        moved, span = percent.write(change.ratio - 1, signed=True), f" ({low} to {high})" if low and high else ""
        rose = change.ratio > 1
    else:
        unit = unit_of(
            kpi, *(abs(part) if part is not None else None for part in (change.difference, change.low, change.high))
        )
        if kpi.unit in {"%", "points"}:
            unit = Unit(suffix=" pts", decimals=1)
        moved = unit.write(change.difference, signed=True) if change.difference is not None else ""
        span = ""
        if change.low is not None and change.high is not None:
            low, high = (
                unit.write(limit, signed=True).removesuffix(unit.suffix) for limit in (change.low, change.high)
            )
            span = f" ({low} to {high})"
        elif change.p is not None:
            span = f", p {_p(change.p)}" if moved else f"p {_p(change.p)}"
        rose = (change.difference or 0) > 0
    if not change.is_clear:
        return Told(f"{moved}{span}, within noise", "flat", "plain")
    tones: dict[str, Tone] = {"better": "good", "worse": "bad"}
    if change.difference is None and change.ratio is None:
        return Told(f"{change.verdict}, {span}", "flat", tones.get(change.verdict, "plain"))
    return Told(f"{moved}{span}", "up" if rose else "down", tones.get(change.verdict, "plain"))


def plainly(kpi: Kpi, figure: Figure) -> str:
    """The value inside a sentence."""
    value, suffix = value_in_words(kpi, figure)
    return f"{value}{suffix}" if suffix == "%" else f"{value} {suffix}".strip()


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
