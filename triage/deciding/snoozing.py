"""Out of the queue until a time, or until something happens; then back, with the reason."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import action_number
from feedback_portal.refusals import BadInput, InputError, Refused
from triage.deciding import plans
from triage.journal import move, settle
from triage.lifecycle import Status, Verb
from triage.models import ActionLink, Awaited, Event, ThemeMember, Ticket

AT_LATEST: Final = timedelta(days=90)
"""What waits for something that does not happen comes back after so long."""
MOST_REPORTS: Final = 1_000
MORE: Final = 5
_AT_ONCE = 500

# What has happened since a ticket was put off, of everything that tickets wait for; and the snoozed ones of a theme that grew beyond
# its forecast since. A theme that was joined into another goes on there.
_HAPPENED = """
SELECT a.ticket_id, a.kind FROM triage_awaited a
JOIN triage_ticket t ON t.id = a.ticket_id AND t.status = 'snoozed'
LEFT JOIN triage_theme said ON said.id = a.theme_id
LEFT JOIN triage_theme theme ON theme.id = coalesce(said.joined_into_id, said.id)
LEFT JOIN triage_action action ON action.id = a.action_id
WHERE a.kind = 'reports' AND theme.size >= a.size OR a.kind = 'ship' AND action.shipped_at > a.asked_at
UNION ALL
SELECT t.id, 'growing' FROM triage_theme theme
JOIN triage_thememember m ON m.theme_id = theme.id
JOIN triage_ticket t ON t.item_id = m.item_id AND t.status = 'snoozed'
CROSS JOIN LATERAL (
    SELECT occurred_at FROM triage_event e WHERE e.ticket_id = t.id AND e.type = 'snoozed' ORDER BY e.id DESC LIMIT 1
) last
WHERE theme.grew_at > %(recently)s AND theme.grew_at > last.occurred_at
UNION ALL
SELECT t.id, 'time' FROM triage_ticket t WHERE t.status = 'snoozed' AND t.snoozed_until <= %(at)s
LIMIT %(most)s
"""
_RECENTLY = timedelta(days=2)


def snooze(
    ticket: Ticket, *, by: Actor, at: datetime, until: datetime | str = "", awaits: str = "", more: int | str = MORE,
    action: str = "",
) -> None:  # fmt: skip
    """Out of the queue until a time, or until what it `awaits` happens: the customer's answer (`reply`), so many `more` items in
    its theme (`reports`), or that an action it is linked to ships (`ship`). No clock stops."""
    row = _awaited(ticket, awaits, more, action, at) if awaits else None
    moment = until or (at + AT_LATEST if row else until)
    said = {"awaits": row.kind, "more": int(more), "action": row.action.reference if row.action else ""} if row else {}
    settle(plans.snooze([ticket], by=by, at=at, until=moment, **said), by=by, at=at)
    Awaited.objects.filter(ticket=ticket).delete()
    if row:
        row.save(force_insert=True)


def wake(ticket: Ticket, *, by: Actor, at: datetime, because: str = "") -> None:
    """Back into the queue: to decide if nobody has yet, else open."""
    said = {"because": because} if because else {}
    changes: dict[str, Any] = {"status": awake(ticket)}
    if because == "growing":
        changes["explanation"] = ticket.explanation | {"woke": because}
    move(ticket, Verb.WAKE, [(Event.Type.WOKE, said)], by=by, at=at, **changes)


def wake_due(*, at: datetime) -> int:
    """Wake what was snoozed until now, and what waited for something that has happened; how many."""
    with connection.cursor() as cursor:
        cursor.execute(_HAPPENED, {"at": at, "recently": at - _RECENTLY, "most": _AT_ONCE})
        happened = dict(reversed(cursor.fetchall()))
    count = 0
    for ticket in Ticket.objects.for_deciding().filter(pk__in=happened).order_by("pk"):
        try:
            with transaction.atomic():
                wake(ticket, by=Actor(), at=at, because=happened[ticket.pk])
        except Refused:
            continue  # somebody decided in this very moment, which is as good as waking
        count += 1
    return count


def awake(ticket: Ticket) -> str:
    return Status.NEW if ticket.triaged_at is None else Status.OPEN


def _awaited(ticket: Ticket, awaits: str, more: int | str, action: str, at: datetime) -> Awaited:
    if awaits == Awaited.Kind.REPLY:
        return Awaited(ticket=ticket, kind=awaits, asked_at=at)
    if awaits == Awaited.Kind.REPORTS:
        member = ThemeMember.objects.filter(item=ticket.item_id, theme__isnull=False).select_related("theme").first()
        if member is None or member.theme is None:
            raise _wrong(
                "awaits", gettext("It is in no theme yet, so nobody can count who says the same. Choose a time.")
            )
        number = int(more) if str(more).isdecimal() and len(str(more)) < 5 else 0
        if not 1 <= number <= MOST_REPORTS:
            raise _wrong("more", gettext("Write a number from 1 to %(most_reports)s.") % {"most_reports": MOST_REPORTS})
        return Awaited(ticket=ticket, kind=awaits, theme=member.theme, size=member.theme.size + number, asked_at=at)
    if awaits == Awaited.Kind.SHIP:
        links = ActionLink.objects.filter(ticket=ticket, unlinked_at=None, action__withdrawn_at=None)
        if action:
            links = links.filter(action=action_number(action) or 0)
        link = links.filter(action__shipped_at=None).select_related("action").order_by("-pk").first()
        if link is None:
            raise _wrong(
                "awaits", gettext("No action that has yet to ship is linked to it. Link one first, or choose a time.")
            )
        return Awaited(ticket=ticket, kind=awaits, action=link.action, asked_at=at)
    raise _wrong("awaits", gettext("Choose what to wait for: reply, reports or ship."))


def _wrong(path: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(path, message),))
