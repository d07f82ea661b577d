"""Claim next: the most urgent ticket of one's teams that nobody has and nobody looks at."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from triage import decisions
from triage.decisions import NotNow
from triage.models import Presence, Ticket
from triage.models.tickets import QUEUE_ORDER


def claim_next(*, by: Actor, at: datetime) -> Ticket:
    """The ticket, which is now this person's. Who looks at one may have lost their connection, so that it is free is asked
    again under its lock; what a colleague claims in this moment is skipped. Raises `NotNow` when nothing is left."""
    watched = Presence.objects.here(at).filter(ticket=OuterRef("pk")).exclude(person=by.user)
    with transaction.atomic():
        free = (
            Ticket.objects.undecided()
            .filter(team__in=by.team_ids, assignee=None)
            .filter(~Exists(watched))
            .order_by(*QUEUE_ORDER)
            .select_for_update(skip_locked=True, of=("self",))
            .first()
        )
        if free is None:
            raise NotNow(
                gettext(
                    "Nothing waits for your teams that nobody has or looks at. New feedback appears here by itself."
                )
            )
        return decisions.decide(free.reference, "claim", by=by, at=at, version=free.version)
