"""The other tickets of an item that several teams work on, as each of them shows it beside its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext

from feedback_portal.accounts.models import Membership, Role
from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import in_a_line
from triage.lifecycle import Resolution, Status
from triage.models import Event, Ticket

FOR_EVERY_TEAM = frozenset(
    {
        Event.Type.RECEIVED,
        Event.Type.CHANGED,
        Event.Type.RECEIPT,
        Event.Type.REPLY,
        Event.Type.CUSTOMER_REPLIED,
        Event.Type.SPLIT,
        Event.Type.RESOLVED,
        Event.Type.REOPENED,
        Event.Type.CUSTOMER_TOLD,
        Event.Type.SCORE,
    }
)
"""What every team that works on an item is told of the others: how it became theirs, and what its customer knows as well."""


@dataclass(frozen=True)
class Beside:
    """The other tickets of an item: those that exist for the reader in full, of the others only whose they are."""

    shown: Sequence[dict[str, Any]]
    hidden: frozenset[int]
    """The row numbers of those that do not exist for the reader."""


def beside(ticket: Ticket, actor: Actor) -> Beside:
    others = list(
        Ticket.objects.filter(item=ticket.item_id)
        .exclude(pk=ticket.pk)
        .select_related("team", "assignee")
        .only("status", "resolution", "team__name", "assignee__name", "assignee__email")
        .order_by("pk")
    )
    hidden = [other for other in others if not actor.may_see(other.team_id)]
    leads = _leads([other.team_id for other in hidden])
    return Beside(
        [_stub(other, leads) if other in hidden else _told(other) for other in others],
        frozenset(other.pk for other in hidden),
    )


def _told(other: Ticket) -> dict[str, Any]:
    state = Resolution(other.resolution).label if other.resolution else Status(other.status).label
    return {
        "team": other.team.name,
        "reference": other.reference,
        "url": f"{reverse('triage:workbench')}?item={other.reference}",
        "detail": in_a_line(state, other.assignee),
    }


def _stub(other: Ticket, leads: dict[int, str]) -> dict[str, Any]:
    whom = leads.get(other.team_id)
    return {
        "team": other.team.name,
        "reference": "",
        "url": "",
        "detail": gettext("Ask %(name)s") % {"name": whom} if whom else gettext("Ask somebody of this team"),
    }


def _leads(teams: Sequence[int]) -> dict[int, str]:
    if not teams:
        return {}
    leading = Membership.objects.filter(Q(is_lead=True) | Q(user__role=Role.LEAD), team__in=teams, user__is_active=True)
    return {each.team_id: str(each.user) for each in leading.select_related("user").order_by("-user__name")}
