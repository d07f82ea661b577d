"""Numbers that left their limits: each headline KPI of the whole and of each team, in the week that is looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from feedback_portal.accounts.models import Team
from kpis import phases, recording
from kpis.definitions import definitions
from kpis.definitions.base import Kpi
from kpis.definitions.maturing import MaturingShare
from kpis.facts import EVERYTHING, Slice
from kpis.models import Signal
from kpis.periods import Period
from kpis.recording import Reading
from kpis.signals.names import OWN_WEEKS
from kpis.signals.raising import Found

WEEKS: Final = 26
FEWEST_WEEKS: Final = 12
_WEEK = timedelta(weeks=1)


def watched() -> list[Kpi]:
    """Those whose newest week is as whole as its oldest: no item can still come to count in it."""
    return [
        kpi for kpi in definitions.all() if kpi.is_headline and not kpi.ripens and not isinstance(kpi, MaturingShare)
    ]


def outside(week: date, *, at: datetime) -> Iterator[Found]:
    zone = recording.reporting_zone()
    began = recording.first_day()
    periods = [Period(week - back * _WEEK, week - (back - 1) * _WEEK, zone) for back in range(WEEKS - 1, -1, -1)]
    # The week in which the first item arrived is not a whole one.
    periods = [period for period in periods if began is not None and period.first >= began]
    if len(periods) < FEWEST_WEEKS:
        return
    places: list[tuple[Slice, str, int | None]] = [(EVERYTHING, "", None)]
    places += [
        (Slice(team=team.pk), f", {team.name}", team.pk) for team in Team.objects.filter(is_active=True).order_by("pk")
    ]
    for slice, where, team in places:
        for readings in recording.together(dict.fromkeys(watched(), periods), at=at, slice=slice).values():
            found = _outside(readings, at=at)
            if found is not None:
                kpi = readings[0].kpi
                key = f"kpi:{kpi.slug}" + (f"|team:{team}" if team else "")
                yield replace(found, key=key, name=f"{kpi.name}{where}", team=team)


def _outside(readings: Sequence[Reading], *, at: datetime) -> Found | None:
    """The newest week against limits from the weeks before it, or from the baseline somebody froze."""
    *before, newest = readings
    kpi, figure = newest.kpi, newest.figure
    if figure.value is None or sum(each.figure.value is not None for each in before) < FEWEST_WEEKS:
        return None
    limits = phases.limits(readings, at=at, settled=len(before))
    place = len(before)
    lower, upper = limits.lower[place], limits.upper[place]
    if place not in limits.outside or lower is None or upper is None:
        return None
    told = {
        "week": newest.period.first.isoformat(),
        "value": figure.value,
        "lower": lower,
        "upper": upper,
        "centre": limits.centre,
        "count": figure.denominator,
    }
    return Found(
        Signal.Kind.NUMBER,
        "",
        [],
        kpi.name,
        told,
        figure.denominator,
        limits.centre or 0.0,
        0.0027,
        basis=OWN_WEEKS,
        history=[
            {
                "week": each.period.first.isoformat(),
                "value": each.figure.value,
                "lower": limits.lower[number],
                "upper": limits.upper[number],
            }
            for number, each in enumerate(readings)
        ],
    )
