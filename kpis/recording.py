"""Counting: days whose facts changed are counted again, and a period's value is read from what was counted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from feedback_portal.pending import Drained, drain
from intake.models import FeedbackItem
from kpis.definitions import definitions
from kpis.definitions.base import Kpi, Side
from kpis.facts import EVERYTHING, Slice, population
from kpis.figures import Figure, Parts
from kpis.models import Measurement
from kpis.periods import Period
from triage.models import ChangedDay

DAYS_A_BATCH = 20

Dimension = Literal["team", "channel", "stage"]
DIMENSIONS: tuple[Dimension, ...] = ("team", "channel", "stage")
MARGINS: tuple[tuple[Dimension, ...], ...] = (
    (),
    ("team",),
    ("channel",),
    ("stage",),
    ("team", "channel"),
    ("team", "stage"),
)
"""The edges that are measured; what lies elsewhere is counted from the items when it is asked for."""


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
    period = Period(day, day + timedelta(days=1), reporting_zone())
    items = population(period, as_of=at)
    rows = [
        Measurement(
            kpi=kpi.slug,
            definition_version=kpi.version,
            day=day,
            team_id=margin.team,
            channel_id=margin.channel,
            stage_id=margin.stage,
            parts=dict(parts),
            counted_at=at,
        )
        for kpi in definitions.all()
        if kpi.adds_up
        for margin, parts in margins(kpi.count(items, as_of=at)).items()
    ]
    Measurement.objects.filter(day=day).delete()
    Measurement.objects.bulk_create(rows)


def margins(counted: Mapping[Slice, Counter[str]]) -> dict[Slice, Counter[str]]:
    """Sums along the edges that are read often, for a whole cube would be as large as the items."""
    found: defaultdict[Slice, Counter[str]] = defaultdict(Counter)
    for each, parts in counted.items():
        # One slice may lie on several edges, where it has no stage.
        for margin in {Slice(**{name: getattr(each, name) for name in names}) for names in MARGINS}:
            found[margin].update(parts)
    return dict(found)


def read(
    kpi: Kpi, period: Period, *, at: datetime, as_of: datetime | None = None, slice: Slice = EVERYTHING
) -> Reading:
    """The KPI over the period, as of now (`at`) from the measurements, or as of an earlier moment from items and events."""
    return series(kpi, [period], at=at, as_of=as_of, slice=slice)[0]


def series(
    kpi: Kpi,
    periods: Iterable[Period],
    *,
    at: datetime,
    as_of: datetime | None = None,
    slice: Slice = EVERYTHING,
) -> list[Reading]:
    """One reading for each of the periods, in one statement for all where days add up."""
    wanted, moment = list(periods), as_of or at
    if not wanted:
        return []
    if not _is_measured(kpi, slice, moment, at):
        return [_reading(kpi, period, slice, moment, _counted(kpi, period, slice, moment)) for period in wanted]
    rows = _measured(kpi, min(each.first for each in wanted), max(each.end for each in wanted))
    by_day = dict(rows.filter(team=slice.team, channel=slice.channel, stage=slice.stage).values_list("day", "parts"))
    return [
        _reading(kpi, period, slice, at, _total(by_day[day] for day in by_day if period.first <= day < period.end))
        for period in wanted
    ]


def split(
    kpi: Kpi,
    period: Period,
    by: Dimension,
    keys: Iterable[int],
    *,
    at: datetime,
    as_of: datetime | None = None,
    slice: Slice = EVERYTHING,
) -> dict[int, Reading]:
    """One reading for each team, channel or stage of `keys`, in one statement for all where days add up."""
    moment, slices = as_of or at, {key: replace(slice, **{by: key}) for key in keys}
    if not kpi.adds_up:
        return {
            key: _reading(kpi, period, each, moment, _counted(kpi, period, each, moment))
            for key, each in slices.items()
        }
    found: defaultdict[int | None, list[Parts]] = defaultdict(list)
    if _is_measured(kpi, replace(slice, **{by: 0}), moment, at):
        others = {name: getattr(slice, name) for name in DIMENSIONS if name != by}
        rows = _measured(kpi, period.first, period.end).filter(**others)
        for key, parts in rows.filter(**{f"{by}__in": list(slices)}).values_list(by, "parts"):
            found[key].append(parts)
    else:
        counted = kpi.count(population(period, as_of=moment, slice=slice), as_of=moment)
        for each, parts in counted.items():
            found[getattr(each, by)].append(parts)
    return {key: _reading(kpi, period, each, moment, _total(found[key])) for key, each in slices.items()}


def first_day() -> date | None:
    """The earliest day of arrival that was measured; None while nothing was."""
    found: date | None = Measurement.objects.aggregate(day=Min("day"))["day"]
    return found


def items_behind(
    kpi: Kpi, period: Period, side: Side, *, as_of: datetime, slice: Slice = EVERYTHING
) -> QuerySet[FeedbackItem]:
    """Exactly the items counted on one side of the value."""
    return kpi.select(population(period, as_of=as_of, slice=slice), side, as_of=as_of)


def reporting_zone() -> ZoneInfo:
    """The organisation's time zone, whose days are counted."""
    return ZoneInfo(timezone.get_default_timezone_name())


def _reading(kpi: Kpi, period: Period, slice: Slice, as_of: datetime, parts: Parts) -> Reading:
    return Reading(kpi, period, slice, as_of, kpi.figure(parts, as_of=as_of))


def _is_measured(kpi: Kpi, slice: Slice, as_of: datetime, at: datetime) -> bool:
    edge = tuple(name for name in DIMENSIONS if getattr(slice, name) is not None)
    return kpi.adds_up and edge in MARGINS and as_of == at


def _measured(kpi: Kpi, first: date, end: date) -> QuerySet[Measurement]:
    return Measurement.objects.filter(
        kpi=kpi.slug, definition_version=kpi.version, day__gte=first, day__lt=end
    ).order_by("day")


def _counted(kpi: Kpi, period: Period, slice: Slice, as_of: datetime) -> Parts:
    """Straight from the items and events."""
    return _total(kpi.count(population(period, as_of=as_of, slice=slice), as_of=as_of).values())


def _total(parts: Iterable[Parts]) -> Parts:
    summed: Counter[str] = Counter()
    for each in parts:
        summed.update(each)
    return summed
