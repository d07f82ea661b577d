"""What became of feedback, counted from a log of events: the definitions of every "acted on" number in one place.

This is the reference that queries are tested against: it reads plain rows, knows no database, and uses only what had
happened, and was known, at `as_of`. Times are in hours from receipt, ages in days.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypedDict

from kpis.statistics.survival import kaplan_meier

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Clock(TypedDict):
    events: int
    censored: int
    median_hours: float | None
    p90_hours: float | None


class Attainment(TypedDict):
    met: int
    missed: int
    pending: int
    rate: float | None


class LoopClosed(TypedDict):
    told: int
    decided: int
    pending: int
    rate: float | None


class ActedOn(TypedDict):
    acted: int
    actionable: int
    rate: float | None


class Reopened(TypedDict):
    reopened: int
    resolved: int
    rate: float | None


class Rerouted(TypedDict):
    rerouted: int
    routed: int
    rate: float | None


class Backlog(TypedDict):
    open: int
    oldest_days: float | None
    value: float
    unknown_value: int


class Lifecycle(TypedDict):
    items: int
    acknowledged: Clock
    triaged: Clock
    first_action: Clock
    sla_triage: Attainment
    resolved: Clock
    loop_closed: LoopClosed
    acted_on: ActedOn
    reopened: Reopened
    rerouted: Rerouted
    backlog: Backlog


def lifecycle(log: Mapping[str, Any], sla_triage_hours: float, reopen_days: float, told_grace_days: float) -> Lifecycle:
    """All numbers of feedback acted on, for the items of `log` that had been received by its `as_of`.

    `log` holds `as_of`; `items` (`id, received_at, customer, customer_value`, optionally `spam, test, contactable`);
    `events` (`item, type, at`, optionally `recorded_at, team, actionable, action, into`); and `actions` (`id`,
    optionally `shipped_at, withdrawn_at`). Moments are ISO 8601 texts or aware datetimes.

    A merged item is still a voice: it keeps its own reply and told clocks, its merge is its triage, and its work (actions,
    whether it is actionable, resolution) is that of the item it was merged into, at the later of merge and event.
    Re-routing, reopening and the count of the backlog are about canonical items only.
    """
    as_of = _moment(log["as_of"])
    history = _History(log, as_of)
    voices = history.voices()
    canonical = [voice for voice in voices if not voice.is_merged]
    actionable = [voice for voice in voices if voice.is_actionable]
    return {
        "items": len(voices),
        "acknowledged": _clock(voices, as_of, lambda voice: voice.first("reply")),
        "triaged": _clock(voices, as_of, lambda voice: voice.triaged_at),
        "first_action": _clock(
            actionable, as_of, lambda voice: voice.first_action_at, ends=lambda voice: voice.resolved_at
        ),
        "sla_triage": _attainment(voices, as_of, timedelta(hours=sla_triage_hours)),
        "resolved": _clock(voices, as_of, lambda voice: voice.resolved_at),
        "loop_closed": _loop_closed(voices, as_of, timedelta(days=told_grace_days)),
        "acted_on": _acted_on(actionable, history.shipped_actions()),
        "reopened": _reopened(canonical, as_of, timedelta(days=reopen_days)),
        "rerouted": _rerouted(canonical),
        "backlog": _backlog(voices, as_of),
    }


@dataclass(frozen=True)
class _Event:
    type: str
    at: datetime
    team: str | None = None
    actionable: bool | None = None
    action: str | None = None
    into: str | None = None


@dataclass(frozen=True)
class _Voice:
    """One counted item with what happened to itself and the work it shares with the item it was merged into."""

    id: str
    received_at: datetime
    customer: str | None
    customer_value: float | None
    is_contactable: bool
    is_merged: bool
    own: Sequence[_Event] = field(repr=False)
    work: Sequence[_Event] = field(repr=False)

    def first(self, *types: str) -> datetime | None:
        return next((event.at for event in self.own if event.type in types), None)

    @cached_property
    def triaged_at(self) -> datetime | None:
        return self.first("triaged", "merged")

    @cached_property
    def is_actionable(self) -> bool:
        decisions = [
            event.actionable for event in self.work if event.type == "triaged" and event.actionable is not None
        ]
        return bool(decisions) and bool(decisions[-1])

    @cached_property
    def first_action_at(self) -> datetime | None:
        return next((event.at for event in self.work if event.type in {"action_linked", "work_started"}), None)

    @cached_property
    def resolved_at(self) -> datetime | None:
        """The last resolution, unless it was reopened since."""
        ends = [event for event in self.work if event.type in {"resolved", "reopened"}]
        return ends[-1].at if ends and ends[-1].type == "resolved" else None

    @cached_property
    def linked_actions(self) -> set[str]:
        linked: set[str] = set()
        for event in self.work:
            if event.action is not None and event.type == "action_linked":
                linked.add(event.action)
            if event.action is not None and event.type == "action_unlinked":
                linked.discard(event.action)
        return linked


class _History:
    """The log as it was known at one moment."""

    def __init__(self, log: Mapping[str, Any], as_of: datetime) -> None:
        self._as_of = as_of
        self._items = [row for row in log["items"] if self._is_known(row, "received_at")]
        self._actions = log.get("actions", ())
        self._events: dict[str, list[_Event]] = {}
        for row in log["events"]:
            if self._is_known(row, "at"):
                self._events.setdefault(row["item"], []).append(_event(row))
        for events in self._events.values():
            events.sort(key=lambda event: event.at)

    def voices(self) -> list[_Voice]:
        return [self._voice(row) for row in self._items if not row.get("spam") and not row.get("test")]

    def shipped_actions(self) -> set[str]:
        return {
            row["id"]
            for row in self._actions
            if self._has_happened(row.get("shipped_at")) and not self._has_happened(row.get("withdrawn_at"))
        }

    def _voice(self, row: Mapping[str, Any]) -> _Voice:
        canonical, merged_at = self._canonical(row["id"])
        own = self._events.get(row["id"], [])
        return _Voice(
            id=row["id"],
            received_at=_moment(row["received_at"]),
            customer=row.get("customer"),
            customer_value=row.get("customer_value"),
            is_contactable=row.get("contactable", True),
            is_merged=merged_at is not None,
            own=own,
            work=own if merged_at is None else _not_before(merged_at, self._events.get(canonical, [])),
        )

    def _canonical(self, item: str) -> tuple[str, datetime | None]:
        """Where the merges of an item lead, and when the last of them was made. A circle ends where it began."""
        merged_at: datetime | None = None
        seen = {item}
        while merge := next((one for one in reversed(self._events.get(item, ())) if one.type == "merged"), None):
            if merge.into is None or merge.into in seen:
                break
            item = merge.into
            seen.add(item)
            merged_at = merge.at if merged_at is None else max(merged_at, merge.at)
        return item, merged_at

    def _is_known(self, row: Mapping[str, Any], key: str) -> bool:
        return self._has_happened(row[key]) and self._has_happened(row.get("recorded_at") or row[key])

    def _has_happened(self, moment: str | datetime | None) -> bool:
        return moment is not None and _moment(moment) <= self._as_of


def _clock(
    voices: Iterable[_Voice],
    as_of: datetime,
    stops: Callable[[_Voice], datetime | None],
    *,
    ends: Callable[[_Voice], datetime | None] = lambda voice: None,
) -> Clock:
    """Hours from receipt until the clock stops; one that `ends` otherwise, or still runs at as_of, is censored there."""
    durations, events = [], []
    for voice in voices:
        stopped = stops(voice)
        until = stopped or ends(voice) or as_of
        # A vendor's clock may lie behind ours; nothing takes less than no time.
        durations.append(max(0.0, (until - voice.received_at) / _HOUR))
        events.append(int(stopped is not None))
    curve = kaplan_meier(durations, events)
    return {
        "events": sum(events),
        "censored": len(events) - sum(events),
        "median_hours": curve["median"],
        "p90_hours": curve["p90"],
    }


def _attainment(voices: Iterable[_Voice], as_of: datetime, target: timedelta) -> Attainment:
    met = missed = pending = 0
    for voice in voices:
        due, decided = voice.received_at + target, voice.triaged_at
        if decided is not None and decided <= due:
            met += 1
        elif decided is None and due >= as_of:
            pending += 1
        else:
            missed += 1
    return {"met": met, "missed": missed, "pending": pending, "rate": _rate(met, met + missed)}


def _loop_closed(voices: Iterable[_Voice], as_of: datetime, grace: timedelta) -> LoopClosed:
    told = untold = pending = 0
    for voice in voices:
        resolved = voice.resolved_at
        if resolved is None or not voice.is_contactable:
            continue
        if any(event.type == "customer_told" and event.at >= resolved for event in voice.own):
            told += 1
        elif resolved + grace <= as_of:
            untold += 1
        else:
            pending += 1
    return {"told": told, "decided": told + untold, "pending": pending, "rate": _rate(told, told + untold)}


def _acted_on(actionable: Sequence[_Voice], shipped: set[str]) -> ActedOn:
    acted = sum(not voice.linked_actions.isdisjoint(shipped) for voice in actionable)
    return {"acted": acted, "actionable": len(actionable), "rate": _rate(acted, len(actionable))}


def _reopened(canonical: Iterable[_Voice], as_of: datetime, window: timedelta) -> Reopened:
    """Only items whose window has passed, so that a young resolution does not look like a lasting one."""
    reopened = resolved = 0
    for voice in canonical:
        first = voice.first("resolved")
        if first is None or first + window > as_of:
            continue
        resolved += 1
        reopened += any(event.type == "reopened" and first <= event.at <= first + window for event in voice.own)
    return {"reopened": reopened, "resolved": resolved, "rate": _rate(reopened, resolved)}


def _rerouted(canonical: Iterable[_Voice]) -> Rerouted:
    rerouted = routed = 0
    for voice in canonical:
        teams = [event.team for event in voice.own if event.type in {"triaged", "routed"} and event.team is not None]
        routed += bool(teams)
        rerouted += any(team != teams[0] for team in teams)
    return {"rerouted": rerouted, "routed": routed, "rate": _rate(rerouted, routed)}


def _backlog(voices: Sequence[_Voice], as_of: datetime) -> Backlog:
    """Canonical open items and their age; the value of every distinct customer who waits, merged voices included."""
    waiting = [voice for voice in voices if voice.resolved_at is None]
    ages = [(as_of - voice.received_at) / _DAY for voice in waiting if not voice.is_merged]
    values: dict[str, float | None] = {}
    for voice in sorted(waiting, key=lambda voice: (voice.received_at, voice.id)):
        # Who gave no name counts alone; of several values of one customer the latest stands.
        customer = voice.customer if voice.customer is not None else f"\0{voice.id}"
        values[customer] = voice.customer_value if voice.customer_value is not None else values.get(customer)
    return {
        "open": len(ages),
        "oldest_days": max(ages, default=None),
        "value": sum(value for value in values.values() if value is not None),
        "unknown_value": sum(value is None for value in values.values()),
    }


def _event(row: Mapping[str, Any]) -> _Event:
    return _Event(
        type=row["type"],
        at=_moment(row["at"]),
        team=row.get("team"),
        actionable=row.get("actionable"),
        action=row.get("action"),
        into=row.get("into"),
    )


def _not_before(moment: datetime, events: Iterable[_Event]) -> list[_Event]:
    return [
        _Event(event.type, max(moment, event.at), event.team, event.actionable, event.action, event.into)
        for event in events
    ]


def _rate(some: int, whole: int) -> float | None:
    return some / whole if whole else None


def _moment(value: str | datetime) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
