"""What a KPI is: whole numbers counted over items, and how their sums become a value with its interval.

A new KPI is one new file beside this one: subclass `Share`, `RipeningShare`, `Duration`, `means.Mean`, `maturing.MaturingShare` or `Kpi`, decorate with `@definitions.register`. Raise
`version` when the same items may give another number. Nothing here saves.
"""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final, Literal, cast

from django.db.models import Count, DateTimeField, F, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from feedback_portal.marking import marked
from intake.models import FeedbackItem
from kpis import statistics
from kpis.charts.units import out_of, written
from kpis.facts import PLACE, Place
from kpis.figures import NO_COMPARISON, Change, Figure, Limits, Parts, Waits, judged
from kpis.statistics.survival import Step

Side = str
"""Which of a KPI's items: `numerator` or `denominator`, or another of its `sides`."""


_WORDS: Final = ("name", "numerator", "denominator", "definition", "change_of_version")


class Kpi(ABC):
    """One number and its definition in words, which are marked where they are written and said in the reader's language."""

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
    change_of_version: ClassVar[str] = ""
    """What this version changed and why, in a sentence; the first changed nothing."""
    earlier: ClassVar[tuple["Kpi", ...]] = ()
    """The versions it replaced, newest first, which can still be run: each a definition of its own with the same slug."""
    adds_up: ClassVar[bool] = True
    """Whether a period's parts are the sums over its days. Where not, a period is counted in one go over its items, and
    weeks and the usual period are measured as a whole."""
    position: ClassVar[int] = 100
    is_headline: ClassVar[bool] = False
    """Whether it is one of the few large numbers at the top of the dashboard; the others stand in its table."""

    sides: ClassVar[tuple[Side, ...]] = ("numerator", "denominator")
    """The lists a KPI can be asked for; some have one for each of their steps as well."""

    ripens: ClassVar[bool] = False
    """Whether an item can still come to count long after it arrived, so that a newer period is compared with an older
    one as that stood at the same age."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        for name in _WORDS:
            if name in vars(cls):
                setattr(cls, name, _said_later(vars(cls)[name]))

    def voices(self, items: QuerySet[FeedbackItem]) -> QuerySet[FeedbackItem]:
        """Those of all items of a period that count, whichever slice is asked for: every one, unless the KPI says less."""
        return items

    @abstractmethod
    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> dict[Place, Counter[str]]:
        """The parts of each place (day, team, channel, stage) among these voices; one statement."""

    @abstractmethod
    def figure(self, parts: Parts, *, as_of: datetime) -> Figure:
        """The value of these sums."""

    def figure_before(self, day: date, parts: Parts, *, as_of: datetime) -> Figure:
        """The value as it stood when this day began; the same as ever for what does not ripen."""
        return self.figure(parts, as_of=as_of)

    def called(self, side: Side) -> str:
        """What the items of a side are."""
        return self.numerator if side == "numerator" else self.denominator

    @abstractmethod
    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        """Exactly the items behind one side of the value."""

    @abstractmethod
    def change(self, now: Figure, before: Figure, *, days: tuple[float, float]) -> Change:
        """`now` against `before`, two groups of different items that arrived over so many days each."""

    def limits(self, figures: Sequence[Figure], *, settled: int | None = None) -> Limits:
        """What a series of these figures keeps to by chance: single values, unless the KPI knows better.

        The first `settled` of them set the limits, or all of them.
        """
        places = [place for place, figure in enumerate(figures) if figure.value is not None]
        chart = statistics.individuals_chart(
            [figure.value for figure in figures if figure.value is not None],
            baseline=None if settled is None else max(1, sum(place < settled for place in places)),
        )
        lower = chart["lower"] if chart["lower"] is None or self.unit == "points" else max(0.0, chart["lower"])
        return Limits(
            chart["centre"],
            [lower if figure.value is not None else None for figure in figures],
            [chart["upper"] if figure.value is not None else None for figure in figures],
            frozenset(places[place - 1] for place in chart["outside"]),
        )


class Proportion(Kpi):
    """So many of so many, `numerator` and `denominator` among the parts, with Wilson's interval."""

    unit = "%"

    def figure(self, parts: Parts, *, as_of: datetime) -> Figure:
        n, hits = parts.get("denominator", 0), parts.get("numerator", 0)
        if n == 0:
            note = gettext("No %(items)s in this period.") % {"items": self.denominator}
            return Figure(None, None, None, 0, 0, note=note, parts=parts)
        share = statistics.wilson(hits, n)
        low, high = share["low"], share["high"]
        assert low is not None
        assert high is not None
        if n < FEW:
            note = gettext("%(share)s: too few for a rate.") % {"share": out_of(hits, n)}
            return Figure(None, 100 * low, 100 * high, hits, n, note=note, parts=parts)
        return Figure(100 * hits / n, 100 * low, 100 * high, hits, n, parts=parts)

    def change(self, now: Figure, before: Figure, *, days: tuple[float, float]) -> Change:
        if now.value is None or before.value is None:
            return NO_COMPARISON
        moved = statistics.newcombe_difference(now.numerator, now.denominator, before.numerator, before.denominator)
        verdict = judged(moved["low"], moved["high"], none=0, better=self.better)
        return Change(
            verdict,
            *(None if part is None else 100 * part for part in (moved["difference"], moved["low"], moved["high"])),
        )

    def limits(self, figures: Sequence[Figure], *, settled: int | None = None) -> Limits:
        chart = statistics.laney_p(
            [figure.numerator for figure in figures], [figure.denominator for figure in figures], baseline=settled
        )
        return Limits(
            None if chart["centre"] is None else 100 * chart["centre"],
            [None if limit is None else 100 * limit for limit in chart["lower"]],
            [None if limit is None else 100 * limit for limit in chart["upper"]],
            # What is too little for a rate is too little for a signal.
            frozenset(place - 1 for place in chart["outside"] if figures[place - 1].value is not None),
        )


class Share(Proportion):
    """Of the items that count, those that are hits."""

    @abstractmethod
    def counted(self, *, as_of: datetime) -> Q:
        """Which items are in the denominator."""

    @abstractmethod
    def hit(self, *, as_of: datetime) -> Q:
        """Which of those are in the numerator as well."""

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> dict[Place, Counter[str]]:
        rows = (
            items.filter(self.counted(as_of=as_of))
            .order_by()
            .values_list(*PLACE)
            .annotate(denominator=Count("pk"), numerator=Count("pk", filter=self.hit(as_of=as_of)))
        )
        return {Place(*place): Counter(denominator=n, numerator=hits) for *place, n, hits in rows}

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        counted = items.filter(self.counted(as_of=as_of))
        return counted.filter(self.hit(as_of=as_of)) if side == "numerator" else counted


class RipeningShare(Share):
    """A share whose items come to count long after they arrived, and how far it had come on every day since.

    The parts say by how much each side grew on a day: `d<day>` items came into the denominator, `n<day>` into the numerator,
    days counted from year 1. So it is known without looking at an item again what an older period had come to at the same age.
    """

    ripens = True

    @abstractmethod
    def moments(self, *, as_of: datetime) -> tuple[Combinable, Combinable, Combinable]:
        """When an item came to be counted, when it became a hit, and when it ceased to be counted; null while not."""

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> dict[Place, Counter[str]]:
        counted, hit, ceased = self.moments(as_of=as_of)
        rows = (
            items.annotate(counted_at=counted, hit_at=hit, ceased_at=ceased)
            .filter(counted_at__isnull=False)
            .order_by()
            .values_list(*PLACE, F("counted_at"), F("hit_at"), F("ceased_at"))
        )
        found: defaultdict[Place, Counter[str]] = defaultdict(Counter)
        for *place, counted_at, hit_at, ceased_at in rows.iterator(chunk_size=5000):
            parts = found[Place(*place)]
            for side, moment in (("d", counted_at), ("n", max(counted_at, hit_at) if hit_at else None)):
                if moment:
                    parts[f"{side}{_day_number(moment)}"] += 1
                    if ceased_at:
                        parts[f"{side}{_day_number(max(moment, ceased_at))}"] -= 1
        return {place: Counter({name: n for name, n in parts.items() if n}) for place, parts in found.items()}

    def figure(self, parts: Parts, *, as_of: datetime) -> Figure:
        return self.figure_before(date.max, parts, as_of=as_of)

    def figure_before(self, day: date, parts: Parts, *, as_of: datetime) -> Figure:
        sides: Counter[str] = Counter()
        for name, n in parts.items():
            if int(name[1:]) < day.toordinal():
                sides[name[0]] += n
        figure = super().figure({"denominator": sides["d"], "numerator": sides["n"]}, as_of=as_of)
        return replace(figure, parts=parts)


class Duration(Kpi):
    """Hours from arrival until something happened. What still waits counts as waiting, by Kaplan and Meier's method.

    The parts are a histogram: `e<bucket>` items it happened to, in buckets 2 % wide (at most 1 % error), `o<hour>` items
    still waiting that arrived in that hour since 1970, whose wait is known only when the value is read, and `c<bucket>`
    items that waited so long and then ceased to wait without it.
    """

    unit = marked("hours")
    better = "lower"

    @abstractmethod
    def ended(self, *, as_of: datetime) -> Combinable:
        """The moment it happened to an item, null while it has not."""

    def counted(self, *, as_of: datetime) -> Q:
        """The items it can happen to: all, unless the KPI says less."""
        return Q()

    def stopped(self, *, as_of: datetime) -> Combinable:
        """The moment from which it cannot happen to an item any more, which then no longer waits; null while it can."""
        return Value(None, output_field=DateTimeField())

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> dict[Place, Counter[str]]:
        rows = (
            items.filter(self.counted(as_of=as_of))
            .annotate(ended_at=self.ended(as_of=as_of), stopped_at=self.stopped(as_of=as_of))
            .order_by()
            .values_list(*PLACE, F("received_at"), F("ended_at"), F("stopped_at"))
        )
        found: defaultdict[Place, Counter[str]] = defaultdict(Counter)
        for *place, received_at, ended_at, stopped_at in rows.iterator(chunk_size=5000):
            if ended_at:
                part = f"e{statistics.bucket_of(hours(max(ended_at - received_at, _AT_ONCE)))}"
            elif stopped_at:
                part = f"c{statistics.bucket_of(hours(max(stopped_at - received_at, _AT_ONCE)))}"
            else:
                part = f"o{int(received_at.timestamp() // 3600)}"
            found[Place(*place)][part] += 1
        return dict(found)

    def figure(self, parts: Parts, *, as_of: datetime) -> Figure:
        ended: Counter[float] = Counter()
        waiting: Counter[float] = Counter()
        for part, count in sorted(parts.items()):
            if part[0] == "e":
                ended[statistics.value_of(int(part[1:]))] += count
            elif part[0] == "c":
                waiting[statistics.value_of(int(part[1:]))] += count
            else:
                # The middle of the hour stands for all who arrived in it.
                waiting[max(0.0, as_of.timestamp() / 3600 - int(part[1:]) - 0.5)] += count
        done, n = ended.total(), ended.total() + waiting.total()
        if n == 0:
            return Figure(None, None, None, 0, 0, note=gettext("Nothing arrived in this period."), parts=parts)
        waits = Waits([*ended, *waiting], [1] * len(ended) + [0] * len(waiting), [*ended.values(), *waiting.values()])
        curve = statistics.kaplan_meier(waits.times, waits.events, counts=waits.counts)
        low, high = _median_interval(curve["table"])
        note = ""
        if curve["median"] is None:
            note = gettext("Fewer than half within %(hours)s hours so far.") % {"hours": written(curve["longest"] or 0)}
        return Figure(curve["median"], low, high, done, n, note=note, parts=parts, curve=curve, waits=waits)

    def change(self, now: Figure, before: Figure, *, days: tuple[float, float]) -> Change:
        if now.waits is None or before.waits is None:
            return NO_COMPARISON
        test = statistics.logrank(
            now.waits.times,
            now.waits.events,
            before.waits.times,
            before.waits.events,
            counts_a=now.waits.counts,
            counts_b=before.waits.counts,
        )
        if test["p"] is None:
            return NO_COMPARISON
        moved = None if now.value is None or before.value is None else now.value - before.value
        if test["p"] >= 0.05:
            return Change("noise", moved, p=test["p"])
        sooner = test["observed_a"] > test["expected_a"]
        return Change("better" if sooner == (self.better == "lower") else "worse", moved, p=test["p"])

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        counted = items.filter(self.counted(as_of=as_of))
        if side == "denominator":
            return counted
        return counted.annotate(ended_at=self.ended(as_of=as_of)).filter(ended_at__isnull=False)


FEW = 10
"""Below this many answers there is no rate, only "3 of 7"."""

# What an import dates before its arrival took no time.
_AT_ONCE = timedelta()


def _said_later(words: str) -> str:
    """The words in the language that is spoken when they are read."""
    return cast(str, gettext_lazy(words))


def hours(duration: timedelta) -> float:
    return duration.total_seconds() / 3600


def _day_number(moment: datetime) -> int:
    return timezone.localtime(moment, timezone.get_default_timezone()).date().toordinal()


def _median_interval(table: Sequence[Step]) -> tuple[float | None, float | None]:
    """Where the band crosses one half (Brookmeyer and Crowley 1982): its lower edge first, its upper edge last."""
    low = next((step["time"] for step in table if step["low"] is not None and step["low"] <= 0.5), None)
    high = next((step["time"] for step in table if step["high"] is not None and step["high"] <= 0.5), None)
    return low, high
