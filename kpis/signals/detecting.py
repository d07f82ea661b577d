"""The watch: once a week every series is held against its own past, and what left its limits becomes a signal, or more of one.

A week is looked at when it is over and what is said usually has reached us. Doing it twice changes nothing more.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from feedback_portal import languages
from intake.exposures import KINDS
from kpis import recording, statistics
from kpis.definitions import definitions
from kpis.models import Signal
from kpis.periods import Period, local_day
from kpis.signals import mixes, numbers, series, voices
from kpis.signals.names import ELSE
from kpis.signals.raising import Found, raise_signals
from kpis.signals.series import WEEK, Key, Member, Weekly
from kpis.statistics.surveillance import WINDOWS, Excess, excess

BASELINE: Final = 26
FALSE_DISCOVERIES: Final = 0.1
FEWEST_ITEMS, FEWEST_CUSTOMERS = 5, 3
REPEATED: Final = 0.01
"""A single week this unlikely in two of three is a signal, even where each is too little among so many series."""
SETTLES: Final = timedelta(days=2)

_SEASON = 52


@dataclass(frozen=True)
class Watched:
    """What a look at one week came to."""

    week: date | None
    series: int = 0
    raised: int = 0
    updated: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {"week": self.week.isoformat() if self.week else None} | {
            name: getattr(self, name) for name in ("series", "raised", "updated")
        }


@dataclass(frozen=True)
class Judged:
    """One series in one week: what it was held against, and whether that is a signal among so many."""

    key: Key
    excess: Excess
    adjusted: float
    is_raised: bool
    exposure: Sequence[float]
    basis: str


def watch(*, at: datetime) -> Watched:
    """Look at the last week that is over and complete."""
    zone = recording.reporting_zone()
    week = last_complete_week(at=at, zone=zone)
    weekly = series.weekly(series.weeks_until(week, number=BASELINE + max(WINDOWS)), zone=zone, at=at)
    judged = judge(weekly, zone=zone, at=at)
    # What is stored of a signal is the same whoever looks; `signals.names` says it in the language of its reader.
    with languages.speaking(languages.PROGRAMS):
        found = [
            # First, for what is new has no past to rise above.
            *voices.heard(week, zone=zone, at=at),
            *_rises([each for each in judged if each.is_raised], weekly, zone=zone, at=at),
            *numbers.outside(week, at=at),
            *mixes.moved(week, zone=zone, at=at),
        ]
        raised, updated = raise_signals(found, week, at=at)
    return Watched(week, len(judged), raised, updated)


def last_complete_week(*, at: datetime, zone: ZoneInfo) -> date:
    """The Monday of the last week that ended at least two days ago and longer than nearly everything takes to reach us."""
    settled = max(SETTLES, min(series.usual_delay(at=at), WEEK))
    day = local_day(at - settled, zone)
    return day - timedelta(days=day.weekday()) - WEEK


def judge(weekly: Weekly, *, zone: ZoneInfo, at: datetime) -> list[Judged]:
    """Every series in the last of these weeks; false discoveries are held to one in ten over all of them."""
    bases = _bases(weekly, zone=zone, at=at)
    told: list[tuple[Key, Excess, int]] = []
    for key, (exposure, _) in bases.items():
        counts = weekly.counts[key]
        now = excess(counts, exposure)
        if now is None:
            continue
        alone = [
            found.p
            for back in range(3)
            if (found := excess(counts[: len(counts) - back], exposure[: len(counts) - back], windows=(1,))) is not None
        ]
        told.append((key, now, sum(p < REPEATED for p in alone)))
    if not told:
        return []
    adjusted = statistics.benjamini_hochberg([now.p for _, now, _ in told], FALSE_DISCOVERIES)["adjusted"]
    return [
        Judged(
            key,
            now,
            among,
            now.count >= FEWEST_ITEMS and weekly.counts[key][-1] > 0 and (among <= FALSE_DISCOVERIES or repeated >= 2),
            *bases[key],
        )
        for (key, now, repeated), among in zip(told, adjusted, strict=True)
    ]


def _bases(weekly: Weekly, *, zone: ZoneInfo, at: datetime) -> dict[Key, tuple[list[float], str]]:
    """What each series is held against: units or orders where they are known, with the season of two years; else everything
    else that was said in the same weeks, in which season and traffic are already."""
    known = series.exposures(weekly.weeks, products={key.product for key in weekly.counts})
    season = _season(weekly, zone=zone, at=at) if known else [1.0] * len(weekly.weeks)
    bases = {}
    for key, counts in weekly.counts.items():
        product = key.product if key.product in known else ""
        if product in known:
            kind, exposure = known[product]
            words = KINDS.get(kind, kind.replace("-", " ").replace("_", " ")).lower()
            basis = f"{words} of {product}" if product else words
            bases[key] = ([size * factor for size, factor in zip(exposure, season, strict=True)], basis)
        elif key != Key():
            others = [float(total - count) for total, count in zip(weekly.totals, counts, strict=True)]
            bases[key] = (others, ELSE)
    return bases


def _season(weekly: Weekly, *, zone: ZoneInfo, at: datetime) -> list[float]:
    """By how much each of these weeks of the year lies above the trend; 1 before two whole years are known."""
    plain = [1.0] * len(weekly.weeks)
    began = recording.first_day()
    last = weekly.weeks[-1]
    whole = (last - began).days // 7 if began else 0
    number = min(whole, 3 * _SEASON)
    if number < 2 * _SEASON:
        return plain
    weeks = series.weeks_until(last, number=number)
    received = definitions.get("items-received")
    periods = [Period(week, week + WEEK, zone) for week in weeks]
    values = [reading.figure.value or 0.0 for reading in recording.series(received, periods, at=at)]
    indices = statistics.seasonal_indices(values, _SEASON)["indices"]
    if indices is None:
        return plain
    return [indices[(number - len(plain) + place) % _SEASON] for place in range(len(plain))]


def _rises(raised: Sequence[Judged], weekly: Weekly, *, zone: ZoneInfo, at: datetime) -> Iterator[Found]:
    """One for each group of series that rose with the same items, told by the one that says most of what it is about."""
    if not raised:
        return
    week = weekly.weeks[-1]
    longest = max(each.excess.window for each in raised)
    items = series.members([each.key for each in raised], series.weeks_until(week, number=longest), zone=zone, at=at)
    by_key = {
        each.key: [item for item in items if item.week > week - each.excess.window * WEEK and each.key.holds(item)]
        for each in raised
    }
    heard = [each for each in raised if _customers(by_key[each.key]) >= FEWEST_CUSTOMERS]
    told = series.names(each.key for each in heard)
    for group in _connected(heard, {key: {item.item for item in found} for key, found in by_key.items()}):
        # A theme says what it is, a topic less so, a product or a stage only where.
        head, *others = sorted(
            group, key=lambda each: (not each.key.theme, not each.key.topic, each.excess.p, each.key)
        )
        mine = by_key[head.key]
        value, unknown = _value(mine)
        yield Found(
            Signal.Kind.RISE,
            str(head.key),
            [str(each.key) for each in others],
            told[head.key],
            _week(week, head.excess),
            head.excess.count,
            head.excess.expected,
            head.excess.p,
            basis=head.basis,
            team=Counter(item.team for item in mine).most_common(1)[0][0],
            theme=head.key.theme or None,
            customers=_customers(mine),
            value=value,
            unknown_value=unknown,
            history=_history(head, weekly),
        )


def _history(judged: Judged, weekly: Weekly) -> list[dict[str, Any]]:
    """Each week against those before it, with the limit of three standard deviations where there is a baseline."""
    counts, told = weekly.counts[judged.key], []
    for place, week in enumerate(weekly.weeks):
        usual = excess(counts[: place + 1], judged.exposure[: place + 1], windows=(1,))
        upper = usual.expected + 3 * math.sqrt(usual.dispersion * usual.expected) if usual else None
        told.append({"week": week.isoformat(), "value": counts[place], "lower": 0 if usual else None, "upper": upper})
    return told


def _week(week: date, found: Excess) -> dict[str, Any]:
    return {
        "week": week.isoformat(),
        "count": found.count,
        "expected": round(found.expected, 2),
        "p": found.p,
        "window": found.window,
    }


def _connected(raised: Sequence[Judged], items: Mapping[Key, set[int]]) -> list[list[Judged]]:
    """Series of which one has at least half of the other's items belong together, and so do their neighbours."""
    groups: list[list[Judged]] = []
    for each in raised:
        mine = items[each.key]
        touching = [
            group
            for group in groups
            if any(2 * len(mine & items[other.key]) >= min(len(mine), len(items[other.key])) for other in group)
        ]
        groups = [group for group in groups if group not in touching] + [
            [each, *(one for group in touching for one in group)]
        ]
    return groups


def _customers(items: Iterable[Member]) -> int:
    """Distinct customers; whoever is unknown stands for themselves."""
    return len({(True, item.customer) if item.customer else (False, item.item) for item in items})


def _value(items: Iterable[Member]) -> tuple[Decimal, int]:
    """A year's value of the distinct companies with an open item, and how many customers' value nobody knows."""
    known: dict[int, Decimal] = {}
    unknown = set()
    for item in items:
        if item.is_open and item.account and item.value is not None:
            known[item.account] = item.value
        elif item.is_open:
            unknown.add((True, item.customer) if item.customer else (False, item.item))
    return sum(known.values(), Decimal(0)), len(unknown)
