"""What a subscriber is told of an event: its codes always, names and words only where somebody chose that."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.urls import reverse

from feedback_portal.accounts.permissions import Actor
from triage.connecting.kinds import LOGS
from triage.models import Action, Announcement, Event, Subscriber, Theme, Ticket

LONGEST_WORDS: Final = 10_000
"""Characters of what a customer said that go along at most."""

# What events hold besides words: slugs, codes, numbers and times under these names.
_CODES: Final = frozenset(
    {
        *("team", "from", "to", "into", "topic", "stage", "action", "theme", "resolution", "severity", "value", "rank"),
        *("until", "version", "step", "outcome", "was", "items", "window", "count", "expected", "kind", "by", "tell"),
    }
)
_CODE: Final = re.compile(r"[\w.:+-]{1,60}\Z", re.ASCII)
_JOINED: Final[Mapping[str, tuple[str, ...]]] = {
    "ticket": (
        *("item__submission", "item__channel", "item__customer__account", "person", "key"),
        *("ticket__team", "ticket__stage", "ticket__assignee", "ticket__duplicate_of"),
    ),
    "theme": ("theme__topic__team", "person", "key"),
    "action": ("action__team", "action__stage", "action__owner", "person", "key"),
}


def written(rows: Sequence[Announcement], *, subscriber: Subscriber) -> dict[int, bytes]:
    """The bodies by announcement; one that is left out is none of this subscriber's business, or its event is gone."""
    bodies: dict[int, bytes] = {}
    by_log: dict[str, dict[int, Announcement]] = {}
    for row in rows:
        by_log.setdefault(row.log, {})[row.number] = row
    for log, wanted in by_log.items():
        if log == Announcement.TEST:
            bodies |= {row.pk: _packed(row, row.made_at, _TRIAL) for row in wanted.values()}
            continue
        # The logs share their columns, not their class.
        found: Mapping[int, Any] = LOGS[log]._default_manager.select_related(*_JOINED[log]).in_bulk(list(wanted))
        for number, event in found.items():
            told = _TELLERS[log](event, subscriber)
            if told is not None:
                row = wanted[number]
                bodies[row.pk] = _packed(row, event.occurred_at, told)
    return bodies


_TRIAL: Final = {"test": True, "note": "Somebody tries whether this address is told. Nothing happened."}


def _packed(row: Announcement, occurred_at: datetime, told: Mapping[str, Any]) -> bytes:
    whole = {"type": row.kind, "timestamp": _time(occurred_at), "data": {"id": row.public_id, **told}}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def _event(event: Any, subscriber: Subscriber) -> dict[str, Any]:
    told: dict[str, Any] = {"occurred_at": _time(event.occurred_at)}
    data = {name: value for name, value in event.data.items() if name != "before"}
    if subscriber.tells_persons:
        by = Actor(user=event.person, key=event.key).name if event.person or event.key else ""
        return told | {"by": by, "details": data}
    return told | {"details": {name: value for name, value in data.items() if name in _CODES and _is_code(value)}}


def _is_code(value: Any) -> bool:
    return (
        value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and bool(_CODE.match(value)))
    )


def _ticket(event: Event, subscriber: Subscriber) -> dict[str, Any] | None:
    ticket, item = event.ticket, event.item
    if subscriber.team_id and (ticket is None or ticket.team_id != subscriber.team_id):
        return None
    told: dict[str, Any] = {"source": event.source, **_event(event, subscriber)}
    told["ticket"] = _ticket_told(ticket, subscriber) if ticket else None
    feedback: dict[str, Any] = {
        "id": str(item.submission.public_id),
        "reference": item.reference,
        "channel": item.channel.slug,
        "product": item.product,
        "received_at": _time(item.received_at),
    }
    if subscriber.tells_persons:
        feedback |= {"title": item.title, "text": item.text[:LONGEST_WORDS]}
        customer = item.customer
        told["customer"] = customer and {
            "external_id": customer.external_id,
            "name": customer.name,
            "email": customer.email,
            "account": customer.account.name if customer.account else None,
        }
    return told | {"feedback": feedback}


def _ticket_told(ticket: Ticket, subscriber: Subscriber) -> dict[str, Any]:
    """As it stands when it is sent; `version` says which."""
    told: dict[str, Any] = {
        "reference": ticket.reference,
        "version": ticket.version,
        "status": ticket.status,
        "resolution": ticket.resolution or None,
        "team": ticket.team.slug,
        "stage": ticket.stage.slug if ticket.stage else None,
        "severity": ticket.severity,
        "due_at": _time(ticket.due_at),
        "triaged_at": _time(ticket.triaged_at),
        "resolved_at": _time(ticket.resolved_at),
        "duplicate_of": ticket.duplicate_of.reference if ticket.duplicate_of else None,
        "url": settings.BASE_URL + reverse("triage:ticket", args=[ticket.reference]),
    }
    if subscriber.tells_persons:
        told |= {
            "resolution_reason": ticket.resolution_reason,
            "assignee": ticket.assignee.email if ticket.assignee else None,
        }
    return told


def _theme(event: Any, subscriber: Subscriber) -> dict[str, Any] | None:
    theme: Theme = event.theme
    if subscriber.team_id and (theme.topic is None or theme.topic.team_id != subscriber.team_id):
        return None
    about = {
        "reference": theme.reference,
        "name": theme.name,
        "state": theme.state,
        "topic": theme.topic.slug if theme.topic else None,
        "size": theme.size,
        "customers": theme.customers,
        "url": settings.BASE_URL + reverse("triage:theme", args=[theme.reference]),
    }
    return {**_event(event, subscriber), "theme": about}


def _action(event: Any, subscriber: Subscriber) -> dict[str, Any] | None:
    action: Action = event.action
    if subscriber.team_id and action.team_id != subscriber.team_id:
        return None
    about: dict[str, Any] = {
        "reference": action.reference,
        "version": action.version,
        "title": action.title,
        "kind": action.kind,
        "step": action.step,
        "team": action.team.slug,
        "stage": action.stage.slug if action.stage else None,
        "due_at": action.due_at.isoformat() if action.due_at else None,
        "shipped_at": _time(action.shipped_at),
        "withdrawn_at": _time(action.withdrawn_at),
        "url": settings.BASE_URL + reverse("triage:action", args=[action.reference]),
    }
    if subscriber.tells_persons:
        about["owner"] = action.owner.email if action.owner else None
    return {**_event(event, subscriber), "action": about}


_TELLERS: Final[Mapping[str, Any]] = {"ticket": _ticket, "theme": _theme, "action": _action}


def _time(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
