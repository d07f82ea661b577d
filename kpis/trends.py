"""A KPI week by week, with the limits it keeps to by chance and the weeks that left them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext

from feedback_portal.marking import marked
from kpis import annotations, phases
from kpis.annotations import Note
from kpis.charts import Annotation, LineChart, Point
from kpis.figures import Limits
from kpis.recording import Reading
from kpis.words import n_in_words, plainly, unit_of

FEWEST = 8
"""Limits drawn from fewer weeks than this say nothing."""


@dataclass(frozen=True)
class Trend:
    """`signals` are the readings of finished weeks outside the limits, from old to new."""

    readings: Sequence[Reading]
    limits: Limits | None
    signals: tuple[Reading, ...]
    chart: LineChart


def trend(
    readings: Sequence[Reading], *, at: datetime, opens: Callable[[Reading], str], notes: Sequence[Note] = ()
) -> Trend:
    """The weeks as a chart; `opens` gives the address of a week's items, `notes` are what happened meanwhile."""
    kpi = readings[0].kpi
    if kpi.unit == "items":
        # A count of half a week is half of one and would look like a fall.
        readings = [reading for reading in readings if reading.period.is_over(at)] or readings[-1:]
    finished = [place for place, reading in enumerate(readings) if reading.period.is_over(at)]
    known = sum(readings[place].figure.value is not None for place in finished)
    limits = None
    # While an item can still come to count, a newer week is lower than an older one for no other reason.
    if known >= FEWEST and not kpi.ripens:
        limits = phases.limits([readings[place] for place in finished], at=at)
    unit = unit_of(kpi, *(reading.figure.value for reading in readings))
    points = []
    for place, reading in enumerate(readings):
        figure = reading.figure
        lower, upper = figure.low, figure.high
        if limits is not None:
            lower = upper = None
            if place in finished:
                lower, upper = (side[finished.index(place)] for side in (limits.lower, limits.upper))
        points.append(
            Point(
                gettext("Week of %(day)s") % {"day": date_format(reading.period.first, "DAY_YEAR")},
                figure.value,
                lower if figure.value is not None else None,
                upper if figure.value is not None else None,
                short_label=date_format(reading.period.first, "DAY"),
                note=figure.note or (n_in_words(figure.denominator) if kpi.unit != "items" else ""),
                href=opens(reading) if figure.denominator else "",
                is_signal=limits is not None and place in finished and finished.index(place) in limits.outside,
                is_complete=place in finished,
            )
        )
    signals = tuple(reading for reading, point in zip(readings, points, strict=True) if point.is_signal)
    chart = LineChart(
        _sentence(readings, signals, limits),
        unit,
        tuple(points),
        centre=limits.centre if limits else None,
        band="limits" if limits else "interval",
        annotations=tuple(
            Annotation(place, note.text, note.href, note.brief)
            for place, note in annotations.places(notes, [reading.period for reading in readings])
        ),
        starts_at_zero=kpi.unit != "points",
        names=(marked("Week"), kpi.name),
    )
    return Trend(readings, limits, signals, chart)


def _sentence(readings: Sequence[Reading], signals: Sequence[Reading], limits: Limits | None) -> str:
    kpi = readings[0].kpi
    known = [reading for reading in readings if reading.figure.value is not None]
    if not known:
        return gettext("%(name)s has no value in these weeks.") % {"name": kpi.name}
    newest = known[-1]
    said = gettext("%(name)s by week of arrival: %(value)s in the week of %(day)s.") % {
        "name": kpi.name,
        "value": plainly(kpi, newest.figure),
        "day": date_format(newest.period.first, "LONG_DAY"),
    }
    if limits is None:
        return said
    if not signals:
        return f"{said} {gettext('No week left its limits.')}"
    weeks = ", ".join(date_format(reading.period.first, "LONG_DAY") for reading in signals)
    return f"{said} {gettext('Outside the limits: the week of %(days)s.') % {'days': weeks}}"
