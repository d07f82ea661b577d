"""Reading again what arrived, by the connector as it is now: what would change is shown first, and done only when asked."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from feedback_portal.marking import marked
from feedback_portal.registry import UnknownSlug
from intake import normalizing, threads
from intake.connectors.base import Ignored, Unreadable
from intake.models import Channel, FeedbackItem, Submission

log = structlog.get_logger("portal.replaying")

# How much one look reads; the next goes on behind it.
A_LOOK = 1000
_AT_ONCE = 100
_LONGEST_SHOWN = 300
# Versions differ whenever anything does, and an excerpt is part of its text.
_NOT_COMPARED = ("connector_version", "excerpt")

WHICH: Mapping[str, str] = {
    "older": marked("Read by an older version of the connector"),
    "ignored": marked("Passed over"),
    "parked": marked("Could not be read"),
    "all": marked("Everything"),
}
VERDICTS: Mapping[str, str] = {
    "same": marked("Would stay as they are"),
    "changed": marked("Would say something else"),
    "new": marked("Would become feedback, which they are not now"),
    "ignored": marked("Would be passed over"),
    "unreadable": marked("Could not be read"),
    "gone": marked("Are not kept as they arrived any more"),
}
# What is there stays where the connector no longer finds feedback in it: replaying adds and corrects, it deletes nothing.
_APPLIED = ("changed", "new")


@dataclass(frozen=True)
class Change:
    """One column of an item: what stands there, and what would."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Verdict:
    """What the connector says of one submission now. `changes` is empty unless it would change something."""

    key: int
    reference: str
    external_id: str
    kind: str
    reason: str = ""
    changes: Sequence[Change] = ()


@dataclass
class Look:
    """What came of one stretch of a channel; `last` is where the next begins, None at the end."""

    counts: Counter[str] = field(default_factory=Counter)
    verdicts: list[Verdict] = field(default_factory=list)
    to_apply: list[int] = field(default_factory=list)
    same: list[int] = field(default_factory=list)
    last: int | None = None

    @property
    def told(self) -> list[tuple[int, str]]:
        return [(self.counts[kind], words) for kind, words in VERDICTS.items() if self.counts[kind]]


def look(channel: Channel, *, at: datetime, which: str = "older", after: int = 0, most_shown: int = 50) -> Look:
    """What reading the next stretch again would come to; writes nothing. Of verdicts, the first that would change something or
    need somebody are kept."""
    found, examined = Look(), 0
    for verdict in _judged(channel, which, after, at=at):
        examined += 1
        found.last = verdict.key
        found.counts[verdict.kind] += 1
        if verdict.kind in _APPLIED:
            found.to_apply.append(verdict.key)
        if verdict.kind == "same":
            found.same.append(verdict.key)
        if verdict.kind != "same" and len(found.verdicts) < most_shown:
            found.verdicts.append(verdict)
    if examined < A_LOOK:
        found.last = None
    return found


def apply(channel: Channel, *, at: datetime, which: str = "older", after: int = 0) -> Look:
    """Have what would change in the stretch read again by the workers, which also tells the floor above of each change."""
    found = look(channel, at=at, which=which, after=after)
    Submission.objects.filter(pk__in=found.to_apply, gone_at=None, raw_gone_at=None).update(
        completed_at=None, parked_at=None, lease_token=None, attempts=0, next_attempt_at=Now(), ignored_reason=""
    )
    # Whatever this version would say just the same is this version's word from now on.
    if found.same:
        FeedbackItem.objects.filter(pk__in=found.same).update(connector_version=channel.connector.version)
    return found


def _judged(channel: Channel, which: str, after: int, *, at: datetime) -> Iterator[Verdict]:
    """The stretch's verdicts in order, read in batches, for payloads may be large."""
    keys = list(_rows(channel, which).filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:A_LOOK])
    for start in range(0, len(keys), _AT_ONCE):
        rows = Submission.objects.select_related("item").filter(pk__in=keys[start : start + _AT_ONCE])
        for row in rows.defer("conflicting_payload").order_by("pk"):
            row.channel = channel
            yield _verdict(row, at=at)


def _rows(channel: Channel, which: str) -> QuerySet[Submission]:
    """What was deleted or held back is read no more; what waits is read anyway."""
    rows = Submission.objects.filter(channel=channel, gone_at=None, quarantine_reason="")
    if which == "ignored":
        return rows.filter(ignored_reason__gt="")
    if which == "parked":
        return rows.filter(parked_at__isnull=False)
    rows = rows.exclude(completed_at=None, parked_at=None)
    if which == "older":
        try:
            version = channel.connector.version
        except UnknownSlug:
            return rows
        # Nothing says which version passed something over, so it may have been an older one.
        return rows.filter(Q(item__connector_version__lt=version) | Q(item=None))
    return rows


def _verdict(row: Submission, *, at: datetime) -> Verdict:
    item: FeedbackItem | None = getattr(row, "item", None)

    def of(kind: str, reason: str = "", changes: Sequence[Change] = ()) -> Verdict:
        return Verdict(row.pk, row.reference, row.external_id, kind, reason, changes)

    if row.raw_gone_at is not None:
        return of("gone", f"It was kept as it arrived until {row.raw_gone_at:%Y-%m-%d}. What came of it stays.")
    try:
        said = normalizing.would_say(row, at=at)
    except Ignored as reason:
        return of("ignored", str(reason))
    except (Unreadable, UnknownSlug) as reason:
        return of("unreadable", str(reason))
    except Exception as error:  # a connector is a plugin: what breaks in it is shown, and breaks nothing else
        log.warning("connector failed", connector=row.channel.kind, submission=row.pk, exc_info=error)
        return of("unreadable", f"The connector failed on it ({type(error).__name__}).")
    if item is None:
        return of("new", changes=_changes({}, said))
    if threads.POSSIBLY in item.context:
        # The conversation it claims to belong to is somebody else's, so it was not put there.
        said["thread"] = item.thread
    changes = _changes(_stands(item), said)
    return of("changed", changes=changes) if changes else of("same")


def _stands(item: FeedbackItem) -> dict[str, Any]:
    """The item's columns as a connector is answerable for them: what `threads` adds to them is not its word."""
    columns = {name: getattr(item, name) for name in normalizing.CHANGEABLE}
    return columns | {"context": {name: text for name, text in item.context.items() if name != threads.POSSIBLY}}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Column by column, and name by name of the context."""
    found = []
    for name, value in after.items():
        if name in _NOT_COMPARED:
            continue
        stood = before.get(name)
        if name == "context":
            found += [
                Change(f"context: {part}", _shown((stood or {}).get(part)), _shown(value.get(part)))
                for part in sorted({*(stood or {}), *value})
                if (stood or {}).get(part) != value.get(part)
            ]
        elif stood != value and (before or value not in ("", None, False)):
            found.append(Change(name.replace("_", " "), _shown(stood), _shown(value)))
    return tuple(found)


def _shown(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
