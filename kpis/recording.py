"""Counting: days whose facts changed are counted again, and a period's value is read from what was counted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from feedback_portal.pending import Drained, drain
from intake.models import FeedbackItem
from kpis.definitions import definitions
from kpis.definitions.base import Day, Figure, Kpi, Parts, Side
from kpis.facts import EVERYTHING, Slice, population
from kpis.models import Measurement
from kpis.periods import Period
from triage.models import ChangedDay

DAYS_A_BATCH = 20


@dataclass(frozen=True)
class Reading:
    """A KPI's figure with everything needed to argue about it: the period, the slice and the moment it was true."""

    kpi: Kpi
    period: Period
    slice: Slice
    as_of: datetime
    figure: Figure

    def as_dict(self) -> dict[str, object]:
        """As the API and `manage.py kpi` tell it."""
        return {
            "kpi": self.kpi.slug,
            "definition_version": self.kpi.version,
            "unit": self.kpi.unit,
            "from": self.period.first.isoformat(),
            "to": self.period.last.isoformat(),
            "as_of": self.as_of.isoformat(),
            "value": self.figure.value,
            "interval": {"low": self.figure.low, "high": self.figure.high, "confidence": 0.95},
            "numerator": self.figure.numerator,
            "denominator": self.figure.denominator,
            "n": self.figure.denominator,
            "note": self.figure.note,
        }


def recount_changed_days(*, at: datetime) -> Drained:
    """Work off the days that changed; a day's measurements are replaced as a whole, so counting twice changes nothing."""

    def work(rows: list[ChangedDay]) -> None:
        for day in sorted({row.day for row in rows}):
            recount(day, at=at)

    return drain(ChangedDay.objects.all(), work, batch=DAYS_A_BATCH)


@transaction.atomic
def recount(day: date, *, at: datetime) -> None:
    """Count every KPI that adds up over this day anew, from the items and events themselves."""
    zone = reporting_zone()
    period = Period(day, day + timedelta(days=1), zone)
    items = population(period, as_of=at)
    rows = [
        Measurement(
            kpi=kpi.slug,
            definition_version=kpi.version,
            day=day,
            team_id=margin.team,
            channel_id=margin.channel,
            parts=dict(parts),
            counted_at=at,
        )
        for kpi in definitions.all()
        if kpi.adds_up
        for margin, parts in margins(kpi.count(items, as_of=at, zone=zone)).items()
    ]
    Measurement.objects.filter(day=day).delete()
    Measurement.objects.bulk_create(rows)


def margins(counted: Mapping[Slice, Counter[str]]) -> dict[Slice, Counter[str]]:
    """Everything, each team and each channel: sums along the edges, for a cube would be as large as the items."""
    found: defaultdict[Slice, Counter[str]] = defaultdict(Counter)
    for slice, parts in counted.items():
        for margin in (EVERYTHING, Slice(team=slice.team), Slice(channel=slice.channel)):
            found[margin].update(parts)
    return dict(found)


def read(
    kpi: Kpi, period: Period, *, at: datetime, as_of: datetime | None = None, slice: Slice = EVERYTHING
) -> Reading:
    """The KPI over the period, as of now (`at`) from the measurements, or as of an earlier moment from items and events."""
    moment = as_of or at
    days = (
        _measured(kpi, period, slice) if _is_measured(kpi, slice, as_of, at) else _counted(kpi, period, slice, moment)
    )
    return Reading(kpi, period, slice, moment, kpi.figure(days, as_of=moment, zone=period.zone))


def series(kpi: Kpi, periods: Iterable[Period], *, at: datetime, slice: Slice = EVERYTHING) -> list[Reading]:
    """One reading for each of the periods, in one statement where days add up."""
    wanted = list(periods)
    if not _is_measured(kpi, slice, None, at) or not wanted:
        return [read(kpi, period, at=at, slice=slice) for period in wanted]
    whole = Period(min(each.first for each in wanted), max(each.end for each in wanted), wanted[0].zone)
    by_day = {each.day: each for each in _measured(kpi, whole, slice)}
    return [
        Reading(
            kpi,
            period,
            slice,
            at,
            kpi.figure([by_day[day.first] for day in period.days() if day.first in by_day], as_of=at, zone=period.zone),
        )
        for period in wanted
    ]


def items_behind(
    kpi: Kpi, period: Period, side: Side, *, as_of: datetime, slice: Slice = EVERYTHING
) -> QuerySet[FeedbackItem]:
    """Exactly the items counted on one side of the value."""
    return kpi.select(population(period, as_of=as_of, slice=slice), side, as_of=as_of)


def reporting_zone() -> ZoneInfo:
    """The organisation's time zone, whose days are counted."""
    return ZoneInfo(timezone.get_default_timezone_name())


def _is_measured(kpi: Kpi, slice: Slice, as_of: datetime | None, at: datetime) -> bool:
    crosses = slice.team is not None and slice.channel is not None
    return kpi.adds_up and not crosses and (as_of is None or as_of == at)


def _measured(kpi: Kpi, period: Period, slice: Slice) -> list[Day]:
    rows = Measurement.objects.filter(
        kpi=kpi.slug,
        definition_version=kpi.version,
        day__gte=period.first,
        day__lt=period.end,
        team=slice.team,
        channel=slice.channel,
    )
    return [Day(day, parts) for day, parts in rows.order_by("day").values_list("day", "parts")]


def _counted(kpi: Kpi, period: Period, slice: Slice, as_of: datetime) -> list[Day]:
    """Straight from the items: whole period at once where days do not add up, else day by day."""
    if not kpi.adds_up:
        return [Day(period.first, _summed(kpi, period, slice, as_of))]
    return [Day(day.first, _summed(kpi, day, slice, as_of)) for day in period.days() if day.starts_at <= as_of]


def _summed(kpi: Kpi, period: Period, slice: Slice, as_of: datetime) -> Parts:
    counted = kpi.count(population(period, as_of=as_of, slice=slice), as_of=as_of, zone=period.zone)
    return sum(counted.values(), Counter())
