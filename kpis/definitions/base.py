"""What a KPI is: whole numbers counted over items, and how their sums become a value with its interval.

A new KPI is one new file beside this one: subclass `Share`, `Duration` or `Kpi`, decorate with `@definitions.register`. Raise
`version` when the same items may give another number. Nothing here saves.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import ExtractHour

from intake.models import FeedbackItem
from kpis import statistics
from kpis.facts import Slice
from kpis.statistics.survival import Step

Side = Literal["numerator", "denominator"]
Parts = Mapping[str, int]
"""Whole numbers by name, which add up over days: `{"numerator": 3, "denominator": 7}`."""


@dataclass(frozen=True)
class Day:
    """The parts of one calendar day of arrival."""

    day: date
    parts: Parts


@dataclass(frozen=True)
class Figure:
    """A KPI's value over a period with a 95 % interval; `None` means not defined, and then `note` says why.

    `numerator` and `denominator` are numbers of items, and each opens a list of exactly that length. `extra` carries what
    a chart of this KPI needs besides.
    """

    value: float | None
    low: float | None
    high: float | None
    numerator: int
    denominator: int
    note: str = ""
    extra: Mapping[str, object] | None = None


class Kpi(ABC):
    """One number and its definition in words."""

    slug: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[int] = 1
    unit: ClassVar[str]
    """How the value is read: "items", "points", "%", "hours"."""
    decimals: ClassVar[int] = 1
    better: ClassVar[Literal["higher", "lower", "neither"]] = "neither"
    numerator: ClassVar[str]
    denominator: ClassVar[str]
    definition: ClassVar[str]
    """Plain sentences that stand beside the number in the product."""
    adds_up: ClassVar[bool] = True
    """Whether a period's parts are the sums over its days. Where not, a period is counted in one go over its items."""
    position: ClassVar[int] = 100

    @abstractmethod
    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime, zone: ZoneInfo) -> dict[Slice, Counter[str]]:
        """The parts of each (team, channel) among these items; one statement."""

    @abstractmethod
    def figure(self, days: Sequence[Day], *, as_of: datetime, zone: ZoneInfo) -> Figure:
        """The value of these days together."""

    @abstractmethod
    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        """Exactly the items behind one side of the value."""


class Share(Kpi):
    """So many of so many, with Wilson's interval."""

    unit = "%"

    @abstractmethod
    def counted(self, *, as_of: datetime) -> Q:
        """Which items are in the denominator."""

    @abstractmethod
    def hit(self, *, as_of: datetime) -> Q:
        """Which of those are in the numerator as well."""

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime, zone: ZoneInfo) -> dict[Slice, Counter[str]]:
        rows = (
            items.filter(self.counted(as_of=as_of))
            .order_by()
            .values(team=F("team_id"), by=F("channel_id"))
            .annotate(denominator=Count("pk"), numerator=Count("pk", filter=self.hit(as_of=as_of)))
        )
        return {
            Slice(row["team"], row["by"]): Counter({"numerator": row["numerator"], "denominator": row["denominator"]})
            for row in rows
        }

    def figure(self, days: Sequence[Day], *, as_of: datetime, zone: ZoneInfo) -> Figure:
        parts = total(days)
        n, hits = parts["denominator"], parts["numerator"]
        if n == 0:
            return Figure(None, None, None, 0, 0, note="No answers in this period.")
        share = statistics.wilson(hits, n)
        low, high = share["low"], share["high"]
        assert low is not None
        assert high is not None
        if n < FEW:
            return Figure(None, 100 * low, 100 * high, hits, n, note=f"{hits} of {n}: too few for a rate.")
        return Figure(100 * hits / n, 100 * low, 100 * high, hits, n)

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        counted = items.filter(self.counted(as_of=as_of))
        return counted.filter(self.hit(as_of=as_of)) if side == "numerator" else counted


class Duration(Kpi):
    """Hours from arrival until something happened. What still waits counts as waiting, by Kaplan and Meier's method.

    A day's parts are a histogram: `e<bucket>` items it happened to, in buckets 2 % wide (at most 1 % error), and
    `o<hour>` items still waiting that arrived in that hour of the day. Buckets: Masson and others 2019, DDSketch, with
    a = 0.01: bucket = ceil(ln x / ln g), g = (1 + a) / (1 - a), value = 2 g^b / (g + 1).
    """

    unit = "hours"
    better = "lower"

    @abstractmethod
    def ended(self, *, as_of: datetime) -> Combinable:
        """The moment it happened to an item, null while it has not."""

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime, zone: ZoneInfo) -> dict[Slice, Counter[str]]:
        rows = (
            items.annotate(ended_at=self.ended(as_of=as_of), hour=ExtractHour("received_at", tzinfo=zone))
            .order_by()
            .values_list(F("team_id"), "channel_id", "received_at", F("ended_at"), F("hour"))
        )
        found: defaultdict[Slice, Counter[str]] = defaultdict(Counter)
        for team, channel, received_at, ended_at, hour in rows.iterator(chunk_size=5000):
            part = f"e{bucket(hours(ended_at - received_at))}" if ended_at else f"o{hour}"
            found[Slice(team, channel)][part] += 1
        return dict(found)

    def figure(self, days: Sequence[Day], *, as_of: datetime, zone: ZoneInfo) -> Figure:
        happened: Counter[float] = Counter()
        waiting: Counter[float] = Counter()
        for each in days:
            midnight = datetime(each.day.year, each.day.month, each.day.day, tzinfo=zone)
            for part, count in each.parts.items():
                if part[0] == "e":
                    happened[middle(int(part[1:]))] += count
                else:
                    arrived = midnight + timedelta(hours=int(part[1:]), minutes=30)
                    waiting[max(0.0, hours(as_of - arrived))] += count
        done, n = happened.total(), happened.total() + waiting.total()
        if n == 0:
            return Figure(None, None, None, 0, 0, note="Nothing arrived in this period.")
        times = [*happened, *waiting]
        curve = statistics.kaplan_meier(
            times, [1] * len(happened) + [0] * len(waiting), counts=[*happened.values(), *waiting.values()]
        )
        low, high = _median_interval(curve["table"])
        note = "" if curve["median"] is not None else f"Fewer than half within {curve['longest']:.0f} hours so far."
        return Figure(curve["median"], low, high, done, n, note=note, extra=dict(curve))

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        if side == "denominator":
            return items
        return items.annotate(ended_at=self.ended(as_of=as_of)).filter(ended_at__isnull=False)


FEW = 10
"""Below this many answers there is no rate, only "3 of 7"."""

_GROWTH = 1.01 / 0.99
_SHORTEST = 1 / 3600


def total(days: Iterable[Day]) -> Counter[str]:
    summed: Counter[str] = Counter()
    for each in days:
        summed.update(each.parts)
    return summed


def bucket(duration: float) -> int:
    """The histogram bucket of a duration in hours; what took no time at all shares the bucket of one second."""
    return math.ceil(math.log(max(duration, _SHORTEST)) / math.log(_GROWTH))


def middle(number: int) -> float:
    """The duration in hours a bucket stands for, within 1 % of everything in it."""
    return 2 * _GROWTH**number / (_GROWTH + 1)


def hours(duration: timedelta) -> float:
    return duration.total_seconds() / 3600


def _median_interval(table: Sequence[Step]) -> tuple[float | None, float | None]:
    """Where the band crosses one half (Brookmeyer and Crowley 1982): its lower edge first, its upper edge last."""
    low = next((step["time"] for step in table if step["low"] is not None and step["low"] <= 0.5), None)
    high = next((step["time"] for step in table if step["high"] is not None and step["high"] <= 0.5), None)
    return low, high
