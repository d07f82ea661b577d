"""How merges hang together: what was merged into what, and where each chain of merges leads.

`merged_into` is what somebody decided; `duplicate_of` follows from it: the original at the end of the chain. So taking one merge
apart changes one decision, and everything that was merged below it comes along, as it was before.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext

from triage.journal import NotNow
from triage.lifecycle import Status
from triage.models import Event, Ticket

_LOCK = 7_040_001
# What merging changes about a ticket, and taking the merge apart puts back. Whatever else was decided meanwhile stays.
_CHANGED = ("status", "resolution", "resolution_reason", "resolved_at", "snoozed_until", "triaged_at")
_TIMES = frozenset({"resolved_at", "snoozed_until", "triaged_at"})

_LEAD_ANEW = """
WITH RECURSIVE up AS (
    SELECT id, merged_into_id FROM triage_ticket WHERE id = %(ticket)s
    UNION SELECT t.id, t.merged_into_id FROM triage_ticket AS t JOIN up ON t.id = up.merged_into_id
), below AS (
    SELECT id FROM triage_ticket WHERE merged_into_id = %(ticket)s
    UNION SELECT t.id FROM triage_ticket AS t JOIN below ON t.merged_into_id = below.id
), original AS (
    SELECT id FROM up WHERE merged_into_id IS NULL
), led AS (
    UPDATE triage_ticket AS t SET duplicate_of_id = original.id FROM original
    WHERE (t.id IN (SELECT id FROM below) OR t.id = %(ticket)s AND t.merged_into_id IS NOT NULL)
        AND t.duplicate_of_id IS DISTINCT FROM original.id
)
SELECT id FROM original
"""


def hold() -> None:
    """Let no other merge happen until this transaction ends: two that meet could close a circle that neither of them sees."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def original_of(ticket: Ticket) -> Ticket:
    """The ticket itself, or the original that it was merged into, as of now; call it while holding."""
    leads = Ticket.objects.filter(pk=ticket.pk).values_list("duplicate_of", flat=True).get()
    return Ticket.objects.get(pk=leads) if leads else ticket


def lead_anew(ticket: Ticket) -> None:
    """Everything merged below this ticket, and the ticket itself, lead to where its chain now ends. Call it while holding, after
    the ticket's own link has changed. No version counts it: nothing was decided about those tickets."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAD_ANEW, {"ticket": ticket.pk})
        if cursor.fetchone() is None:
            raise NotNow(
                gettext(
                    "The original of %(reference)s was itself merged into it meanwhile. Take that merge apart first."
                )
                % {"reference": ticket.reference}
            )


def before_merge(ticket: Ticket) -> Mapping[str, Any]:
    """What the merge changed, as it was before; a ticket whose merge left no trace was simply open."""
    merges = Event.objects.filter(ticket=ticket, type=Event.Type.MERGED, undone_by=None)
    before = merges.order_by("-id").values_list("data__before", flat=True).first()
    if not before:
        return {"status": Status.OPEN, "resolution": "", "resolution_reason": "", "resolved_at": None}
    return {
        name: datetime.fromisoformat(before[name]) if name in _TIMES and before[name] else before[name]
        for name in _CHANGED
        if name in before
    }
