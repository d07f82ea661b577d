"""Intercom: conversations with their parts and ratings, and tickets, from webhooks and the API."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from intake.connectors import connectors
from intake.connectors.base import Call, Draft, Ignored, Sender, Setting
from intake.connectors.desks import (
    Desk,
    Piece,
    all_gone,
    at_customers,
    broken,
    facts,
    moment,
    passed_over,
    person,
    web_page,
)
from intake.connectors.documents import at as value_at
from intake.connectors.documents import list_at, rated, text_at
from intake.connectors.markup import text_of, text_of_html
from intake.connectors.signatures import check

_CUSTOMERS = frozenset(["user", "lead", "contact"])
_CRM = {"contact": "contacts", "user": "contacts", "lead": "contacts", "company": "companies"}


@connectors.register
class Intercom(Desk):
    slug = "intercom"
    name = "Intercom"
    # A second try counts its tries inside the body, so the bytes differ.
    call_id = ("id",)
    asks = (
        Setting(
            "signing_secret",
            "Client secret",
            help="Of the app that sends the webhooks: Developer Hub, Basic information. Without it calls are refused.",
            is_secret=True,
        ),
    )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        given, secret = call.headers.get("x-hub-signature", ""), secrets.get("signing_secret", "")
        check(given, secret, call.body, prefix="sha1=", digest="sha1", encoding="hex")

    def pieces(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[Piece]:
        kind = text_at(found, "type")
        if isinstance(found, list):
            for each in found:
                yield from self.pieces(each, settings=settings)
        elif kind == "notification_event":
            yield from self._event(found)
        elif kind in ("conversation", "ticket"):
            yield from _conversation(found) if kind == "conversation" else _ticket(found)
        elif kind in ("conversation_part", "ticket_part"):
            yield _part(found)
        elif isinstance(value_at(found, "conversation_rating"), dict):
            yield _rating(found)
        elif kind in _CRM:
            raise at_customers(_CRM[kind])
        elif kind == "list" or kind.endswith(".list"):
            for name in ("data", "conversations", "tickets", "conversation_parts", "ticket_parts"):
                yield from self.pieces(list_at(found, name), settings=settings)
        elif kind:
            yield passed_over(found, f'An object of the type "{kind[:80]}" holds no feedback.')
        else:
            yield broken(found, "It is no conversation of Intercom. Send conversations as the API gives them.")

    def _event(self, found: dict[str, Any]) -> Iterator[Piece]:
        topic, item = text_at(found, "topic"), value_at(found, "data", "item", default={})
        number = text_at(item, "id")
        if topic in ("conversation.deleted", "ticket.deleted") and number:
            # There is no telling whether it was rated; an id under which nothing lies is marked and harms nobody.
            rating = Piece(f"rating:{number}", found, Draft, moment(value_at(found, "created_at")))
            pieces = _conversation({**item, "conversation_rating": None})
            yield from all_gone([*pieces, rating])
        elif text_at(item, "type") == "conversation":
            yield from _conversation(item)
        elif text_at(item, "type") == "ticket":
            yield from _ticket(item)
        elif isinstance(value_at(item, "ticket"), dict):
            yield from _ticket(item["ticket"])
        elif topic == "ping":
            yield passed_over(found, "It is Intercom asking whether anybody is there.")
        else:
            yield passed_over(found, f'The event "{topic[:80]}" holds no conversation.')


def _conversation(whole: dict[str, Any]) -> Iterator[Piece]:
    """What began the conversation, each part of it, and the rating it was given."""
    number = text_at(whole, "id")
    if not number:
        yield broken(whole, "It is a conversation without an id. Send conversations as Intercom's API gives them.")
        return
    updated_at = moment(value_at(whole, "updated_at"), value_at(whole, "created_at"))
    yield Piece(
        number,
        {name: value for name, value in whole.items() if name not in ("conversation_parts", "conversation_rating")},
        partial(_begun, whole),
        updated_at,
        is_gone=_is_redacted(value_at(whole, "source")),
    )
    about = {"id": number, "contacts": value_at(whole, "contacts", default=None)}
    for part in list_at(whole, "conversation_parts", "conversation_parts"):
        yield _part({**part, "conversation": about} if isinstance(part, dict) else part)
    rating = value_at(whole, "conversation_rating", default=None)
    if isinstance(rating, dict) and value_at(rating, "rating") != "":
        author = value_at(whole, "source", "author", default=None)
        yield _rating({"conversation": about, "author": author, "conversation_rating": rating}, updated_at)


def _begun(whole: Any) -> Draft:
    author = value_at(whole, "source", "author", default={})
    if text_at(author, "type") not in _CUSTOMERS:
        raise Ignored("It was begun by us, not by the customer.")
    number = text_at(whole, "id")
    return Draft(
        text=text_of_html(text_at(whole, "source", "body")),
        title=text_of(text_at(whole, "title") or text_at(whole, "source", "subject")).strip(),
        sender=_sender(author, whole),
        url=web_page(text_at(whole, "source", "url")),
        submitted_at=moment(value_at(whole, "created_at")),
        context=facts(
            {
                "came by": text_at(whole, "source", "type"),
                "conversation": number,
                "status": text_at(whole, "state"),
                "tags": _tags(whole),
            }
        ),
        thread=number,
    )


def _part(part: Any) -> Piece:
    number = text_at(part, "id")
    if not number:
        return broken(part, "It is a part without an id. Send conversations as Intercom's API gives them.")
    kind = "ticket_part" if text_at(part, "type") == "ticket_part" else "conversation_part"
    return Piece(
        f"part:{number}",
        {**part, "type": kind},
        partial(_part_draft, part),
        moment(value_at(part, "updated_at"), value_at(part, "created_at")),
        is_gone=_is_redacted(part),
    )


def _part_draft(part: Any) -> Draft:
    author, thread = value_at(part, "author", default={}), text_at(part, "conversation", "id")
    if text_at(part, "part_type") in ("note", "note_and_reopen"):
        raise Ignored("It is a private note.")
    if text_at(author, "type") not in _CUSTOMERS:
        raise Ignored("It is an agent's answer, or a change that nobody put in words.")
    return Draft(
        text=text_of_html(text_at(part, "body")),
        sender=_sender(author, value_at(part, "conversation", default={})),
        submitted_at=moment(value_at(part, "created_at")),
        context=facts({"conversation": thread}),
        thread=thread,
        reply_to=thread,
    )


def _rating(found: dict[str, Any], updated_at: datetime | None = None) -> Piece:
    number, rating = text_at(found, "conversation", "id"), found["conversation_rating"]
    if not number:
        return broken(found, "It is a rating of no conversation. Send conversations as Intercom's API gives them.")
    given_at = moment(value_at(rating, "updated_at"), value_at(rating, "created_at"))
    return Piece(f"rating:{number}", found, partial(_rating_draft, found, number), given_at or updated_at)


def _rating_draft(found: Any, number: str) -> Draft:
    rating = value_at(found, "conversation_rating")
    value, remarks = rated("csat5", value_at(rating, "rating"))
    by, author = text_at(rating, "contact", "id"), value_at(found, "author", default={})
    return Draft(
        text=text_of(text_at(rating, "remark")).strip(),
        rating=value,
        sender=_sender(
            author if text_at(author, "id") == by else {"id": by}, value_at(found, "conversation", default={})
        ),
        submitted_at=moment(value_at(rating, "created_at")),
        context=facts({"rating as sent": text_at(rating, "rating"), "conversation": number}),
        remarks=remarks,
        thread=number,
        reply_to=number,
    )


def _ticket(ticket: dict[str, Any]) -> Iterator[Piece]:
    number = text_at(ticket, "id")
    if not number:
        yield broken(ticket, "It is a ticket without an id. Send tickets as Intercom's API gives them.")
        return
    holds = {name: value for name, value in ticket.items() if name != "ticket_parts"} | {"type": "ticket"}
    updated_at = moment(value_at(ticket, "updated_at"), value_at(ticket, "created_at"))
    # Tickets and conversations are numbered together, so they need no names to be told apart.
    yield Piece(number, holds, partial(_ticket_draft, ticket), updated_at)
    about = {"id": number, "contacts": value_at(ticket, "contacts", default=None)}
    for part in list_at(ticket, "ticket_parts", "ticket_parts"):
        yield _part({**part, "type": "ticket_part", "conversation": about} if isinstance(part, dict) else part)


def _ticket_draft(ticket: Any) -> Draft:
    category, number = text_at(ticket, "category") or text_at(ticket, "ticket_type", "category"), text_at(ticket, "id")
    if category.lower() in ("back-office", "tracker"):
        raise Ignored("It is a ticket that agents keep among themselves.")
    contact = value_at(ticket, "contacts", "contacts", 0, default={})
    said = value_at(ticket, "ticket_attributes", default={})
    return Draft(
        text=text_of(text_at(said, "_default_description_")).strip(),
        title=text_at(said, "_default_title_"),
        sender=_sender(contact, ticket),
        submitted_at=moment(value_at(ticket, "created_at")),
        context=facts(
            {
                "ticket": text_at(ticket, "ticket_id"),
                "type": text_at(ticket, "ticket_type", "name"),
                "status": text_at(ticket, "ticket_state", "category") or text_at(ticket, "ticket_state"),
            }
        ),
        thread=number,
    )


def _sender(author: Any, conversation: Any) -> Sender:
    """Who wrote; the company's own id for them stands in the conversation's list of contacts."""
    number, own_id = text_at(author, "id"), text_at(author, "external_id")
    for contact in list_at(conversation, "contacts", "contacts"):
        if text_at(contact, "id") == number:
            own_id = own_id or text_at(contact, "external_id")
    email, name = text_at(author, "email"), text_at(author, "name")
    return person("intercom", number=number, own_id=own_id, email=email, name=name)


def _tags(whole: Any) -> list[str]:
    return [text_at(tag, "name") for tag in list_at(whole, "tags", "tags")]


def _is_redacted(said: Any) -> bool:
    return value_at(said, "redacted", default=False) is True
