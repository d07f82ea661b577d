"""How a decision is written down: the compare-and-set, the events it leaves, and the way back.

A decision changes a ticket only if it is still what the decider saw; its events share the version it made and carry
the state before it, which is all that undoing needs. One ticket or thousands, they are written by the same statement.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Model
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import NotFound, Refused
from triage import lifecycle
from triage.deeds import sentence_of
from triage.lifecycle import Status, Verb
from triage.live.bulletins import tell_changed
from triage.models import Event, Ticket
from triage.models.events import mark_changed
from triage.models.learning import mark_for_training, taught_by

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


class StaleTicket(Refused):
    """Somebody decided meanwhile; `extra["current"]` is the ticket as it stands."""

    status = 409
    code = "stale-ticket"
    title = marked("Somebody was quicker")


class NotNow(Refused):
    """The ticket is in a state that does not allow this verb."""

    status = 409
    code = "not-now"
    title = marked("This ticket cannot take that decision now")


Said = Sequence[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Deed:
    """What a decision does to one ticket as it was seen: the events that say so, and the fields they change."""

    ticket: Ticket
    events: Said
    changes: Mapping[str, Any]


def moving(ticket: Ticket, verb: Verb, events: Said, *, at: datetime, **changes: Any) -> Deed:
    """A deed that changes the status as `lifecycle` says; `NotNow` where it does not lead from here."""
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
    return Deed(ticket, events, changes)


def move(
    ticket: Ticket, verb: Verb, events: Said, *, by: Actor, at: datetime, source: str = "", **changes: Any
) -> None:
    """Change the status as `lifecycle` says, if the ticket is still what the decider saw."""
    _write_one(moving(ticket, verb, events, at=at, **changes), by=by, at=at, source=source)


def touch(ticket: Ticket, events: Said, *, by: Actor, at: datetime, source: str = "", **changes: Any) -> None:
    """Change something other than the status, whatever the status is."""
    _write_one(Deed(ticket, events, changes), by=by, at=at, source=source)


def settle(planned: Sequence[Deed | Refused], *, by: Actor, at: datetime) -> None:
    """Write the one deed that was planned, or raise why it cannot be."""
    (deed,) = planned
    if isinstance(deed, Refused):
        raise deed
    _write_one(deed, by=by, at=at, source="")


def _write_one(deed: Deed, *, by: Actor, at: datetime, source: str) -> None:
    if not write([deed], by=by, at=at, source=source):
        raise stale(deed.ticket)


_PARTS = {
    "new": ", ".join(f"n.{name}" for name in (*_STATE, "explanation")),
    "before": ", ".join(f"'{name}', t.{name}" for name in _STATE),
    "set": ", ".join(f"{name} = seen.{name}" for name in (*_STATE, "explanation")),
}

_WRITE = """
WITH seen AS MATERIALIZED (
    SELECT t.id, t.item_id, t.version, v.deed->4 AS said, {new},
        jsonb_build_object({before}) || CASE WHEN v.deed->3 ? 'explanation'
            THEN jsonb_build_object('explanation', t.explanation) ELSE '{{}}' END AS before
    FROM jsonb_array_elements(%(deeds)s::jsonb) AS v(deed)
    JOIN triage_ticket t ON t.id = (v.deed->>0)::bigint AND t.version = (v.deed->>1)::int AND t.status = v.deed->>2
    CROSS JOIN LATERAL jsonb_populate_record(t, v.deed->3) AS n
), changed AS (
    UPDATE triage_ticket t SET version = t.version + 1, {set}
    FROM seen WHERE t.id = seen.id AND t.version = seen.version
    RETURNING seen.id, seen.item_id, seen.version, seen.said, seen.before
)
INSERT INTO triage_event (item_id, ticket_id, type, source, person_id, key_id, version, data, occurred_at)
SELECT item_id, id, told->>0, %(source)s, %(person)s, %(key)s, version + 1, (told->1) || jsonb_build_object('before', before), %(at)s
FROM changed CROSS JOIN LATERAL jsonb_array_elements(said) WITH ORDINALITY AS each(told, place)
ORDER BY id, place
RETURNING ticket_id
""".format(**_PARTS)  # noqa: S608 -- the names are those of our columns


def write(deeds: Sequence[Deed], *, by: Actor, at: datetime, source: str = "") -> frozenset[int]:
    """Each of these deeds whose ticket is still what was seen, in one statement: the row numbers of those. Their tickets are
    then as they are in the database."""
    origin = source or (Event.Source.PERSON if by.user or by.key else Event.Source.SYSTEM)
    person = by.user if origin == Event.Source.PERSON else None
    told = [
        (deed.ticket.pk, deed.ticket.version, str(deed.ticket.status), _columns(deed.changes), deed.events)
        for deed in deeds
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "deeds": json.dumps(told),
                "source": str(origin),
                "person": person.pk if person else None,
                "key": by.key.pk if by.key else None,
                "at": at,
            },
        )
        written = frozenset(pk for (pk,) in cursor.fetchall())
    done = [deed for deed in deeds if deed.ticket.pk in written]
    moved = []
    for deed in done:
        was_with = deed.ticket.team_id
        deed.ticket.version += 1
        for name, value in deed.changes.items():
            setattr(deed.ticket, name, value)
        moved.append((deed.ticket.pk, (was_with, deed.ticket.team_id)))
    if person:
        mark_for_training({field for deed in done for kind, said in deed.events for field in taught_by(kind, said)})
    mark_changed(deed.ticket.received_at for deed in done)
    tell_changed(moved)
    return written


def _columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes as PostgreSQL reads them into a row: by column, references by their key, times as text."""
    found: dict[str, Any] = {}
    for name, value in changes.items():
        column = Ticket._meta.get_field(name).attname  # type: ignore[union-attr]
        plain = value.pk if isinstance(value, Model) else value
        found[column] = plain.isoformat() if isinstance(plain, datetime) else plain
    return found


_RESTORE = """
WITH back AS (
    SELECT e.ticket_id, w.version, array_agg(e.id ORDER BY e.id) AS events, array_agg(e.type ORDER BY e.id) AS types,
        (array_agg(e.data->'before' ORDER BY e.id DESC) FILTER (WHERE e.data ? 'before'))[1] AS before
    FROM unnest(%(tickets)s::bigint[], %(acts)s::int[], %(versions)s::int[]) AS w(id, act, version)
    JOIN triage_event e ON e.ticket_id = w.id AND e.version = w.act AND e.type <> 'undone'
    GROUP BY e.ticket_id, w.version
), seen AS MATERIALIZED (
    SELECT t.id, t.item_id, t.version, t.team_id AS was_with, back.events, back.types, {new},
        jsonb_build_object({before}) || CASE WHEN back.before ? 'explanation'
            THEN jsonb_build_object('explanation', t.explanation) ELSE '{{}}' END AS before
    FROM back JOIN triage_ticket t ON t.id = back.ticket_id AND t.version = back.version
    CROSS JOIN LATERAL jsonb_populate_record(t, back.before) AS n
    WHERE back.before IS NOT NULL
), changed AS (
    UPDATE triage_ticket t SET version = t.version + 1, {set}
    FROM seen WHERE t.id = seen.id AND t.version = seen.version
    RETURNING seen.id, seen.item_id, seen.version, seen.was_with, seen.events, seen.types, seen.before, t.team_id, t.received_at
), written AS (
    INSERT INTO triage_event (item_id, ticket_id, type, source, person_id, key_id, version, data, occurred_at, undoes_id)
    SELECT item_id, id, 'undone', 'person', %(person)s, %(key)s, version + 1,
        %(said)s::jsonb || jsonb_build_object('type', told.type, 'before', before), %(at)s, told.event
    FROM changed CROSS JOIN LATERAL unnest(events, types) AS told(event, type)
    ORDER BY told.event
    RETURNING id
)
SELECT id, was_with, team_id, received_at, types FROM changed
""".format(**_PARTS)  # noqa: S608 -- the names are those of our columns


@dataclass(frozen=True)
class Step:
    """A ticket at the version it has, and the version that the act made which is to be taken back."""

    ticket: int
    version: int
    act: int


def restore(steps: Sequence[Step], *, by: Actor, at: datetime, **said: Any) -> frozenset[int]:
    """Put each of these tickets back to the state before its act, if it still has that version, in one statement; the row
    numbers of those. The events that say so carry the state until now, which is all that doing it again needs."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RESTORE,
            {
                "tickets": [step.ticket for step in steps],
                "acts": [step.act for step in steps],
                "versions": [step.version for step in steps],
                "person": by.user.pk if by.user else None,
                "key": by.key.pk if by.key else None,
                "said": json.dumps(said),
                "at": at,
            },
        )
        rows = cursor.fetchall()
    types = {kind for *_, kinds in rows for kind in kinds}
    mark_for_training({field for kind in types for field in taught_by(kind, {})})
    mark_changed(received_at for *_, received_at, _ in rows)
    tell_changed((ticket, (was_with, team)) for ticket, was_with, team, _, _ in rows)
    return frozenset(ticket for ticket, *_ in rows)


def stale(ticket: Ticket) -> StaleTicket:
    """Who was quicker, told with the ticket as it is now."""
    current = Ticket.objects.select_related("team", "assignee").filter(pk=ticket.pk).first()
    if current is None:
        raise NotFound(f"{ticket.reference} is gone: whoever split it off took that back while you looked.")
    last = current.events.order_by("-id").select_related("person", "key", "item__customer").first()
    who = sentence_of(last) if last else gettext("Somebody changed it")
    told = gettext("%(deed)s while you looked. Look at it as it is now, and decide again if you still want to.")
    return StaleTicket(
        told % {"deed": who},
        extra={"current": summary(current)},
    )


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
