"""What an open page asks for when something happened: counts, what is new, who is about, what became of the open item."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import ticket_code, ticket_number
from feedback_portal.refusals import Refused
from triage.deeds import sentence_of
from triage.finding import counts_by_tab, matching, search
from triage.live import presence
from triage.models import Event, Presence, Ticket
from triage.views.queue import Asked, age, new_since
from triage.views.rail import MOST_COUNTED, capped

EVENTS = "/triage/events/"
# What the portal does in the wake of a decision changes nothing that a reader could decide otherwise.
_NO_NEWS = frozenset({Event.Type.RECEIVED, Event.Type.RECEIPT, Event.Type.CUSTOMER_TOLD, Event.Type.ESCALATED})


def news(asked: Asked, actor: Actor, *, at: datetime, item: str, seen: str) -> dict[str, Any]:
    """The context of `_live.html`. `seen` is the last event that the page shows of its open item."""
    try:
        found = matching(search.parse(asked.q), actor, at=at)
        shown: dict[str, Any] = new_since(asked, actor, at=at)
        tabs = counts_by_tab(found, actor, most=MOST_COUNTED)
    except Refused:  # a search that nobody understands finds nothing, whatever happens
        shown, tabs = {}, {}
    last = int(seen) if seen.isdecimal() and len(seen) < 19 else 0
    sentence = last_deed(item, actor, at=at, since=last) if item else ""
    return {
        "queue": shown,
        "tab_counts": [(name, capped(count)) for name, count in tabs.items()],
        "changed": {"sentence": sentence, "url": asked.url(item=item)} if sentence else None,
    } | present(actor, at=at, item=item)


def last_deed(reference: str, actor: Actor, *, at: datetime, since: int = 0) -> str:
    """What somebody else did last with it, after the event `since`; empty when that is nothing."""
    ticket = Ticket.objects.visible_to(actor).filter(pk=ticket_number(reference) or 0).first()
    if ticket is None:
        gone = gettext("%(reference)s is not with your teams any more, so there is nothing left to decide here.")
        return gone % {"reference": reference}
    events = ticket.events.filter(pk__gt=since).exclude(type__in=_NO_NEWS).exclude(person=actor.user)
    last = events.order_by("-pk").select_related("person", "key", "item__customer").first()
    if last is None:
        return ""
    return gettext("%(deed)s %(ago)s.") % {"deed": sentence_of(last), "ago": _ago(last.occurred_at, at)}


def present(actor: Actor, *, at: datetime, item: str) -> dict[str, Any]:
    """The context of `_present.html`: colleagues by ticket, and those at the open item."""
    others = presence.others(actor, at=at)
    rows = [(ticket_code(ticket), [_person(row) for row in here]) for ticket, here in others.items()]
    return {"present": rows, "here": dict(rows).get(item, [])}


def at_item(ticket: Ticket, actor: Actor, *, at: datetime) -> list[dict[str, Any]]:
    """Colleagues at this ticket, as in `_here.html`."""
    return [_person(row) for row in presence.others(actor, at=at, tickets=[ticket.pk]).get(ticket.pk, [])]


def show_present(listed: dict[str, Any], actor: Actor, *, at: datetime) -> None:
    """Put colleagues into the rows of a queue that is about to be shown."""
    rows = {row["reference"]: row for group in listed["groups"] for row in group["rows"]}
    for reference, people in present(actor, at=at, item="")["present"]:
        if reference in rows:
            rows[reference]["here"] = people


def events_address(request: HttpRequest) -> str:
    """Where the page connects: below its own address, or on one machine without a proxy at another port of the same host."""
    if not settings.EVENTS_PORT:
        return EVENTS
    host = urlsplit(f"//{request.get_host()}").hostname or "localhost"
    return f"{request.scheme}://{f'[{host}]' if ':' in host else host}:{settings.EVENTS_PORT}{EVENTS}"


def _person(row: Presence) -> dict[str, Any]:
    person = row.person
    return {
        "name": str(person),
        "initials": person.initials,
        "colour": person.colour,
        "doing": row.doing,
        "words": row.get_doing_display(),
        "is_busy": row.doing in {Presence.Doing.REPLYING, Presence.Doing.EDITING},
    }


def _ago(earlier: datetime, later: datetime) -> str:
    seconds = max(0, int((later - earlier).total_seconds()))
    since = gettext("%(count)s s") % {"count": seconds} if seconds < 60 else age(earlier, later)
    return gettext("%(age)s ago") % {"age": since}
