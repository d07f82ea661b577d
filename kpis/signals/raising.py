"""What left its limits becomes a signal, or more of one that is open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction

from kpis.models import Signal, SignalEvent
from kpis.signals.series import WEEK

QUIET: Final = 4 * WEEK
"""So long after it was last seen, a series that got its verdict raises nothing new: somebody has just looked at it."""

# Any number nobody else locks.
_LOCK = 7_451_203


@dataclass(frozen=True)
class Found:
    """Something that left its limits in a week, before it is known whether a signal for it is open."""

    kind: Signal.Kind
    key: str
    also: Sequence[str]
    name: str
    week: Mapping[str, Any]
    count: int
    expected: float
    p: float
    basis: str = ""
    team: int | None = None
    theme: int | None = None
    customers: int = 0
    value: Decimal = Decimal(0)
    unknown_value: int = 0
    history: Sequence[Mapping[str, Any]] = ()


@transaction.atomic
def raise_signals(found: Sequence[Found], week: date, *, at: datetime) -> tuple[int, int]:
    """New signals and more of those that are open; how many of each."""
    with connection.cursor() as cursor:
        # Two who look at once would raise the same signal twice.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    standing = {signal.pk: signal for signal in Signal.objects.open().select_for_update()}
    ended = Signal.objects.exclude(verdict="").filter(last_week__gte=week - QUIET).values_list("key", "also")
    looked_at = {key for head, others in ended for key in (head, *others)}
    raised = updated = 0
    for each in found:
        keys = {each.key, *each.also}
        same = next((signal for signal in standing.values() if keys & {signal.key, *signal.also}), None)
        if same is not None and same.kind != each.kind and same.last_week == week:
            # It is told already, as the other kind of thing it is.
            continue
        if same is not None:
            updated += _more(same, each, week, at=at)
        elif not keys & looked_at:
            signal = _new(each, week, at=at)
            standing[signal.pk] = signal
            raised += 1
    return raised, updated


def _new(found: Found, week: date, *, at: datetime) -> Signal:
    signal = Signal.objects.create(
        kind=found.kind,
        key=found.key,
        team_id=found.team,
        theme_id=found.theme,
        first_week=week,
        raised_at=at,
        **_told(found, week, at),
    )
    SignalEvent.objects.create(signal=signal, type=SignalEvent.Type.RAISED, data=dict(found.week), occurred_at=at)
    return signal


def _more(signal: Signal, found: Found, week: date, *, at: datetime) -> int:
    """The week in the signal it belongs to: written over where it is there already, and not at all where nothing is new."""
    if week < signal.last_week:
        return 0
    known = next((each for each in signal.weeks if each["week"] == week.isoformat()), None)
    if known == dict(found.week):
        return 0
    told = _told(replace(found, also=sorted({*signal.also, found.key, *found.also} - {signal.key})), week, at)
    told["weeks"] = [each for each in signal.weeks if each["week"] != week.isoformat()] + [dict(found.week)]
    # Its name and whom it concerns stay as people know it.
    for name in told.keys() - {"name"}:
        setattr(signal, name, told[name])
    signal.version += 1
    signal.save()
    if known is None:
        SignalEvent.objects.create(signal=signal, type=SignalEvent.Type.AGAIN, data=dict(found.week), occurred_at=at)
    return 1


def _told(found: Found, week: date, at: datetime) -> dict[str, Any]:
    return {
        "also": list(found.also),
        "name": found.name[:240],
        "last_week": week,
        "weeks": [dict(found.week)],
        "count": found.count,
        "expected": found.expected,
        "p": found.p,
        "basis": found.basis[:160],
        "customers": found.customers,
        "value": found.value,
        "unknown_value": found.unknown_value,
        "history": [dict(each) for each in found.history],
        "seen_at": at,
    }
