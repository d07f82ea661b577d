"""Counting: days whose facts changed are counted again, and a period's value is read from what was counted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache, reduce
from itertools import combinations
from operator import or_
from typing import Literal
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from feedback_portal.pending import Drained, drain
from intake.copying import copy_rows
from intake.models import FeedbackItem
from kpis.definitions import definitions
from kpis.definitions.base import Kpi, Side
from kpis.facts import EVERYTHING, Place, Slice, population, population_by_day, still_open, within
from kpis.figures import Figure, Parts
from kpis.models import Measurement
from kpis.periods import Period
from triage.models import ChangedDay

DAYS_A_BATCH = 20
"""So many days are counted by one set of statements: it costs hardly more than one day while days are small."""

Dimension = Literal["team", "channel", "stage"]
DIMENSIONS: tuple[Dimension, ...] = ("team", "channel", "stage")
MARGINS = tuple(names for size in range(len(DIMENSIONS) + 1) for names in combinations(DIMENSIONS, size))
"""The sums that are measured: whatever three filters can ask for. A fourth dimension would be as large as the items."""

OPEN_TICKETS = "open-tickets"
"""Measured beside the KPIs: how many tickets are still open, by the day their items arrived."""

# Any numbers nobody else locks.
_DAY_LOCK = 7_451_203
_SPANS_LOCK = 7_451_202


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
        # As of when these days were taken: what changed since the drain began marked them, and would be seen by nobody.
        recount(*sorted({row.day for row in rows}), at=max(at, timezone.now()))

    return drain(ChangedDay.objects.all(), work, batch=DAYS_A_BATCH)


@transaction.atomic
def recount(*days: date, at: datetime) -> None:
    """Count every KPI over these days anew, from the items and events themselves; who else counts one of them waits."""
    ordered = sorted(set(days))
    _hold(ordered)
    for first in range(0, len(ordered), DAYS_A_BATCH):
        _recount_days(ordered[first : first + DAYS_A_BATCH], at=at)
    _recount_spans(ordered, at=at)


def counted_by_day(
    kpi: Kpi, days: Sequence[Period], *, at: datetime, slice: Slice = EVERYTHING
) -> dict[Place, Counter[str]]:
    """What a KPI that adds up counts on each of these days, as of `at`, in one statement for all."""
    return kpi.count(within(kpi.voices(population_by_day(days, as_of=at)), slice), as_of=at)


def margins(counted: Mapping[Place, Counter[str]]) -> dict[tuple[date, Slice], Counter[str]]:
    """The sums over everything, each team, each channel and so on, by day."""
    found: dict[tuple[date, Slice], Counter[str]] = {}
    for place, parts in counted.items():
        for margin in _margins_of(place):
            sums = found.get(margin)
            if sums is None:
                found[margin] = Counter(parts)
                continue
            for name, n in parts.items():
                sums[name] += n
    return found


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
    """One reading for each of the periods, in one statement for all where they are measured."""
    return together({kpi: periods}, at=at, as_of=as_of, slice=slice)[kpi.slug]


def together(
    asked: Mapping[Kpi, Iterable[Period]], *, at: datetime, as_of: datetime | None = None, slice: Slice = EVERYTHING
) -> dict[str, list[Reading]]:
    """By KPI, one reading for each of its periods; one statement for everything that is measured."""
    wanted, moment = {kpi: list(periods) for kpi, periods in asked.items()}, as_of or at
    measured = _measured(wanted, slice) if moment == at else None
    return {
        kpi.slug: [
            _reading(kpi, period, slice, moment, _parts(kpi, period, slice, moment, measured)) for period in periods
        ]
        for kpi, periods in wanted.items()
    }


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
    """One reading for each team, channel or stage of `keys`, in one statement for all."""
    moment, slices = as_of or at, {key: replace(slice, **{by: key}) for key in keys}
    counted: Iterable[tuple[int | None, Parts]] | None = None
    if moment == at:
        counted = _measured_groups(kpi, period, by, slices, slice)
    if counted is None:
        live = kpi.count(voices(kpi, period, moment, slice), as_of=moment)
        counted = [(getattr(place, by), parts) for place, parts in live.items()]
    found: defaultdict[int | None, list[Parts]] = defaultdict(list)
    for key, parts in counted:
        found[key].append(parts)
    return {key: _reading(kpi, period, each, moment, _total(found[key])) for key, each in slices.items()}


def open_tickets(slice: Slice) -> Iterator[tuple[date, int]]:
    """How many tickets were open at the last count, by day of arrival."""
    rows = Measurement.objects.filter(_lies_in(slice), kpi=OPEN_TICKETS)
    return ((day, parts["tickets"]) for day, parts in rows.values_list("day", "parts"))


def first_day() -> date | None:
    """The earliest day of arrival that was measured; None while nothing was."""
    found: date | None = Measurement.objects.filter(days=1).aggregate(day=Min("day"))["day"]
    return found


def items_behind(
    kpi: Kpi, period: Period, side: Side, *, as_of: datetime, slice: Slice = EVERYTHING
) -> QuerySet[FeedbackItem]:
    """Exactly the items counted on one side of the value."""
    return kpi.select(voices(kpi, period, as_of, slice), side, as_of=as_of)


def voices(kpi: Kpi, period: Period, as_of: datetime, slice: Slice) -> QuerySet[FeedbackItem]:
    """The items of the period that count for this KPI."""
    return within(kpi.voices(population(period, as_of=as_of)), slice)


def reporting_zone() -> ZoneInfo:
    """The organisation's time zone, whose days are counted."""
    return ZoneInfo(timezone.get_default_timezone_name())


def _reading(kpi: Kpi, period: Period, slice: Slice, as_of: datetime, parts: Parts) -> Reading:
    return Reading(kpi, period, slice, as_of, kpi.figure(parts, as_of=as_of))


def _hold(days: Sequence[date]) -> None:
    """Whoever else counts one of these days waits until we are done. They are taken in order, so that nobody waits in a circle."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, day) FROM unnest(%s::int[]) AS day",
            [_DAY_LOCK, [day.toordinal() for day in days]],
        )


def _recount_days(days: Sequence[date], *, at: datetime) -> None:
    zone = reporting_zone()
    each = [Period(day, day + timedelta(days=1), zone) for day in days]
    Measurement.objects.filter(day__in=days, days=1).delete()
    _keep(OPEN_TICKETS, 1, 1, still_open(each), at=at)
    for kpi in definitions.all():
        # One after the other, so that no more than the rows of one are held at a time.
        if kpi.adds_up:
            _keep(kpi.slug, kpi.version, 1, counted_by_day(kpi, each, at=at), at=at)


def _recount_spans(days: Iterable[date], *, at: datetime) -> None:
    """What does not add up over days is counted over the periods that are read often, if one of these days is in them."""
    usual = Period.recent(zone=reporting_zone(), at=at)
    weeks = {replace(usual, first=monday, end=monday + timedelta(days=7)) for monday in map(_monday_of, days)}
    with connection.cursor() as cursor:
        # Two who count at once hold different days, yet may share a span: the second has to see what the first saw.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SPANS_LOCK])
    spans = Measurement.objects.filter(days__gt=1)
    # The usual period moves on every day.
    lasting = [usual, usual.previous()]
    spans.filter(days=usual.day_count).exclude(day__in=[span.first for span in lasting]).delete()
    known = set(spans.filter(days=usual.day_count).values_list("day", flat=True))
    wanted = [
        *weeks,
        *(span for span in lasting if span.first not in known or any(span.first <= day < span.end for day in days)),
    ]
    spans.filter(reduce(or_, (Q(day=span.first, days=span.day_count) for span in wanted), Q(pk__in=()))).delete()
    for kpi in definitions.all():
        if not kpi.adds_up:
            for span in wanted:
                counted = kpi.count(voices(kpi, span, at, EVERYTHING), as_of=at)
                # That there was nothing has to be known as well.
                nothing = {Place(span.first, None, None, None): Counter[str]()}
                _keep(kpi.slug, kpi.version, span.day_count, nothing | counted, at=at)


def _keep(kpi: str, version: int, days: int, counted: Mapping[Place, Counter[str]], *, at: datetime) -> None:
    """Write the sums of what was counted; what stood there before is gone already."""
    rows = (
        (kpi, version, day, days, margin.team, margin.channel, margin.stage, dict(parts), at)
        for (day, margin), parts in margins(counted).items()
    )
    copy_rows(Measurement._meta.db_table, _COLUMNS, rows)


_COLUMNS = (
    "kpi", "definition_version", "day", "days", "team_id", "channel_id", "stage_id", "parts", "counted_at",
)  # fmt: skip


@lru_cache(maxsize=10_000)
def _margins_of(place: Place) -> frozenset[tuple[date, Slice]]:
    # One place may lie on several edges, where it has no stage.
    return frozenset((place.day, Slice(**{name: getattr(place, name) for name in names})) for names in MARGINS)


def _monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


_Measured = Mapping[str, Mapping[tuple[date, int], Parts]]
"""By KPI, the parts by first day and number of days."""


def _measured(wanted: Mapping[Kpi, list[Period]], slice: Slice) -> _Measured:
    """Everything measured about the slice over the days of these periods."""
    found: dict[str, dict[tuple[date, int], Parts]] = {kpi.slug: {} for kpi in wanted}
    every = [period for periods in wanted.values() for period in periods]
    if not every:
        return found
    rows = Measurement.objects.filter(
        day__gte=min(period.first for period in every),
        day__lt=max(period.end for period in every),
        kpi__in=list(found),
    )
    columns = ("kpi", "definition_version", "day", "days", "parts")
    versions = {kpi.slug: kpi.version for kpi in wanted}
    if any(not kpi.adds_up for kpi in wanted) and slice != EVERYTHING:
        # Where a span was counted and the slice has no row, nothing of it lies in the slice.
        for kpi, version, day, days in rows.filter(_lies_in(EVERYTHING), days__gt=1).values_list(*columns[:-1]):
            if versions[kpi] == version:
                found[kpi][day, days] = {}
    for kpi, version, day, days, parts in rows.filter(_lies_in(slice)).values_list(*columns):
        if versions[kpi] == version:
            found[kpi][day, days] = parts
    return found


def _measured_groups(
    kpi: Kpi, period: Period, by: Dimension, keys: Iterable[int], slice: Slice
) -> list[tuple[int | None, Parts]] | None:
    """The parts of each group, day by day where days add up; None where nobody measured them."""
    rows = Measurement.objects.filter(kpi=kpi.slug, definition_version=kpi.version)
    if kpi.adds_up:
        rows = rows.filter(days=1, day__gte=period.first, day__lt=period.end)
    else:
        rows = rows.filter(day=period.first, days=period.day_count)
        if not rows.filter(_lies_in(EVERYTHING)).exists():
            return None
    others = {name: getattr(slice, name) for name in DIMENSIONS if name != by}
    return list(rows.filter(**others, **{f"{by}__in": list(keys)}).values_list(by, "parts"))


def _lies_in(slice: Slice) -> Q:
    return Q(team=slice.team, channel=slice.channel, stage=slice.stage)


def _parts(kpi: Kpi, period: Period, slice: Slice, as_of: datetime, measured: _Measured | None) -> Parts:
    if measured is not None:
        known = measured[kpi.slug]
        if kpi.adds_up:
            return _total(parts for (day, _), parts in known.items() if period.first <= day < period.end)
        # As with days: a week that nobody measured has had no item. The usual period has, until the first count of a day.
        if (period.first, period.day_count) in known or period.is_whole_week:
            return known.get((period.first, period.day_count), {})
    return _counted(kpi, period, slice, as_of)


def _counted(kpi: Kpi, period: Period, slice: Slice, as_of: datetime) -> Parts:
    """Straight from the items and events."""
    return _total(kpi.count(voices(kpi, period, as_of, slice), as_of=as_of).values())


def _total(parts: Iterable[Parts]) -> Parts:
    summed: dict[str, int] = {}
    for each in parts:
        for name, n in each.items():
            summed[name] = summed.get(name, 0) + n
    return summed
