"""Words that a team writes again and again, with slots that are filled for the item at hand."""

import re
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotFound
from triage import inputs, notifications
from triage.models import Snippet, Ticket

MOST: Final = 100
"""So many snippets one team keeps."""
SLOTS: Final[Mapping[str, str]] = {
    "{customer}": marked("the customer's name"),
    "{reference}": marked("the code the customer knows"),
    "{me}": marked("your name"),
    "{team}": marked("the team's name"),
    "{organisation}": marked("the organisation's name"),
}

_SLOT: Final = re.compile("|".join(map(re.escape, SLOTS)))


def filled(ticket: Ticket, *, by: Actor) -> list[tuple[str, str]]:
    """Name and words of each snippet of the ticket's team, for this ticket; its item and customer must be loaded."""
    customer = ticket.item.customer
    slots = {
        "{customer}": notifications.plain_name(customer.name) if customer else "",
        "{reference}": ticket.item.reference,
        "{me}": by.name,
        "{team}": ticket.team.name,
        "{organisation}": settings.ORGANISATION,
    }
    rows = Snippet.objects.filter(team=ticket.team_id).order_by("name", "pk").values_list("name", "text")
    return [(name, _fill(text, slots)) for name, text in rows[:MOST]]


def teams(*, by: Actor) -> list[Team]:
    """Whose snippets this actor writes: those of their own teams."""
    rows = Team.objects.filter(is_active=True).prefetch_related("snippets").order_by("name")
    return list(rows if by.sees_everything else rows.filter(pk__in=by.team_ids))


def keep(given: Mapping[str, Any], *, by: Actor) -> Snippet:
    """A new snippet of a team, or other words for the one of that name."""
    values = inputs.read(given, _FIELDS, required=("team", "name", "text"))
    team = Team.objects.filter(slug=values.pop("team"), is_active=True).first()
    if team is None or not by.may_see(team):
        raise BadInput(
            gettext("There is no such team."), errors=(InputError("team", gettext("Choose one of your teams.")),)
        )
    if not values["text"]:
        raise BadInput(gettext("Write the words."), errors=(InputError("text", gettext("Write the words.")),))
    rows = Snippet.objects.filter(team=team)
    if rows.count() >= MOST and not rows.filter(name=values["name"]).exists():
        raise BadInput(
            gettext("%(name)s keeps %(most)s snippets already. Delete one of them first.")
            % {"name": team.name, "most": MOST}
        )
    try:
        with transaction.atomic():
            return Snippet.objects.update_or_create(team=team, name=values["name"], defaults=values)[0]
    except IntegrityError:
        raise BadInput(gettext("Somebody kept one of this name in this moment. Look at theirs first.")) from None


def delete(number: int, *, by: Actor) -> None:
    snippet = Snippet.objects.select_related("team").filter(pk=number).first()
    if snippet is None or not by.may_see(snippet.team_id):
        raise NotFound(gettext("There is no such snippet, or it is another team's."))
    snippet.delete()


def _fill(text: str, slots: Mapping[str, str]) -> str:
    # In one go: what fills a slot has none.
    return _SLOT.sub(lambda found: slots[found[0]], text)


_FIELDS: Mapping[str, inputs.Reader] = {
    "team": inputs.line(40, marked("Choose a team.")),
    "name": inputs.line(60, marked("Give it a name.")),
    "text": inputs.prose(5_000),
}
