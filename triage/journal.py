"""How a decision is written down: the compare-and-set, the events it leaves, and how it is taken back.

A decision changes a ticket only if it is still what the decider saw; its events share the version it made and carry
the state before it, which is all that undoing needs.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import action_number
from feedback_portal.refusals import NotFound, Refused
from triage import lifecycle
from triage.lifecycle import Status, Verb
from triage.live.bulletins import tell_changed
from triage.models import ActionLink, Event, Tagging, Ticket
from triage.models.events import mark_changed
from triage.models.learning import TEACHES, mark_for_training

UNDO_WITHIN = timedelta(hours=24)
# What a decision may change about a ticket, and what undoing therefore puts back.
_STATE = (
    "team_id",
    "stage_id",
    "assignee_id",
    "status",
    "resolution",
    "resolution_reason",
    "severity",
    "rank",
    "due_at",
    "snoozed_until",
    "merged_into_id",
    "duplicate_of_id",
    "triaged_at",
    "resolved_at",
)


# What is told without "it": it names its object, or has none.
_WITHOUT_IT = frozenset(
    {
        Event.Type.UNTAGGED,
        Event.Type.SPLIT,
        Event.Type.REEVALUATED,
        Event.Type.SEVERITY,
        Event.Type.NOTED,
        Event.Type.REPLY,
        Event.Type.WAITING,
        Event.Type.ACTION_LINKED,
        Event.Type.ACTION_UNLINKED,
        Event.Type.WORK_STARTED,
        Event.Type.CUSTOMER_TOLD,
        Event.Type.RECEIPT,
        Event.Type.DISMISSED,
    }
)


class StaleTicket(Refused):
    """Somebody decided meanwhile; `extra["current"]` is the ticket as it stands."""

    status = 409
    code = "stale-ticket"
    title = "Somebody was quicker"


class NotNow(Refused):
    """The ticket is in a state that does not allow this verb."""

    status = 409
    code = "not-now"
    title = "This ticket cannot take that decision now"


Said = Sequence[tuple[str, dict[str, Any]]]


def move(
    ticket: Ticket, verb: Verb, events: Said, *, by: Actor, at: datetime, source: str = "", **changes: Any
) -> None:
    """Change the status as `lifecycle` says, if the ticket is still what the decider saw."""
    leads = lifecycle.MOVES[verb]
    if ticket.status not in leads.sources:
        label = Status(ticket.status).label.lower()
        raise NotNow(f"{ticket.reference} is {label}, so this cannot be done. Reload it and look again.")
    defaults: dict[str, Any] = {"status": leads.target}
    if ticket.status == Status.SNOOZED:
        defaults["snoozed_until"] = None
    changes = defaults | changes
    if ticket.triaged_at is None and any(kind == Event.Type.TRIAGED for kind, _ in events):
        changes |= {"triaged_at": at}
    _apply(
        ticket, events, by=by, at=at, source=source, statuses=[str(status) for status in leads.sources], changes=changes
    )


def touch(ticket: Ticket, events: Said, *, by: Actor, at: datetime, source: str = "", **changes: Any) -> None:
    """Change something other than the status, whatever the status is."""
    _apply(ticket, events, by=by, at=at, source=source, statuses=Status.values, changes=changes)


def _apply(
    ticket: Ticket, events: Said, *, by: Actor, at: datetime, source: str, statuses: list[str], changes: dict[str, Any]
) -> None:
    before: dict[str, Any] = {name: getattr(ticket, name) for name in _STATE}
    if "explanation" in changes:
        before["explanation"] = ticket.explanation
    before |= {name: value.isoformat() for name, value in before.items() if isinstance(value, datetime)}
    _set(ticket, statuses=statuses, **changes)
    origin = source or (Event.Source.PERSON if by.user or by.key else Event.Source.SYSTEM)
    Event.objects.bulk_create(
        _event(ticket, kind, data | {"before": before}, by=by, at=at, source=origin) for kind, data in events
    )
    if origin == Event.Source.PERSON and by.user:
        mark_for_training(field for kind, _ in events if (field := TEACHES.get(kind)))
    mark_changed([ticket.received_at])
    tell_changed([(ticket.pk, (before["team_id"], ticket.team_id))])


def _set(ticket: Ticket, *, statuses: list[str], **changes: Any) -> None:
    """The compare-and-set: the lock, the check and the test in one statement."""
    rows = Ticket.objects.filter(pk=ticket.pk, version=ticket.version, status__in=statuses)
    if not rows.update(version=F("version") + 1, **changes):
        raise stale(ticket)
    ticket.version += 1
    for name, value in changes.items():
        setattr(ticket, name, value)


def _event(
    ticket: Ticket,
    kind: str,
    data: dict[str, Any],
    *,
    by: Actor,
    at: datetime,
    source: str,
    undoes: Event | None = None,
) -> Event:
    return Event(
        item_id=ticket.item_id,
        ticket=ticket,
        type=kind,
        source=source,
        person=by.user if source == Event.Source.PERSON else None,
        key=by.key,
        version=ticket.version,
        undoes=undoes,
        data=data,
        occurred_at=at,
    )


def take_back(ticket: Ticket, *, by: Actor, at: datetime) -> int:
    """Take back one's own last decision on this ticket; the version it had made. Possible within a day, if nobody decided since."""
    last = ticket.events.filter(version__isnull=False).exclude(type=Event.Type.UNDONE).order_by("-id").first()
    if last is None or last.data.get("before") is None or hasattr(last, "undone_by"):
        raise NotNow("There is nothing to take back here.")
    if last.person_id is None or by.user is None or last.person_id != by.user.pk:
        raise NotNow(f"{_deed(last)} since. Only one's own last decision can be taken back; decide anew instead.")
    if last.version != ticket.version:
        raise NotNow("The ticket has changed since. Decide anew instead of taking back.")
    if last.occurred_at < at - UNDO_WITHIN:
        raise NotNow("This was decided more than a day ago. Decide anew instead of taking back.")
    done = list(ticket.events.filter(version=last.version).order_by("id"))
    before, was_with = last.data["before"], ticket.team_id
    _set(ticket, statuses=Status.values, **{name: before[name] for name in (*_STATE, "explanation") if name in before})
    _restore_tags(ticket, done, at)
    _restore_links(ticket, done, at)
    Event.objects.bulk_create(
        _event(ticket, Event.Type.UNDONE, {"type": each.type}, by=by, at=at, source=Event.Source.PERSON, undoes=each)
        for each in done
    )
    mark_for_training(field for each in done if (field := TEACHES.get(each.type)))
    mark_changed([ticket.received_at])
    tell_changed([(ticket.pk, (was_with, ticket.team_id))])
    return last.version


def _restore_tags(ticket: Ticket, done: list[Event], at: datetime) -> None:
    for event in done:
        rows = Tagging.objects.filter(item=ticket.item_id, topic__slug=event.data.get("topic"))
        if event.type == Event.Type.TAGGED:
            rows.update(removed_at=at)
        elif event.type == Event.Type.UNTAGGED:
            rows.update(removed_at=None)


def _restore_links(ticket: Ticket, done: list[Event], at: datetime) -> None:
    for event in done:
        rows = ActionLink.objects.filter(ticket=ticket, action=action_number(event.data.get("action") or ""))
        if event.type == Event.Type.ACTION_LINKED:
            rows.filter(unlinked_at=None).update(unlinked_at=at)
        elif event.type == Event.Type.ACTION_UNLINKED:
            rows.filter(pk__in=rows.order_by("-pk").values("pk")[:1]).update(unlinked_at=None)


def stale(ticket: Ticket) -> StaleTicket:
    """Who was quicker, told with the ticket as it is now."""
    current = Ticket.objects.select_related("team", "assignee").filter(pk=ticket.pk).first()
    if current is None:
        raise NotFound(f"{ticket.reference} is gone: whoever split it off took that back while you looked.")
    last = current.events.order_by("-id").select_related("person", "key").first()
    who = _deed(last) if last else "Somebody changed it"
    return StaleTicket(
        f"{who} while you looked. Look at it as it is now, and decide again if you still want to.",
        extra={"current": summary(current)},
    )


def _deed(event: Event) -> str:
    """Who did what, as the beginning of a sentence: "Mina routed it"."""
    what = event.get_type_display()
    if event.source == Event.Source.CUSTOMER:
        return f"The customer {what.removeprefix('the customer ')}"
    who = str(event.person or event.key or event.get_source_display())
    told = f"{who} {what}" if event.type in _WITHOUT_IT else f"{who} {what} it"
    return told[0].upper() + told[1:]


def summary(ticket: Ticket) -> dict[str, Any]:
    """A ticket in a few names, for whoever must decide again; its team and assignee must be loaded."""
    return {
        "reference": ticket.reference,
        "version": ticket.version,
        "status": ticket.status,
        "team": ticket.team.slug,
        "assignee": ticket.assignee.email if ticket.assignee else None,
        "resolution": ticket.resolution or None,
        "severity": ticket.severity,
    }
