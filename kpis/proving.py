"""The nightly proof: the last weeks are counted again from items and events, and every number must be the one that stands."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction

from kpis import recording
from kpis.definitions import definitions
from kpis.definitions.base import Kpi
from kpis.facts import Slice
from kpis.figures import Parts
from kpis.models import Measurement, Proof
from kpis.periods import Period, local_day
from triage.models import ChangedDay

DAYS: Final = 35
DAYS_AT_ONCE: Final = 7
MOST_EXAMPLES: Final = 20
KEPT: Final = timedelta(days=400)

log = structlog.get_logger("portal.kpis")


@dataclass
class Compared:
    """What a recount came to. Days that are waiting to be counted again are left out: that they differ is known."""

    first: date
    last: date
    compared: int = 0
    differing: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    days: set[date] = field(default_factory=set)

    def as_dict(self) -> dict[str, int]:
        return {"compared": self.compared, "differing": self.differing}


def prove(*, at: datetime, days: int = DAYS) -> Compared:
    """Count the last days anew beside what stands, write down the verdict, and say so where anything differs."""
    zone = recording.reporting_zone()
    today = local_day(at, zone)
    found = Compared(today - timedelta(days=days), today - timedelta(days=1))
    each = [
        Period(day, day + timedelta(days=1), zone)
        for day in (today - timedelta(days=back) for back in range(days, 0, -1))
    ]
    for start in range(0, days, DAYS_AT_ONCE):
        # A few days in a transaction of their own, so that no count holds a snapshot for minutes.
        with transaction.atomic():
            _compare(each[start : start + DAYS_AT_ONCE], found, at=at)
    with transaction.atomic():
        Proof.objects.filter(proved_at__lt=at - KEPT).delete()
        Proof.objects.create(
            proved_at=at,
            first_day=found.first,
            last_day=found.last,
            compared=found.compared,
            differing=found.differing,
            examples=found.examples,
        )
    if found.differing:
        log.error("numbers_differ", compared=found.compared, differing=found.differing)
    return found


def in_words() -> tuple[bool, str]:
    """Whether the last proof held, and the sentence that says so."""
    last = Proof.objects.order_by("-proved_at", "-pk").first()
    if last is None:
        return True, "not proved yet; the first night does"
    span = f"{last.first_day} to {last.last_day}, {last.compared:,} numbers counted again"
    if last.differing:
        return False, f"{span}, {last.differing:,} differ from what stands"
    return True, f"{span}, none differs"


def repair(days: set[date], *, at: datetime) -> None:
    """Count these days anew."""
    if days:
        recording.recount(*sorted(days), at=at)


def _compare(days: Sequence[Period], found: Compared, *, at: datetime) -> None:
    waiting = set(
        ChangedDay.objects.filter(
            day__in=[period.first for period in days], completed_at=None, parked_at=None
        ).values_list("day", flat=True)
    )
    if not (days := [period for period in days if period.first not in waiting]):
        return
    standing: defaultdict[str, dict[tuple[date, Slice], Parts]] = defaultdict(dict)
    for slug, version, day, team, channel, stage, parts in Measurement.objects.filter(
        day__in=[period.first for period in days], days=1
    ).values_list("kpi", "definition_version", "day", "team", "channel", "stage", "parts"):
        if slug in definitions and definitions.get(slug).version == version:
            standing[slug][day, Slice(team, channel, stage)] = parts
    for kpi in definitions.all():
        if not kpi.adds_up:
            continue
        counted = recording.margins(recording.counted_by_day(kpi, days, at=at))
        mine = standing[kpi.slug]
        for day, slice in sorted({*counted, *mine}, key=str):
            found.compared += 1
            stands: Parts = mine.get((day, slice), {})
            anew: Parts = counted.get((day, slice), Counter())
            told = _told(kpi, stands, at), _told(kpi, anew, at)
            if told[0] != told[1]:
                found.differing += 1
                found.days.add(day)
                if len(found.examples) < MOST_EXAMPLES:
                    found.examples.append(_example(kpi.slug, day, slice, told))


def _told(kpi: Kpi, parts: Parts, at: datetime) -> tuple[Any, ...]:
    """The digits people see; parts may name a moment that has passed since they were counted."""
    figure = kpi.figure(parts, as_of=at)
    return figure.value, figure.low, figure.high, figure.numerator, figure.denominator


def _example(kpi: str, day: date, slice: Slice, told: tuple[tuple[Any, ...], tuple[Any, ...]]) -> dict[str, Any]:
    stands, counted = map(list, told)
    place = {name: key for name, key in vars(slice).items() if key is not None}
    return {"kpi": kpi, "day": day.isoformat(), "slice": place, "stands": stands, "counted": counted}
