"""A ticket that nobody decided about in time is brought before whoever leads its team, once for each deadline."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef

from feedback_portal.accounts.models import Role, User
from triage.models import Event, Ticket
from triage.routing.workload import Crew
from triage.telling import notices

FRESH: Final = timedelta(days=1)
"""What was late before it came, as in an import of last year, is nobody's breach."""
_AT_ONCE = 500


@transaction.atomic
def escalate(*, at: datetime) -> int:
    """Tell of every deadline that has passed since it was last looked; how many tickets. A lead who is away is stood in for; where
    nobody leads a team, managers are told."""
    told = Event.objects.filter(ticket=OuterRef("pk"), type=Event.Type.ESCALATED, occurred_at=OuterRef("due_at"))
    late = (
        Ticket.objects.undecided()
        .filter(~Exists(told), triaged_at=None, due_at__gt=at - FRESH, due_at__lte=at)
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("due_at", "pk")
    )
    tickets = list(late.defer("explanation")[:_AT_ONCE])
    if not tickets:
        return 0
    crew = Crew.load(at=at)
    managers = list(User.objects.filter(is_active=True, role=Role.MANAGER).values_list("pk", flat=True))
    answering = {team: _answering(crew, team) or managers for team in {ticket.team_id for ticket in tickets}}
    Event.objects.bulk_create(
        Event(
            item_id=ticket.item_id,
            ticket=ticket,
            type=Event.Type.ESCALATED,
            source=Event.Source.SYSTEM,
            data={"to": answering[ticket.team_id]},
            occurred_at=ticket.due_at,
        )
        for ticket in tickets
    )
    notices.tell_late(((person, ticket) for ticket in tickets for person in answering[ticket.team_id]), at=at)
    return len(tickets)


def _answering(crew: Crew, team: int) -> list[int]:
    leads = (crew.people[pk] for pk in crew.leads.get(team, ()))
    given = [crew.instead_of(lead, team).person or lead for lead in leads]
    return sorted({person.pk for person in given})
