"""Several teams on one item, each with a ticket and a state of its own: how the second comes to be, and when all are done."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import ticket_number
from feedback_portal.refusals import BadInput, InputError
from intake.cleaning import clean_text
from intake.models import FeedbackItem
from triage.deadlines import Deadlines
from triage.journal import NotNow, touch
from triage.lifecycle import Resolution
from triage.live.bulletins import tell_arrived
from triage.models import Event, Tagging, Ticket
from triage.routing.reasons import kept

LONGEST_QUOTE = 2000
LONGEST_NOTE = 10_000
MOST_TICKETS = 8
"""So many teams may work on one item."""


def split(ticket: Ticket, *, by: Actor, at: datetime, team: str, text: str = "", note: str = "") -> None:
    """Make a ticket for another team on the same item; both go on by themselves, and this one stays as it is.

    `text` is the part of the message that is meant, in its own words; `note` is for colleagues. The other team's time
    begins now, for only now it hears of it.
    """
    if ticket.resolution == Resolution.DUPLICATE:
        raise NotNow(
            gettext("%(reference)s is a duplicate. Split the original instead.") % {"reference": ticket.reference}
        )
    target = Team.objects.filter(slug=team, is_active=True).select_related("stage").first()
    if target is None:
        raise _wrong("team", gettext("There is no such team. Choose one from the list."))
    has_one = list(Ticket.objects.filter(item=ticket.item_id).values_list("team_id", flat=True))
    if target.pk in has_one:
        raise _wrong(
            "team",
            gettext("%(name)s has a ticket for this item already. Note there what is missing.") % {"name": target.name},
        )
    if len(has_one) >= MOST_TICKETS:
        raise _wrong(
            "team",
            gettext("%(most_tickets)s teams work on this item already. Route one of their tickets instead.")
            % {"most_tickets": MOST_TICKETS},
        )
    quote = _quote(ticket, text)
    why = kept("split", **{"who": by.name, "from": ticket.reference, "team": target.name})
    said = {"quote": quote} if quote else {}
    topics = Tagging.objects.standing().filter(item=ticket.item_id).values_list("topic__slug", flat=True)
    try:
        with transaction.atomic():
            other = Ticket.objects.create(
                item_id=ticket.item_id,
                team=target,
                stage=target.stage,
                severity=ticket.severity,
                rank=ticket.rank,
                due_at=Deadlines.load().due(at, team=target, topics=set(topics), severity=ticket.severity).at,
                explanation={
                    "by": "split",
                    "rule": None,
                    "topic": None,
                    "from": ticket.reference,
                    **why,
                }
                | said,
                received_at=ticket.received_at,
            )
    except IntegrityError:
        raise NotNow(
            gettext("%(name)s got a ticket for this item in this moment. Reload it and look again.")
            % {"name": target.name}
        ) from None
    told: dict[str, Any] = {"team": target.slug, "into": other.reference, **said}
    if note := clean_text(note if isinstance(note, str) else "", longest=LONGEST_NOTE):
        told["text"] = note
    touch(ticket, [(Event.Type.SPLIT, told)], by=by, at=at)
    tell_arrived([target.pk])


def take_back(ticket: Ticket, done: Sequence[Event]) -> None:
    """Take back the splits among these events of a ticket: the other ticket goes as if it had never been, which only one that
    nobody has touched can."""
    for event in done:
        if event.type != Event.Type.SPLIT:
            continue
        number = ticket_number(str(event.data.get("into", "")))
        rows = Ticket.objects.select_for_update().filter(item=ticket.item_id)
        other = rows.filter(pk=number).first() if number else None
        if other is None:
            continue
        if other.version != 1 or other.events.exists() or other.notifications.exists() or other.action_links.exists():
            raise NotNow(
                gettext("%(name)s has worked on %(reference)s since. Ask them, or resolve it there.")
                % {"name": other.team.name, "reference": other.reference}
            )
        other.delete()


def hold(ticket: Ticket) -> None:
    """For the rest of the transaction nobody else ends work on this item: of two teams that finish at once, the second
    knows of the first. Whoever only writes about the item is not held up."""
    FeedbackItem.objects.select_for_update(no_key=True, of=("self",)).values_list("pk").get(pk=ticket.item_id)


def outcomes(ticket: Ticket, *, silent: bool = False) -> list[Ticket]:
    """What its customer can be told once no team works on the item any more, this ticket's part first; empty until then.

    Not among them: spam, a duplicate (its original's outcome is told), and what somebody resolved without telling.
    """
    together = list(Ticket.objects.filter(item=ticket.item_id).select_related("team").order_by("pk"))
    if any(each.is_open for each in together):
        return []
    others = [each.pk for each in together if each.pk != ticket.pk]
    resolved = Event.objects.filter(ticket__in=others, type=Event.Type.RESOLVED).order_by("id") if others else []
    quiet = {event.ticket_id: event.data.get("tell") is False for event in resolved} | {ticket.pk: silent}
    told = [
        each
        for each in together
        if each.resolution not in {Resolution.SPAM, Resolution.DUPLICATE} and not quiet.get(each.pk, False)
    ]
    return sorted(told, key=lambda each: (each.pk != ticket.pk, each.pk))


def _quote(ticket: Ticket, text: str) -> str:
    quote = " ".join(clean_text(text if isinstance(text, str) else "", longest=LONGEST_QUOTE).split())
    item = ticket.item
    if quote and quote not in " ".join(f"{item.title} {item.text}".split()):
        raise _wrong(
            "text",
            gettext("These words do not stand in the message. Copy them from it as they are, or leave this empty."),
        )
    return quote


def _wrong(path: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(path, message),))
