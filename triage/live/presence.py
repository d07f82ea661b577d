"""Who is at which ticket: said by their pages every few seconds, shown to colleagues, and holding nobody up."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import ticket_number
from feedback_portal.refusals import BadInput, InputError
from triage.live.bulletins import tell_present
from triage.models import Presence, Ticket
from triage.models.presence import GONE_AFTER

MOST_SHOWN = 200
"""So many colleagues are shown in a queue at most."""
_KEPT = timedelta(minutes=10)

# What they did before, if they were here at all. Two windows that speak at once may both be told as news, which hurts nobody.
_SAY = """
WITH before AS (
    SELECT doing FROM triage_presence WHERE ticket_id = %(ticket)s AND person_id = %(person)s AND seen_at > %(gone)s
), said AS (
    INSERT INTO triage_presence (ticket_id, person_id, doing, seen_at) VALUES (%(ticket)s, %(person)s, %(doing)s, %(at)s)
    ON CONFLICT (ticket_id, person_id) DO UPDATE SET doing = excluded.doing, seen_at = excluded.seen_at
)
SELECT doing FROM before
"""


def say(ticket: Ticket, doing: str, *, by: Actor, at: datetime) -> None:
    """This person is at the ticket and does this; colleagues are told when that is news."""
    if doing not in Presence.Doing.values:
        message = gettext("Write one of %(known)s.") % {"known": ", ".join(Presence.Doing.values)}
        raise BadInput(message, errors=(InputError("doing", message),))
    assert by.user is not None
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _SAY,
            {"ticket": ticket.pk, "person": by.user.pk, "doing": doing, "at": at, "gone": at - GONE_AFTER},
        )
        was = cursor.fetchone()
        if was is None:
            Presence.objects.filter(person=by.user, seen_at__lt=at - _KEPT).delete()
        if was != (doing,):
            tell_present(ticket.pk, ticket.team_id)


def leave(reference: str, *, by: Actor) -> None:
    """They opened another ticket, or closed the page."""
    with transaction.atomic():
        at_it = (
            Presence.objects.filter(ticket=ticket_number(reference), person=by.user).select_related("ticket").first()
        )
        if at_it is not None:
            at_it.delete()
            tell_present(at_it.ticket_id, at_it.ticket.team_id)


def others(actor: Actor, *, at: datetime, tickets: Iterable[int] | None = None) -> dict[int, list[Presence]]:
    """Colleagues by ticket, of all tickets the actor sees or of these; who does something first, then by name."""
    rows = Presence.objects.here(at).visible_to(actor).select_related("person")
    if tickets is not None:
        rows = rows.filter(ticket__in=tickets)
    found: dict[int, list[Presence]] = {}
    for row in sorted(rows.order_by("-seen_at", "pk")[:MOST_SHOWN], key=_order):
        found.setdefault(row.ticket_id, []).append(row)
    return found


def _order(row: Presence) -> tuple[int, str, int]:
    return (_FIRST.index(row.doing), str(row.person), row.pk)


_FIRST: list[Any] = [
    Presence.Doing.REPLYING,
    Presence.Doing.EDITING,
    Presence.Doing.VIEWING,
    Presence.Doing.AWAY,
]
