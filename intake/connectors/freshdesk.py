"""Freshdesk: tickets, conversations and satisfaction ratings from automation webhooks, the API and exports."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parseaddr
from functools import partial
from typing import Any
from urllib.parse import quote

from intake.connectors import connectors
from intake.connectors.base import Call, Draft, Ignored, Remark, Setting, Unreadable
from intake.connectors.desks import (
    SHARED_SECRET,
    Desk,
    Piece,
    all_gone,
    at_customers,
    broken,
    check_shared,
    facts,
    moment,
    person,
    web_page,
)
from intake.connectors.documents import at, list_at, rated, text_at
from intake.connectors.markup import text_of, text_of_html

_SOURCES = {"1": "email", "2": "portal", "3": "phone", "7": "chat", "9": "widget", "10": "outbound"}
_STATUSES = {"2": "open", "3": "pending", "4": "resolved", "5": "closed"}
_PRIORITIES = {"1": "low", "2": "medium", "3": "high", "4": "urgent"}
_CSAT = {"103": 5, "102": 5, "101": 4, "100": 3, "-101": 2, "-102": 1, "-103": 1}
_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}(\.[a-z0-9-]{1,63}){0,5}\Z")


@connectors.register
class Freshdesk(Desk):
    slug = "freshdesk"
    name = "Freshdesk"
    asks = (Setting("domain", "Domain", help='The "acme" of acme.freshdesk.com, for links to tickets.'), SHARED_SECRET)

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        check_shared(call, secrets)

    def pieces(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[Piece]:
        if isinstance(found, list):
            for each in found:
                yield from self.pieces(each, settings=settings)
        elif not isinstance(found, dict):
            yield broken(found, "It is no ticket of Freshdesk. Send tickets as the API or an export gives them.")
        elif "freshdesk_webhook" in found:
            yield _hooked(found)
        elif "ratings" in found:
            yield _rating(found)
        elif "incoming" in found or "ticket_id" in found:
            yield _conversation(found)
        elif "subject" in found or "description_text" in found or "requester_id" in found:
            yield from _ticket(found, settings)
        elif "domains" in found:
            raise at_customers("companies")
        elif "email" in found:
            raise at_customers("contacts")
        else:
            yield from self._wrapped(found, settings)

    def _wrapped(self, found: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Piece]:
        inside = [found[name] for name in ("tickets", "results", "helpdesk_ticket", "ticket") if name in found]
        if not inside:
            raise Unreadable(
                "It holds no tickets, conversations or ratings of Freshdesk. Send them as the API or an export gives them."
            )
        for each in inside:
            yield from self.pieces(each, settings=settings)


def _ticket(ticket: dict[str, Any], settings: Mapping[str, Any]) -> Iterator[Piece]:
    """A ticket, and the conversations that were fetched with it."""
    number = text_at(ticket, "id") or text_at(ticket, "display_id")
    if not number:
        yield broken(ticket, "It is a ticket without an id. Send tickets as Freshdesk's API gives them.")
        return
    whole = Piece(
        number,
        {name: value for name, value in ticket.items() if name != "conversations"},
        partial(_ticket_draft, ticket, number, settings),
        moment(text_at(ticket, "updated_at"), text_at(ticket, "created_at")),
    )
    inside = list_at(ticket, "conversations")
    said = [_conversation({"ticket_id": number, **each} if isinstance(each, dict) else each) for each in inside]
    yield from all_gone([whole, *said]) if at(ticket, "deleted", default=False) is True else [whole, *said]


def _ticket_draft(ticket: Any, number: str, settings: Mapping[str, Any]) -> Draft:
    source = text_at(ticket, "source")
    if _SOURCES.get(source) == "outbound":
        raise Ignored("An agent wrote this ticket to the customer.")
    if at(ticket, "spam", default=False) is True:
        raise Ignored("Freshdesk holds this ticket for spam.")
    status, priority = text_at(ticket, "status"), text_at(ticket, "priority")
    return Draft(
        text=text_at(ticket, "description_text").strip() or text_of_html(text_at(ticket, "description")),
        title=text_at(ticket, "subject"),
        sender=person(
            "freshdesk",
            number=text_at(ticket, "requester", "id") or text_at(ticket, "requester_id"),
            own_id=text_at(ticket, "requester", "unique_external_id"),
            email=text_at(ticket, "requester", "email") or text_at(ticket, "email"),
            name=text_at(ticket, "requester", "name") or text_at(ticket, "name"),
            account=_account(text_at(ticket, "company", "id") or text_at(ticket, "company_id")),
            account_name=text_at(ticket, "company", "name"),
        ),
        language=text_at(ticket, "requester", "language"),
        url=_shown(number, settings),
        submitted_at=moment(text_at(ticket, "created_at")),
        context=facts(
            {
                "came by": _SOURCES.get(source, source),
                "ticket": number,
                "type": text_at(ticket, "type"),
                "priority": _PRIORITIES.get(priority, priority),
                "status": _STATUSES.get(status, status),
                "tags": list_at(ticket, "tags"),
            }
        ),
        thread=number,
    )


def _conversation(said: Any) -> Piece:
    number = text_at(said, "id")
    if not number:
        return broken(said, "It is a conversation without an id. Send conversations as Freshdesk's API gives them.")
    updated_at = moment(text_at(said, "updated_at"), text_at(said, "created_at"))
    return Piece(f"conversation:{number}", said, partial(_conversation_draft, said), updated_at)


def _conversation_draft(said: Any) -> Draft:
    if at(said, "private", default=False) is True:
        raise Ignored("It is a private note.")
    if at(said, "incoming", default=False) is not True:
        raise Ignored("It is an agent's answer.")
    name, email = parseaddr(text_at(said, "from_email"))
    ticket = text_at(said, "ticket_id")
    return Draft(
        text=text_at(said, "body_text").strip() or text_of_html(text_at(said, "body")),
        sender=person("freshdesk", number=text_at(said, "user_id"), email=email, name=name),
        submitted_at=moment(text_at(said, "created_at")),
        context=facts({"ticket": ticket}),
        thread=ticket,
        reply_to=ticket,
    )


def _rating(found: dict[str, Any]) -> Piece:
    number = text_at(found, "id")
    if not number:
        return broken(found, "It is a rating without an id. Send ratings as Freshdesk's API gives them.")
    updated_at = moment(text_at(found, "updated_at"), text_at(found, "created_at"))
    return Piece(f"rating:{number}", found, partial(_rating_draft, found), updated_at)


def _rating_draft(found: Any) -> Draft:
    answers = at(found, "ratings", default={})
    answers = answers if isinstance(answers, dict) else {}
    sent, ticket = text_at(answers, "default_question"), text_at(found, "ticket_id")
    rating, remarks = rated("csat5", _CSAT.get(sent))
    if sent and rating is None:
        remarks = (Remark("default_question", f'"{sent[:40]}" is no rating that Freshdesk gives.'),)
    others = {name.replace("_", " "): value for name, value in answers.items() if name != "default_question"}
    return Draft(
        text=text_of(text_at(found, "feedback")).strip(),
        rating=rating,
        sender=person("freshdesk", number=text_at(found, "user_id")),
        submitted_at=moment(text_at(found, "created_at")),
        context=facts({**others, "rating as sent": sent, "ticket": ticket}),
        remarks=remarks,
        thread=ticket,
        reply_to=ticket,
    )


def _hooked(found: dict[str, Any]) -> Piece:
    """What an automation rule sends: its members are chosen by hand, so any of them may be missing."""
    ticket = found["freshdesk_webhook"]
    number = text_at(ticket, "ticket_id").removeprefix("#")
    if not number:
        return broken(
            found, 'The automation rule sends no "ticket_id". Add the ticket\'s ID to the content of the webhook.'
        )
    return Piece(
        number,
        found,
        partial(_hooked_draft, ticket, number),
        moment(text_at(ticket, "ticket_updated_at"), text_at(ticket, "ticket_created_at")),
    )


def _hooked_draft(ticket: Any, number: str) -> Draft:
    return Draft(
        text=text_of(text_at(ticket, "ticket_description")).strip(),
        title=text_at(ticket, "ticket_subject"),
        sender=person(
            "freshdesk",
            number=text_at(ticket, "ticket_requester_id"),
            email=text_at(ticket, "ticket_requester_email"),
            name=text_at(ticket, "ticket_requester_name"),
        ),
        product=text_at(ticket, "ticket_product_name"),
        url=web_page(text_at(ticket, "ticket_url")),
        submitted_at=moment(text_at(ticket, "ticket_created_at")),
        context=facts(
            {
                "came by": text_at(ticket, "ticket_source").lower(),
                "ticket": number,
                "type": text_at(ticket, "ticket_type"),
                "priority": text_at(ticket, "ticket_priority").lower(),
                "status": text_at(ticket, "ticket_status").lower(),
                "tags": text_at(ticket, "ticket_tags"),
            }
        ),
        thread=number,
    )


def _account(number: str) -> str:
    return number and f"freshdesk:{number}"


def _shown(number: str, settings: Mapping[str, Any]) -> str:
    domain = str(settings.get("domain", "")).strip().lower()
    if not _DOMAIN.match(domain):
        return ""
    host = domain if "." in domain else f"{domain}.freshdesk.com"
    return f"https://{host}/a/tickets/{quote(number, safe='')}"
